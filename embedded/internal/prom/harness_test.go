package prom

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latido-dev/latido/embedded/alert"
)

// service is a service that has metrics: what set says.
type service struct {
	mu     sync.Mutex
	values map[string]float64
	broken atomic.Bool
	asked  atomic.Int64
	hangs  atomic.Bool // until whoever asks goes
}

func newService() *service { return &service{values: map[string]float64{}} }

func (s *service) set(series string, v float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[series] = v
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	if s.hangs.Load() {
		<-r.Context().Done()
		return
	}
	if s.broken.Load() {
		http.Error(w, "broken", http.StatusInternalServerError)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
	for series, v := range s.values {
		fmt.Fprintf(w, "%s %g", series, v)
		if strings.HasSuffix(series, "_total") {
			fmt.Fprint(w, ` # {trace_id="abc"} 1`)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "# EOF")
}

// inbox is where alerts arrive.
type inbox struct {
	mu  sync.Mutex
	all []alert.Alert
}

func (b *inbox) notify(alerts []alert.Alert) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, alerts...)
}

// of returns what came of an alert, oldest first.
func (b *inbox) of(name string) []alert.Alert {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(func(yield func(alert.Alert) bool) {
		for _, a := range b.all {
			if a.Name() == name && !yield(a) {
				return
			}
		}
	})
}

func (b *inbox) firing(name string) bool {
	all := b.of(name)
	return len(all) > 0 && !all[len(all)-1].Resolved()
}

func (b *inbox) resolved(name string) bool {
	all := b.of(name)
	return len(all) > 0 && all[len(all)-1].Resolved()
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.After(3 * time.Minute) // a machine that others use is slow
	for tick := time.Tick(5 * time.Millisecond); !f(); {
		select {
		case <-tick:
		case <-deadline:
			t.Fatalf("not within 3 minutes: %s", what)
		}
	}
}

func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	if cfg.ScrapeInterval == 0 {
		cfg.ScrapeInterval = 50 * time.Millisecond
	}
	if cfg.EvaluationInterval == 0 {
		cfg.EvaluationInterval = 50 * time.Millisecond
	}
	if cfg.free == nil {
		cfg.free = func(string) (uint64, error) { return 1 << 40, nil }
	}
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

// value is what an instant query without labels has.
func value(t *testing.T, s *Server, expr string) (float64, bool) {
	t.Helper()
	all, err := s.Query(t.Context(), expr, time.Now())
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	if len(all) == 0 {
		return 0, false
	}
	return all[0].Value, true
}

// get asks the API, and returns the answer's data.
func get[T any](t *testing.T, s *Server, path string, query url.Values) T {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path+"?"+query.Encode(), nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	var answer struct{ Data T }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s: %v: %s", path, err, w.Body)
	}
	return answer.Data
}

// fresh tells whether scrapes succeed.
func fresh(s *Server) bool {
	yes, _, _ := s.store.fresh.at(time.Now())
	return yes
}
