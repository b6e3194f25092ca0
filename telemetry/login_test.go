package telemetry

import (
	"net/http"
	"strings"
	"testing"
)

// TestAdminLogin asks from elsewhere, as an Alertmanager, the command or a
// person with a link does: the password of the environment opens the inside
// pages, and nothing else does. /metrics and health stay open.
func TestAdminLogin(t *testing.T) {
	for _, c := range []struct {
		envUser, envPassword, user, password string
		inside                               int
	}{
		{"", "hunter2 and more", "latido", "hunter2 and more", 200},
		{"ana", "hunter2 and more", "ana", "hunter2 and more", 200},
		{"ana", "hunter2 and more", "latido", "hunter2 and more", 401},
		{"", "hunter2 and more", "latido", "hunter2", 401},
		{"", "hunter2 and more", "latido", "", 401},
		{"", "hunter2 and more", "", "", 401},
		{"ana", "", "ana", "", 403},
		{"", "", "latido", "", 403},
		{"", "  ", "latido", "", 403},
	} {
		t.Setenv("LATIDO_USER", c.envUser)
		t.Setenv("LATIDO_PASSWORD", c.envPassword)
		tel, _ := admin(t, func(c *Config) { c.Admin.Address = "0.0.0.0:0" })
		tel.Admin().Handle("POST /api/evidence", "", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		for path, want := range map[string]int{"GET /metrics-dashboard": c.inside, "POST /api/evidence": c.inside, "GET /metrics": 200, "GET /healthz": 200} {
			method, path, _ := strings.Cut(path, " ")
			r := request(t, method, tel.Admin().URL()+path, func(r *http.Request) {
				if c.user != "" {
					r.SetBasicAuth(c.user, c.password)
				}
			})
			response, err := http.DefaultClient.Do(r)
			must(t, err)
			must(t, response.Body.Close())
			if asks := response.Header.Get("WWW-Authenticate") != ""; response.StatusCode != want || asks != (want == 401) {
				t.Errorf("%s %s, environment %q %q, as %q %q: %d, asks for a login %v, want %d", method, path, c.envUser, c.envPassword, c.user, c.password, response.StatusCode, asks, want)
			}
		}
	}
}

// A loopback listener needs no password, and under a stranger's host name, or
// through a proxy, it does.
func TestAdminLoginOnLoopback(t *testing.T) {
	t.Setenv("LATIDO_PASSWORD", "hunter2 and more")
	tel, _ := admin(t, func(*Config) {})
	for _, c := range []struct {
		host, via string
		password  string
		want      int
	}{
		{"", "", "", 200}, {"", "1.1 proxy", "", 401}, {"", "1.1 proxy", "hunter2 and more", 200},
		{"evil.example", "", "", 421}, {"tienda.example", "", "hunter2 and more", 200},
	} {
		r := request(t, "GET", tel.Admin().URL()+"/metrics-dashboard", func(r *http.Request) {
			r.Host = c.host
			if c.via != "" {
				r.Header.Set("Via", c.via)
			}
			if c.password != "" {
				r.SetBasicAuth("latido", c.password)
			}
		})
		if status, body := ask(t, oneShot(nil), r); status != c.want {
			t.Errorf("%+v: status %d (%.200s)", c, status, body)
		}
	}
}
