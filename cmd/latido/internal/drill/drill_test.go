package drill

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/latido-dev/latido/internal/drills"
)

// drilledService is a service that has been asked for a drill. Its receivers are told
// when its deliveries are looked at for the second time after that.
type drilledService struct {
	status    int    // of the answer; 0 is 200
	body      string // of the answer
	outcome   string // of the receiver email; "" for none at all
	noMetrics bool
	fleet     bool // it has its deliveries from Alertmanager
	asked     atomic.Pointer[http.Request]
	looks     atomic.Int32
}

func (s *drilledService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/api/drills" && r.Method == http.MethodPost:
		s.asked.Store(r)
		if s.status != 0 {
			http.Error(w, s.body, s.status)
			return
		}
		fmt.Fprint(w, s.body)
	case r.URL.Path == drills.DeliveriesPath && s.fleet:
		told := drills.Deliveries{"log": {"success": 7}}
		if s.asked.Load() != nil && s.looks.Add(1) > 1 {
			told = drills.Deliveries{"log": {"success": 8}, "email": {s.outcome: 1}}
		}
		_ = json.NewEncoder(w).Encode(told)
	case r.URL.Path == "/metrics" && s.fleet:
		fmt.Fprintln(w, "# TYPE latido_evidence_alerts_total counter\nlatido_evidence_alerts_total 3")
	case r.URL.Path == "/metrics" && !s.noMetrics:
		fmt.Fprintln(w, "# TYPE tienda_telemetry_alert_deliveries_total counter")
		if s.asked.Load() == nil {
			// What was delivered before says nothing.
			fmt.Fprintln(w, `tienda_telemetry_alert_deliveries_total{receiver="log",outcome="success"} 7`)
			fmt.Fprintln(w, `tienda_telemetry_alert_deliveries_total{receiver="email",outcome="failed"} 2`)
			return
		}
		if s.looks.Add(1) < 2 { // not yet
			fmt.Fprintln(w, `tienda_telemetry_alert_deliveries_total{receiver="log",outcome="success"} 7`)
			return
		}
		fmt.Fprintln(w, `tienda_telemetry_alert_deliveries_total{receiver="log",outcome="success"} 8`)
		fmt.Fprintln(w, `tienda_telemetry_alert_deliveries_total{receiver="email",outcome="failed"} 2`)
		if s.outcome != "" {
			fmt.Fprintf(w, "tienda_telemetry_alert_deliveries_total{receiver=\"email\",outcome=%q} 3\n", s.outcome)
		}
	case r.URL.Path == "/api/v1/rules":
		fmt.Fprint(w, `{"status":"success","data":{"groups":[{"rules":[{"name":"RespuestaLenta","type":"alerting"},{"name":"a:b","type":"recording"}]}]}}`)
	default:
		http.NotFound(w, r)
	}
}

const drillAnswer = `{"alerts":[{"labels":{"alertname":"RespuestaLenta","drill":"true","endpoint":"/pagos","severity":"page"},
	"annotations":{"summary":"La tienda responde lento","cause":"Requests wait"},"startsAt":"2026-11-20T10:02:00Z"}],
	"receivers":["log","email"],"incident":"/incidents/20261120T100200Z-respuestalenta-0a1b2c"}`

func TestFire(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		service *drilledService
		args    string
		code    int
		want    []string // in what is printed
	}{
		"told": {&drilledService{body: drillAnswer, outcome: "success"}, "RespuestaLenta", 0, []string{
			"RespuestaLenta fires as a drill: drill=true endpoint=/pagos severity=page\n  La tienda responde lento\n  Requests wait\n",
			"email  ok  it was told\nlog    ok  it was told\n", "incident  URL/incidents/20261120T100200Z-respuestalenta-0a1b2c\n",
		}},
		"one failed":        {&drilledService{body: drillAnswer, outcome: "timeout"}, "RespuestaLenta", 1, []string{"email  FAIL  timeout; the log of the service, or of Alertmanager, says why\nlog    ok    it was told\n"}},
		"one is silent":     {&drilledService{body: drillAnswer}, "RespuestaLenta -wait 1s", 1, []string{"email  FAIL  not told in time"}},
		"told by a fleet":   {&drilledService{body: drillAnswer, outcome: "success", fleet: true}, "RespuestaLenta", 0, []string{"email  ok  it was told\nlog    ok  it was told\n"}},
		"failed in a fleet": {&drilledService{body: drillAnswer, outcome: "failed", fleet: true}, "RespuestaLenta", 1, []string{"email  FAIL  failed; the log of"}},
		"not waited for":    {&drilledService{body: drillAnswer}, "RespuestaLenta -wait 0", 0, []string{"email  -  is to be told"}},
		"nobody knows":      {&drilledService{body: drillAnswer, noMetrics: true}, "RespuestaLenta -wait 300ms", 1, []string{"log    FAIL  not told in time"}},
		"no incident": {
			&drilledService{body: `{"alerts":[{"labels":{}}],"receivers":["log"]}`}, "RespuestaLenta", 0, []string{"log  ok  it was told\n"},
		},
		"nothing fired": {&drilledService{body: `{"alerts":[],"receivers":[]}`}, "RespuestaLenta", 1, []string{"RespuestaLenta did not fire\n", "no receiver hears of it"}},
		"unknown rule": {&drilledService{status: 404, body: `there is no such rule as "RespuestLenta" (did you mean "RespuestaLenta"?)`}, "RespuestLenta", 1,
			[]string{`latido fire: there is no such rule as "RespuestLenta" (did you mean "RespuestaLenta"?)`}},
		"unknown, and nothing said": {&drilledService{status: 404, body: `there is no such rule as "RespuestLenta"`}, "RespuestLenta", 1,
			[]string{`(did you mean "RespuestaLenta"?)`}},
		"no alerts there":  {&drilledService{status: 404, body: "404 page not found"}, "RespuestaLenta", 1, []string{"URL drills no alerts: call embedded.Start"}},
		"a server":         {&drilledService{status: 405, body: "Method Not Allowed"}, "RespuestaLenta", 1, []string{"call embedded.Start"}},
		"too many":         {&drilledService{status: 429, body: "10 drills are under way"}, "RespuestaLenta", 1, []string{"latido fire: 10 drills are under way"}},
		"it does not fire": {&drilledService{status: 500, body: "does not fire on the series"}, "RespuestaLenta", 1, []string{"does not fire on the series"}},
		"a password":       {&drilledService{status: 401, body: "who are you?"}, "RespuestaLenta", 1, []string{"set LATIDO_USER"}},
		"nonsense":         {&drilledService{body: "<html>"}, "RespuestaLenta", 1, []string{"is no service of Latido's"}},
		"hostile": {&drilledService{body: `{"alerts":[{"labels":{"endpoint":"\u001b[2J\u202e\nx"},"annotations":{"summary":"\u001b]0;owned\u0007","cause":"a\rb"}}],
			"receivers":[],"incident":"javascript:alert(1)"}`}, "RespuestaLenta", 0, []string{`endpoint=\x1b[2J\u202e\nx`, `\x1b]0;owned\a`, `a\rb`}},
		"hostile trouble": {&drilledService{status: 500, body: "\x1b[2J"}, "RespuestaLenta", 1, []string{`\x1b[2J`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.service)
			defer server.Close()
			code, stdout, stderr := latido(append([]string{"fire", "-url", strings.Replace(server.URL, "//", "//ops:hunter2@", 1)}, strings.Fields(c.args)...)...)
			text := strings.ReplaceAll(stdout+stderr, server.URL, "URL")
			for _, want := range c.want {
				if code != c.code || !strings.Contains(text, want) {
					t.Errorf("exit %d, want %d, no %q in\n%s", code, c.code, want, text)
				}
			}
			if strings.ContainsAny(text, "\x1b\a\r\u202e") || strings.Contains(text, "javascript:") || strings.Contains(text, "hunter2") {
				t.Errorf("printed: %q", text)
			}
			r := c.service.asked.Load()
			if r.Header.Get("Latido-Confirm") != "yes" || r.FormValue("rule") != strings.Fields(c.args)[0] {
				t.Errorf("asked %s, %v", r.URL, r.Header)
			}
		})
	}
}

func TestFireJSON(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(&drilledService{body: drillAnswer, outcome: "panic"})
	defer server.Close()
	code, stdout, _ := latido("fire", "RespuestaLenta", "-format", "json", "-url", server.URL)
	var d drill
	if err := json.Unmarshal([]byte(stdout), &d); err != nil || code != 1 {
		t.Fatalf("exit %d, %v\n%s", code, err, stdout)
	}
	if len(d.Receivers) != 2 || d.Receivers[0] != (told{"email", "panic"}) || d.Receivers[1] != (told{"log", outcomeTold}) ||
		d.Alerts[0].Labels["endpoint"] != "/pagos" || d.Incident != server.URL+"/incidents/20261120T100200Z-respuestalenta-0a1b2c" {
		t.Errorf("%+v", d)
	}
}

func TestFireUsage(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"":                        "say which rule",
		"A B":                     "say which rule",
		"A -format xml":           "text or json",
		"A -wait -1s":             "not negative",
		"A -url hunter2@shop":     "no address",
		"A -url http://127.0.0.1": "", // nothing answers
	} {
		if code, _, stderr := latido(append([]string{"fire"}, strings.Fields(args)...)...); want != "" && code != 2 || !strings.Contains(stderr, want) || strings.Contains(stderr, "hunter2") {
			t.Errorf("%s: exit %d %s", args, code, stderr)
		}
	}
}
