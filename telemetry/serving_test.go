package telemetry

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/profiles"
)

// profiled keeps all windows open for the length of a test.
func profiled(c *Config) { c.Profiling = continuous.Config{Interval: time.Hour} }

// servedAs is what the goroutine profile says of this very goroutine, which
// runs in a handler: whose its samples are, by label and value.
func servedAs(t testing.TB, tel *Telemetry) map[string]int64 {
	t.Helper()
	seen, err := tel.Profiler().Look(t.Context(), 1, time.Millisecond)
	if err != nil {
		t.Error(err)
		return nil
	}
	return byLabel(seen)
}

func byLabel(p *profile.Profile) map[string]int64 {
	sums := map[string]int64{}
	for _, s := range p.Sample {
		for _, name := range []string{profiles.LabelEndpoint, profiles.LabelMethod, profiles.LabelRegion, profiles.LabelStartedBy} {
			for _, value := range s.Label[name] {
				sums[name+" "+value] += s.Value[0]
			}
		}
	}
	return sums
}

// TestServingFrames: by each way in, a function of ours is on the stack of a
// request that continuous knows by name. A goroutine that the handler starts
// has none.
func TestServingFrames(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		front  func(*Telemetry, http.HandlerFunc) http.Handler
	}{
		"mux":     {profiled, ofMux},
		"handler": {profiled, ofHandler},
		"handler in a mux": {profiled, func(tel *Telemetry, h http.HandlerFunc) http.Handler {
			m := tel.NewServeMux()
			m.Handle("/", ofHandler(tel, h))
			return m
		}},
		"mux in a mux": {profiled, func(tel *Telemetry, h http.HandlerFunc) http.Handler {
			m := tel.NewServeMux()
			m.Handle("/orders/", ofMux(tel, h))
			return m
		}},
		"mux in middleware":   {profiled, func(tel *Telemetry, h http.HandlerFunc) http.Handler { return tel.Middleware(ofMux(tel, h)) }},
		"mux without context": {func(c *Config) { profiled(c); noRequestContext(c) }, ofMux},
		"middleware with a resolver": {func(c *Config) { profiled(c); c.Route = func(*http.Request) string { return "/orders/{id}" } },
			func(tel *Telemetry, h http.HandlerFunc) http.Handler { return tel.Middleware(h) }},
		"in a timeout": {profiled, func(tel *Telemetry, h http.HandlerFunc) http.Handler {
			return tel.RouteHandler("/orders/{id}", http.TimeoutHandler(h, time.Minute, "late"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			tel := start(t, c.change)
			end, started := make(chan struct{}), make(chan struct{})
			h := c.front(tel, func(http.ResponseWriter, *http.Request) {
				go func() {
					close(started)
					<-end
				}()
				<-started
				got := servedAs(t, tel)
				if got["endpoint /orders/{id}"] == 0 || got["method GET"] != got["endpoint /orders/{id}"] {
					t.Errorf("in the handler: %v, want a goroutine of GET /orders/{id}: is a function in boundaries of continuous called otherwise now?", got)
				}
				if got["started_by GET /orders/{id}"] != 1 {
					t.Errorf("what the handler has started: %v, want one goroutine", got)
				}
			})
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/orders/7", nil))
			close(end)
		})
	}
}

// TestServingRegions: a monitored function and a region are known by their own
// frame, wherever they run.
func TestServingRegions(t *testing.T) {
	tel := start(t, profiled)
	end, started := make(chan struct{}), make(chan struct{})
	job := func(context.Context) error {
		go func() {
			started <- struct{}{}
			<-end
		}()
		<-started
		if got := servedAs(t, tel); got["region import"] != 1 || got["started_by import"] == 0 {
			t.Errorf("%v, want the region once, and one goroutine that it has started", got)
		}
		end <- struct{}{}
		return nil
	}
	_ = tel.Monitor("import", job)(t.Context())
	continuous.Region(t.Context(), "import", func(ctx context.Context) { _ = job(ctx) })
}

// TestWaitsOfRequests: requests that wait for another service are not diluted
// by the loops of the connections to it, which inherit their labels.
func TestWaitsOfRequests(t *testing.T) {
	tel := start(t, profiled)
	const each = 10
	release := make(chan struct{})
	arrived := make(chan struct{}, 4*each)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
	}))
	defer slow.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * each}}
	defer client.CloseIdleConnections()
	m := tel.NewServeMux()
	m.HandleFunc("/stock", func(_ http.ResponseWriter, r *http.Request) {
		if answer, err := client.Get(slow.URL); err == nil {
			_ = answer.Body.Close()
		}
	})
	front := httptest.NewServer(m)
	defer front.Close()
	answered := make(chan error, 2*each)
	for i := range 2 * each {
		go func() {
			var answer *http.Response
			var err error
			if i%2 == 0 {
				answer, err = front.Client().Get(front.URL + "/stock")
			} else {
				answer, err = front.Client().Post(front.URL+"/stock", "text/plain", http.NoBody)
			}
			if err == nil {
				_ = answer.Body.Close()
			}
			answered <- err
		}()
	}
	for range 2 * each {
		<-arrived
	}
	var seen *profile.Profile
	eventually(t, "all requests wait", func() bool {
		var err error
		if seen, err = tel.Profiler().Look(t.Context(), 1, time.Millisecond); err != nil {
			t.Fatal(err)
		}
		w := profiles.WaitsOf(tel.Profiler().OfEndpoint(seen, "/stock"), 5)
		return w.Mean >= 2*each
	})
	w := profiles.WaitsOf(tel.Profiler().OfEndpoint(seen, "/stock"), 5)
	if w.Seen != 2*each || len(w.Places) == 0 || w.Places[0].Share < 0.99 {
		t.Errorf("%+v, want the %d requests at one place, and nothing else", w, 2*each)
	}
	if got := byLabel(seen); got["method GET"] != each || got["method POST"] != each {
		t.Errorf("%v, want %d requests of each method", got, each)
	}
	close(release)
	for range 2 * each {
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
}
