package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
)

// goroutineLabels are the profile labels that the calling goroutine carries.
// Tests that use it do not run side by side.
func goroutineLabels(t testing.TB) map[string]string {
	t.Helper()
	var all bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
		t.Error(err)
	}
	for _, one := range strings.Split(all.String(), "\n\n") {
		if !strings.Contains(one, ".goroutineLabels+") {
			continue
		}
		labels := map[string]string{}
		if _, rest, ok := strings.Cut(one, "# labels: "); ok {
			text, _, _ := strings.Cut(rest, "\n")
			if err := json.Unmarshal([]byte(text), &labels); err != nil {
				t.Errorf("labels %s: %v", text, err)
			}
		}
		return labels
	}
	t.Error("this goroutine is not in its profile")
	return nil
}

func wantLabels(t testing.TB, where string, want map[string]string) {
	t.Helper()
	if got := goroutineLabels(t); !maps.Equal(got, want) {
		t.Errorf("%s: labels %v, want %v", where, got, want)
	}
}

var (
	noLabels    = map[string]string{}
	methodAlone = map[string]string{"method": "GET"}
	orderLabels = map[string]string{"endpoint": "/orders/{id}", "method": "GET"}
)

// contextLabels are those that a nested pprof.Do keeps.
func contextLabels(ctx context.Context) map[string]string {
	labels := map[string]string{}
	pprof.ForLabels(ctx, func(k, v string) bool { labels[k] = v; return true })
	return labels
}

// TestProfileLabels: a handler's goroutine carries its endpoint, and the next
// request of the connection does not, however the handler ended.
func TestProfileLabels(t *testing.T) {
	for name, c := range map[string]struct {
		tel     *Telemetry
		front   func(*Telemetry, http.HandlerFunc) http.Handler
		inside  map[string]string
		context map[string]string
	}{
		"mux":                 {start(t), ofMux, orderLabels, orderLabels},
		"mux without context": {start(t, noRequestContext), ofMux, orderLabels, noLabels},
		"handler":             {start(t), ofHandler, orderLabels, orderLabels},
		"handler in a mux": {start(t), func(tel *Telemetry, h http.HandlerFunc) http.Handler {
			m := tel.NewServeMux()
			m.Handle("/", ofHandler(tel, h))
			return m
		}, orderLabels, orderLabels},
		"middleware": {start(t), ofMiddleware, methodAlone, methodAlone}, // the pattern is known too late
		"middleware with a resolver": {start(t, func(c *Config) { c.Route = func(*http.Request) string { return "/orders/{id}" } }),
			func(tel *Telemetry, h http.HandlerFunc) http.Handler { return tel.Middleware(h) }, orderLabels, orderLabels},
	} {
		t.Run(name, func(t *testing.T) {
			h := c.front(labelling(c.tel), func(_ http.ResponseWriter, r *http.Request) {
				wantLabels(t, "in the handler", c.inside)
				if got := contextLabels(r.Context()); !maps.Equal(got, c.context) {
					t.Errorf("the context has the labels %v, want %v", got, c.context)
				}
				pprof.Do(r.Context(), pprof.Labels("query", "all"), func(context.Context) {
					want := maps.Clone(c.context)
					want["query"] = "all"
					wantLabels(t, "in a nested pprof.Do", want)
				})
				switch r.URL.Query().Get("end") {
				case "panic":
					panic("boom")
				case "abort":
					panic(http.ErrAbortHandler)
				}
			})
			s := serve(t, 1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				wantLabels(t, "before", noLabels)
				defer wantLabels(t, "after", noLabels)
				defer func() { _ = recover() }() // so that the connection stays
				h.ServeHTTP(w, r)
			}))
			for _, end := range []string{"", "panic", "abort", ""} {
				s.get(t, "/orders/7?end="+end)
			}
		})
	}
}

func ofMux(tel *Telemetry, h http.HandlerFunc) http.Handler { return muxed(tel.NewServeMux(), h) }
func ofHandler(tel *Telemetry, h http.HandlerFunc) http.Handler {
	return tel.RouteHandler("/orders/{id}", h)
}
func ofMiddleware(tel *Telemetry, h http.HandlerFunc) http.Handler {
	return tel.Middleware(muxed(http.NewServeMux(), h))
}

// TestLabelsOfTheCaller stay, beside those of the endpoint and after it.
func TestLabelsOfTheCaller(t *testing.T) {
	for name, tel := range map[string]*Telemetry{"default": start(t), "without context": start(t, noRequestContext)} {
		want := map[string]string{"tenant": "a", "endpoint": "/orders/{id}", "method": "GET"}
		if name == "without context" {
			want = orderLabels
		}
		h := ofMux(labelling(tel), func(http.ResponseWriter, *http.Request) { wantLabels(t, name+": in the handler", want) })
		pprof.Do(t.Context(), pprof.Labels("tenant", "a"), func(ctx context.Context) {
			for range 2 {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/orders/7", nil))
				wantLabels(t, name+": after", map[string]string{"tenant": "a"})
			}
		})
	}
}

// TestLabelsWithoutProfiling: a profiler that is off costs no labels.
func TestLabelsWithoutProfiling(t *testing.T) {
	ofMux(start(t), func(_ http.ResponseWriter, r *http.Request) {
		wantLabels(t, "in the handler", noLabels)
		if got := contextLabels(r.Context()); len(got) > 0 {
			t.Errorf("the context has the labels %v", got)
		}
	}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/orders/7", nil))
}

// TestContextOfARequest: what carries the labels is a context in all else.
func TestContextOfARequest(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
	ofMux(labelling(start(t)), func(_ http.ResponseWriter, r *http.Request) {
		if got := r.Context().Value(key{}); got != "value" {
			t.Errorf("its value is %v", got)
		}
		child, stop := context.WithCancel(r.Context())
		defer stop()
		cancel(errBoom)
		<-child.Done()
		if !errors.Is(context.Cause(child), errBoom) {
			t.Errorf("the cause is %v", context.Cause(child))
		}
	}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/orders/7", nil))
}

// TestPooledExchanges: without a context the state of a request is used again;
// no request sees another's. It is meant for the race detector.
func TestPooledExchanges(t *testing.T) {
	t.Parallel()
	tel := labelling(start(t, noRequestContext))
	m := tel.NewServeMux()
	for i := range 8 {
		m.HandleFunc(fmt.Sprintf("/%d", i), func(w http.ResponseWriter, r *http.Request) {
			if i == 7 {
				panic("boom")
			}
			w.WriteHeader(200 + i)
			_, _ = io.WriteString(w, r.URL.Path)
		})
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { _ = recover() }()
		m.ServeHTTP(w, r)
	}))
	defer s.Close()
	const each = 40
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range each {
				answer, err := s.Client().Get(fmt.Sprintf("%s/%d", s.URL, i))
				if err != nil {
					t.Error(err)
					return
				}
				if want := 200 + i; i < 7 && answer.StatusCode != want {
					t.Errorf("/%d: status %d", i, answer.StatusCode)
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
			}
		})
	}
	wg.Wait()
	want := series{requests("GET", "/7", 500): each}
	for i := range 7 {
		want[requests("GET", fmt.Sprintf("/%d", i), 200+i)] = each
	}
	scrape(t, tel).of("tienda_requests_total").above0().wantOnly(t, want)
}
