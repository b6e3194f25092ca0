package evidence

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// incidentService keeps incidents: files by their place in the service.
type incidentService map[string]string

func (s incidentService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, ok := s[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write([]byte(text))
}

const goldenID = "20260102T150405Z-respuestalenta-0a1b2c"

// newIncidents is a service with three incidents: the one that embedded/ has
// in its own tests, a release, and one that goes on.
func newIncidents(t *testing.T) incidentService {
	t.Helper()
	golden, err := os.ReadFile("../../../../internal/evidence/testdata/incident.json")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	list, err := json.Marshal(map[string]any{"incidents": []map[string]any{
		{"id": goldenID, "kind": "alert", "name": "RespuestaLenta", "severity": "page", "drill": true, "endpoint": "/pagos",
			"starts_at": "2026-01-02T15:04:05Z", "ends_at": "2026-01-02T15:05:35Z", "cause": "Requests wait in awaitAnswer.", "url": "x"},
		{"id": "20260102T160000Z-release-0a1b2d", "kind": "release", "name": "1.4.2", "severity": "info", "starts_at": "2026-01-02T16:00:00Z", "cause": "Since 1.4.2 an order costs more."},
		{"id": "20260102T140000Z-cpualta-0a1b2e", "kind": "alert", "name": "CPUAlta", "severity": "page", "starts_at": now.Add(-2 * time.Hour), "none": "profiling is off"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return incidentService{
		"/api/incidents": string(list), "/api/incidents/" + goldenID: string(golden), "/incidents/" + goldenID: "<html>",
		"/incidents/" + goldenID + "/before.pb.gz": "before", "/incidents/" + goldenID + "/after.pb.gz": "after",
	}
}

// run runs latido incidents on the service.
func (s incidentService) run(args ...string) (code int, stdout, stderr string) {
	server := httptest.NewServer(s)
	defer server.Close()
	code, stdout, stderr = latido(append([]string{"incidents", "-url", strings.Replace(server.URL, "//", "//ops:hunter2@", 1)}, args...)...)
	return code, strings.ReplaceAll(stdout, server.URL, "URL"), strings.ReplaceAll(stderr, server.URL, "URL")
}

func TestIncidentsList(t *testing.T) {
	t.Parallel()
	s := newIncidents(t)
	local := func(text string) string {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return at.Local().Format(timeFormat)
	}
	release := local("2026-01-02T16:00:00Z") + "  -        info          1.4.2\n    Since 1.4.2 an order costs more.\n    20260102T160000Z-release-0a1b2d\n"
	drill := local("2026-01-02T15:04:05Z") + "  90 s     page (drill)  RespuestaLenta /pagos\n    Requests wait in awaitAnswer.\n    " + goldenID + "\n"
	goes := "  goes on  page          CPUAlta"
	for args, want := range map[string][]string{
		"":                             {"WHEN                 LASTED   SEVERITY      ALERT\n", goes, "    no cause found: profiling is off\n    20260102T140000Z-cpualta-0a1b2e\n", release, drill},
		"-kind release":                {"  info      1.4.2\n    Since"},
		"-last 3h":                     {"CPUAlta"},
		"-last 3h -kind release":       {"no incidents of these; there are 3 in all\n"},
		"-format json -kind alert":     {`"id": "20260102T140000Z-cpualta-0a1b2e"`, `"drill": true`},
		"-format json -last 1ms":       {`"CPUAlta"`},
		"-format json -kind release":   {`"incidents": [`},
		"-last 30m -kind alert":        {"CPUAlta"},
		"-format json -last 1w -kind=": {"CPUAlta"},
	} {
		t.Run(args, func(t *testing.T) {
			code, stdout, stderr := s.run(strings.Fields(args)...)
			for _, want := range want {
				if code != 0 || stderr != "" || !strings.Contains(stdout, want) {
					t.Errorf("exit %d, no %q in\n%s%s", code, want, stdout, stderr)
				}
			}
			for _, kind := range incidentKinds {
				if other := map[string]string{"alert": "CPUAlta", "release": "release-0a1b2d"}[kind]; strings.Contains(args, "-kind") && !strings.Contains(args, "-kind=") &&
					!strings.Contains(args, kind) && strings.Contains(stdout, other) {
					t.Errorf("%s is listed\n%s", other, stdout)
				}
			}
			if strings.Contains(args, "-last") && strings.Contains(stdout, goldenID) {
				t.Errorf("the old one is listed\n%s", stdout)
			}
		})
	}
	_, list, _ := s.run()
	for line := range strings.Lines(list) {
		if n := len([]rune(line)); n > 80 {
			t.Errorf("%d columns, more than a terminal has: %s", n, line)
		}
	}
	for format, want := range map[string]string{"text": "sigue", "json": `"drill": true`} { // JSON has no words
		if _, stdout, _ := s.run("-language", "es", "-format", format); !strings.Contains(stdout, want) {
			t.Errorf("as %s in Spanish, no %s in\n%s", format, want, stdout)
		}
	}
	s["/api/incidents"] = `{"incidents":[]}`
	if code, stdout, _ := s.run(); code != 0 || stdout != "no incidents\n" {
		t.Errorf("exit %d %s", code, stdout)
	}
}

// TestIncidentsShow shows the incident that embedded/ has in its tests, by its
// id or a part of it.
func TestIncidentsShow(t *testing.T) {
	t.Parallel()
	s := newIncidents(t)
	code, stdout, stderr := s.run("respuestalenta")
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC).Local()
	for _, want := range []string{
		"RespuestaLenta page (drill) tienda-api 1.4.2 (bbbbbbb)\n" + at.Format(timeFormat) + ", lasted 90 s, condition since " + at.Add(-time.Minute).Format(time.TimeOnly) + ", value 3.25, endpoint <script>",
		"La tienda <b>responde</b> lento\n",
		"cause\n  GET /pagos computes for 520 ms, 5 ms before: main.sort (sort.go:40) <b>grew</b>.\n  a <note>\n",
		"\nwhat to do\n  Look at main.sort.\n\nalso\n  Version 1.4.2 took the place of 1.4.1.\n\nit rests on\n  cores 0.09 → 0.6\n",
		"where requests wait: 94 % of those seen do\n  94 %  shop.(*Supplier).awaitAnswer (supplier.go:61)  select  12.2 at a time, 0.1 before\n",
		"CPU: 0.604 cores, 0.095 cores before\n  86 %  main.sort (sort.go:50)  0.52 cores, 0.005 cores before", "mostly in math.Sin\n",
		"goroutines: 4310, 20 before\n  4290  main.leak (leak.go:8)  channel receive  0 before\n",
		"errors\n  requests  /pagos  503  41, 0 before\n",
		"at the same time\n  version 1.4.2 (bbbbbbb) took the place of 1.4.1 (aaaaaaa) at ", "\n  pedidos_procesados  12, 600 before\n",
		"slowest trace\n  4bf92f3577b34da6a3ce929d0e0e4736  3.5 s, /pagos, " + at.Format(timeFormat),
		"runbook\n  javascript:alert(1)\n", // a terminal does not run it
		"\nURL/incidents/" + goldenID + "\nlatido incidents " + goldenID + " -out . saves it",
	} {
		if code != 0 || stderr != "" || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, no %q in\n%s%s", code, want, stdout, stderr)
		}
	}
	long := incidentService{"/api/incidents": s["/api/incidents"], "/api/incidents/" + goldenID: `{"moved":[{"name":"a"},{"name":"b"},{"name":"c"},{"name":"d"},{"name":"e"},{"name":"f"},{"name":"g"}]}`}
	if _, stdout, _ := long.run(goldenID); !strings.Contains(stdout, "  e  0, 0 before\n  and 2 more\n") {
		t.Errorf("%s", stdout)
	}
	for what, changed := range map[string]string{"": `{"name":"a"}`, "a release": `{"deployed":{"after":{"version":"2"},"before":{"version":"1"}}}`} {
		one := incidentService{"/api/incidents": s["/api/incidents"], "/api/incidents/" + goldenID: changed}
		if _, stdout, _ := one.run(goldenID); strings.Contains(stdout, "at the same time") != (what != "") {
			t.Errorf("where %q changed\n%s", what, stdout)
		}
	}
	code, stdout, _ = s.run(goldenID, "-format", "json")
	if code != 0 || stdout != s["/api/incidents/"+goldenID] {
		t.Errorf("exit %d, not the service's own JSON\n%s", code, stdout)
	}
}

func TestIncidentsSave(t *testing.T) {
	t.Parallel()
	s := newIncidents(t)
	folder := filepath.Join(t.TempDir(), "kept")
	save := func(want map[string]string) {
		t.Helper()
		code, stdout, stderr := s.run(goldenID, "-out", folder)
		lines := 0
		for suffix, state := range want {
			if line := filepath.Join(folder, goldenID+suffix) + "  " + state + "\n"; code != 0 || stderr != "" || !strings.Contains(stdout, line) {
				t.Errorf("exit %d, no %q in\n%s%s", code, line, stdout, stderr)
			}
			lines++
		}
		if n := strings.Count(stdout, "\n"); n != lines {
			t.Errorf("%d lines\n%s", n, stdout)
		}
	}
	save(map[string]string{".json": "written", ".html": "written", "-before.pb.gz": "written", "-after.pb.gz": "written"})
	for suffix, want := range map[string]string{".json": s["/api/incidents/"+goldenID], ".html": "<html>", "-before.pb.gz": "before", "-after.pb.gz": "after"} {
		if data, err := os.ReadFile(filepath.Join(folder, goldenID+suffix)); err != nil || string(data) != want {
			t.Errorf("%s: %v %.50s", suffix, err, data)
		}
	}
	// It ended since: what changed is written again, and that is said.
	s["/incidents/"+goldenID] = "<html>resolved"
	delete(s, "/incidents/"+goldenID+"/before.pb.gz")
	s["/incidents/"+goldenID+"/trace.out"] = "trace"
	save(map[string]string{".json": "ok, as it was", ".html": "written over an older one", "-before.pb.gz": "none: the incident has no such profile", "-after.pb.gz": "ok, as it was", "-trace.out": "written"})
	// One that it says to have, and does not give: nothing is written.
	s["/api/incidents/"+goldenID] = `{"files":["before.pb.gz"]}`
	if code, stdout, stderr := s.run(goldenID, "-out", filepath.Join(folder, "other")); code != 1 || stdout != "" || !strings.Contains(stderr, "404 Not Found") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	if _, err := os.Stat(filepath.Join(folder, "other")); err == nil {
		t.Error("something was written")
	}
	if code, _, stderr := s.run(goldenID, "-out", "/dev/null/x"); code != 1 || stderr == "" {
		t.Errorf("exit %d %s", code, stderr)
	}
}

// TestIncidentsTrouble asks for what is not there, and services that lie.
func TestIncidentsTrouble(t *testing.T) {
	t.Parallel()
	list := func(id string) incidentService {
		data, _ := json.Marshal(map[string]any{"incidents": []map[string]any{{"id": id, "name": "\x1b[2Jname\u202e", "severity": "a\nb", "endpoint": "\t\u009b", "cause": "\x1b]0;owned\a"}}})
		return incidentService{"/api/incidents": string(data), "/api/incidents/" + goldenID: `{"name":"\u001b[2J","notes":["\u001b[31m"],"annotations":{"summary":"a\rb"},"cause":"\u202e"}`}
	}
	for name, c := range map[string]struct {
		service incidentService
		args    string
		code    int
		want    string
	}{
		"no such id":        {newIncidents(t), "20260102T150405Z-respuestalenta-0a1b2d", 1, `did you mean "` + goldenID + `"?`},
		"several":           {newIncidents(t), "0a1b2", 1, `3 incidents have "0a1b2" in their id, the newest is 20260102T140000Z-cpualta`},
		"none kept":         {incidentService{"/api/incidents": `{"incidents":[]}`}, "x", 1, "the service keeps none"},
		"no embedded":       {incidentService{}, "", 1, "URL keeps no incidents: call embedded.Start"},
		"no list":           {incidentService{"/api/incidents": `{}`}, "", 1, "answers without a list"},
		"no JSON":           {incidentService{"/api/incidents": `<html>`}, "", 1, "is no service of Latido's"},
		"a folder as an id": {list("../../etc/passwd"), "passwd -out .", 1, `"../../etc/passwd" is no id`},
		"hostile list":      {list(goldenID), "", 0, `a\nb      \x1b[2Jname\u202e \t\u009b`},
		"hostile cause":     {list(goldenID), "", 0, `    \x1b]0;owned\a`},
		"hostile incident":  {list(goldenID), goldenID, 0, `\x1b[31m`},
		"no JSON of one":    {incidentService{"/api/incidents": newIncidents(t)["/api/incidents"], "/api/incidents/" + goldenID: "<html>"}, goldenID + " -format json", 1, "with something that is no JSON"},
		"gone meanwhile":    {func() incidentService { s := newIncidents(t); delete(s, "/api/incidents/"+goldenID); return s }(), goldenID, 1, "404 Not Found"},
		"usage: two":        {nil, "a b", 2, "one incident at a time"},
		"usage: kind":       {nil, "-kind drill", 2, "alert or release"},
		"usage: last":       {nil, "x -last 1h", 2, "for the list"},
		"usage: duration":   {nil, "-last soon", 2, "soon"},
		"usage: format":     {nil, "-format html", 2, "text or json"},
		"usage: out":        {nil, "-out .", 2, "by its id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := c.service.run(strings.Fields(c.args)...)
			if code != c.code || !strings.Contains(stdout+stderr, c.want) {
				t.Errorf("exit %d, no %q in\n%s%s", code, c.want, stdout, stderr)
			}
			if strings.ContainsAny(stdout+stderr, "\x1b\a\r\u202e\u009b") || strings.Contains(stdout+stderr, "hunter2") {
				t.Errorf("printed: %q%q", stdout, stderr)
			}
		})
	}
}
