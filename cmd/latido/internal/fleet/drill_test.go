package fleet

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latido-dev/latido/internal/drills"
)

// alertmanager answers as one does whose file leads each alert to three receivers,
// of which one tells nobody.
type alertmanager struct {
	named bool // its metrics name the receivers

	mu  sync.Mutex
	got []posted
}

const alertmanagerFile = `
route: {receiver: mail}
receivers:
  - name: mail
    email_configs: [{to: <secret>}]
  - name: chat
    slack_configs: [{channel: "#alerts"}]
    webhook_configs: [{url: <secret>}]
  - name: boss
    email_configs: [{to: <secret>}]
  - name: log
`

func (a *alertmanager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch r.Method + " " + r.URL.Path {
	case "POST /api/v2/alerts":
		var list []posted
		_ = json.NewDecoder(r.Body).Decode(&list)
		a.got = append(a.got, list...)
	case "GET /api/v2/alerts":
		type name struct {
			Name string `json:"name"`
		}
		var all []map[string]any
		for _, p := range a.got {
			other := maps.Clone(p.Labels) // of an alert of the same name
			other["endpoint"] = "another"
			all = append(all, map[string]any{"labels": p.Labels, "receivers": []name{{"mail"}, {"chat"}, {"log"}}},
				map[string]any{"labels": other, "receivers": []name{{"nobody"}}})
		}
		_ = json.NewEncoder(w).Encode(all)
	case "GET /api/v2/status":
		_ = json.NewEncoder(w).Encode(map[string]any{"config": map[string]string{"original": alertmanagerFile}})
	case "GET /metrics":
		series := map[string][2]int{`integration="email"`: {50, 3}, `integration="slack"`: {20, 1}, `integration="webhook"`: {30, 2}}
		if a.named {
			series = map[string][2]int{
				`integration="email",receiver_name="mail"`: {10, 0}, `integration="email",receiver_name="boss"`: {40, 3},
				`integration="slack",receiver_name="chat"`: {20, 1}, `integration="webhook",receiver_name="chat"`: {30, 2},
			}
		}
		for i, name := range []string{"alertmanager_notification_requests_total", "alertmanager_notification_requests_failed_total"} {
			fmt.Fprintf(w, "# TYPE %s counter\n", name)
			for labels, n := range series {
				fmt.Fprintf(w, "%s{%s} %d\n", name, labels, n[i])
			}
		}
	default:
		http.NotFound(w, r)
	}
}

// drilled asks for a drill, as `latido fire` does.
func drilled(h http.Handler, rule, password string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, drills.Path+"?rule="+rule, nil)
	r.Header.Set("Latido-Confirm", "yes")
	r.SetBasicAuth("latido", password)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestDrill: a drill of a fleet is an alert as Prometheus would send it, marked as a
// drill, with its evidence, and it ends; who hears of it is what Alertmanager says.
func TestDrill(t *testing.T) {
	rules := `{"status":"success","data":{"groups":[{"rules":[{"name":"GoroutineLeak","type":"alerting","labels":{"domain":"tienda"}},
		{"name":"ServiceDown","type":"alerting","labels":{"domain":"other"}}]}]}}`
	prometheus := serving(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/api/v1/rules":
			fmt.Fprint(w, rules)
		case r.FormValue("query") == `up{job="tienda-api"}`:
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"instance":"b:9464"},"value":[1,"1"]},{"metric":{"instance":"a:9464"},"value":[1,"1"]}]}}`)
		default:
			http.NotFound(w, r)
		}
	})
	to := &alertmanager{}
	s, h := started(t, &instances{domain: tienda, prometheus: prometheus}, serving(t, to.ServeHTTP))
	if w := drilled(h, "GoroutineLeak", ""); w.Code != http.StatusUnauthorized {
		t.Errorf("without the password: %d %s", w.Code, w.Body)
	}
	// One that another service's rules have is not there either.
	if w := drilled(h, "ServiceDown", "secret"); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "has no rule ServiceDown") {
		t.Errorf("a rule that Prometheus lacks: %d %s", w.Code, w.Body)
	}
	if len(to.got) != 0 {
		t.Fatalf("posted %v", to.got)
	}
	w := drilled(h, "GoroutineLeak", "secret")
	var answer drills.Answer
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	if !slices.Equal(answer.Receivers, []string{"chat", "mail"}) || !strings.Contains(answer.Incident, "/incidents/") || len(answer.Alerts) != 1 {
		t.Errorf("%+v", answer)
	}
	fires := to.got[0]
	for name, want := range map[string]string{"alertname": "GoroutineLeak", "drill": "true", "job": "tienda-api", "domain": "tienda", "severity": "ticket", "instance": "a:9464"} {
		if fires.Labels[name] != want {
			t.Errorf("%s=%q, want %q", name, fires.Labels[name], want)
		}
	}
	if text := fires.Annotations["description"]; text == "" || strings.Contains(text, "{{") || fires.EndsAt.Sub(fires.StartsAt) != drillTime {
		t.Errorf("fires until %v: %v", fires.EndsAt, fires.Annotations)
	}
	s.drills.Stop()
	if ends := to.got[len(to.got)-1]; len(to.got) != 2 || !maps.Equal(ends.Labels, fires.Labels) || ends.EndsAt.After(time.Now()) {
		t.Errorf("ends with %v", to.got)
	}
}

// TestDrillUntold: where no Alertmanager takes the alert, or one does not say who
// hears of it, that is the answer. A store without rules does not stop a drill.
func TestDrillUntold(t *testing.T) {
	takes := serving(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.Error(w, "not now", http.StatusServiceUnavailable)
		}
	})
	for want, target := range map[string]http.HandlerFunc{
		"does not take alerts: it answers 404":                 http.NotFound,
		"nobody knows who hears of it: " + takes.String():      nil,
		"in a form that is not Alertmanager's: unexpected end": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[") },
	} {
		u := takes
		if target != nil {
			u = serving(t, target)
		}
		_, h := started(t, &instances{domain: tienda, prometheus: serving(t, http.NotFound)}, u)
		if w := drilled(h, "ServiceDown", "secret"); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%d %s, want %s", w.Code, w.Body, want)
		}
	}
}

// TestDeliveries: they are counted for each receiver where Alertmanager's metrics
// name it, and else for all of a kind; those of several Alertmanagers are one sum.
func TestDeliveries(t *testing.T) {
	for named, want := range map[bool]drills.Deliveries{
		true:  {"mail": {"success": 20, "failed": 0}, "boss": {"success": 74, "failed": 6}, "chat": {"success": 94, "failed": 6}},
		false: {"mail": {"success": 94, "failed": 6}, "boss": {"success": 94, "failed": 6}, "chat": {"success": 94, "failed": 6}},
	} {
		to := &alertmanager{named: named}
		one := serving(t, to.ServeHTTP)
		_, h := started(t, &instances{domain: tienda, prometheus: serving(t, http.NotFound)}, one, one)
		r := httptest.NewRequest(http.MethodGet, drills.DeliveriesPath, nil)
		r.SetBasicAuth("latido", "secret")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var got drills.Deliveries
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("named %v: %d %s, want %v", named, w.Code, w.Body, want)
		}
	}
	_, h := started(t, &instances{domain: tienda, prometheus: serving(t, http.NotFound)}, serving(t, http.NotFound))
	r := httptest.NewRequest(http.MethodGet, drills.DeliveriesPath, nil)
	r.SetBasicAuth("latido", "secret")
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusBadGateway || !strings.Contains(w.Body.String(), "/api/v2/status with 404") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
