package telemetry

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latido-dev/latido/internal/figures"
)

// TestHistory asks every five seconds for longer than is kept, as a scrape does:
// the lines have what happened between, and their length is bounded.
func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := start(t, func(c *Config) { c.Admin.Guarded = true })
		mux := tel.NewServeMux()
		mux.HandleFunc("GET /good", func(http.ResponseWriter, *http.Request) {})
		mux.HandleFunc("GET /bad", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
		web := tel.Counter("pedidos_procesados").With("canal", "web")
		active := tel.UpDown("carritos_activos").With("canal", "web")
		active.Add(7)
		dashboard := func() (d figures.Dashboard) {
			if err := json.Unmarshal(askHandler(tel, http.MethodGet, "/metrics-dashboard?history=1", nil).Body.Bytes(), &d); err != nil {
				t.Fatal(err)
			}
			return d
		}
		for i := range 2 * historyMoments {
			time.Sleep(5 * time.Second)
			for range 10 {
				mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/good", nil))
			}
			mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/bad", nil))
			web.Add(5)
			askHandler(tel, http.MethodGet, "/metrics", nil)
			askHandler(tel, http.MethodGet, "/metrics", nil) // at once: too young to count
			if n := len(dashboard().History.At); i < 3 && n != i+1 {
				t.Errorf("%d moments after %d times", n, i+1)
			}
		}
		d := dashboard()
		if n := len(d.History.At); n != historyMoments-1 {
			t.Fatalf("%d moments", n)
		}
		last := historyMoments - 2
		if got := d.History.At[last] - d.History.At[last-1]; got != 5 {
			t.Errorf("moments %v s apart", got)
		}
		for _, e := range d.Endpoints {
			want, failed := 2.0, 0.0
			if e.Endpoint == "/bad" {
				want, failed = 0.2, 1
			}
			if e.Endpoint != "unmatched" && (*e.History.PerSecond[last] != want || *e.History.ErrorRatio[last] != failed || e.History.P95[last] == nil) {
				t.Errorf("%s: %v a second, %v fail", e.Endpoint, *e.History.PerSecond[last], *e.History.ErrorRatio[last])
			}
		}
		if got, failed := *d.History.All.PerSecond[last], *d.History.All.ErrorRatio[last]; got != 2.2 || failed != 1.0/11 {
			t.Errorf("all: %v a second, %v fail", got, failed)
		}
		if got, level := *d.History.Events["pedidos_procesados"][last], *d.History.Events["carritos_activos"][last]; got != 60 || level != 7 {
			t.Errorf("%v orders a minute, %v carts", got, level)
		}
	})
}

// TestHistoryOfNobody has nobody ask: nothing is kept, and without a request for
// it the dashboard has none.
func TestHistoryOfNobody(t *testing.T) {
	tel := start(t, func(c *Config) { c.Admin.Guarded = true })
	if len(tel.history.moments) != 0 {
		t.Error("moments that nobody asked for")
	}
	var d figures.Dashboard
	if err := json.Unmarshal(askHandler(tel, http.MethodGet, "/metrics-dashboard", nil).Body.Bytes(), &d); err != nil || d.History.At != nil {
		t.Errorf("%v, %v", d.History, err)
	}
}

// TestHistoryOfMany has more endpoints than lines: those with the most time have
// one.
func TestHistoryOfMany(t *testing.T) {
	tel := start(t)
	for i := range 3 * historyEndpoints {
		tel.route(fmt.Sprintf("/%d", i)).method(0).observe(200, time.Duration(i)*time.Millisecond)
	}
	tel.remember()
	m := tel.history.moments[1]
	if len(m.endpoints) != historyEndpoints || m.all.count != 3*historyEndpoints {
		t.Errorf("%d endpoints with a line, %d requests", len(m.endpoints), m.all.count)
	}
	slowest := tel.route(fmt.Sprintf("/%d", 3*historyEndpoints-1)).method(0).duration
	if _, ok := m.endpoints[slowest]; !ok {
		t.Error("the endpoint with the most time has no line")
	}
}
