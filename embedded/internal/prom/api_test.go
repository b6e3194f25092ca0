package prom

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
)

func TestAPIIsReadOnly(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	for _, path := range []string{"/api/v1/admin/tsdb/delete_series?match[]=up", "/api/v1/admin/tsdb/snapshot", "/api/v1/admin/tsdb/clean_tombstones",
		"/api/v1/write", "/api/v1/otlp/v1/metrics"} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, nil))
		if w.Code < 400 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestAPIWithNothing(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	for _, path := range []string{"rules", "alerts", "targets", "targets/metadata", "scrape_pools", "metadata", "alertmanagers", "labels", "status/config", "status/tsdb",
		"status/tsdb/blocks", "status/runtimeinfo", "status/walreplay", "features", "notifications", "openapi.yaml"} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/"+path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// Rules and scrapes go on while people ask for too much.
func TestSlowQueriesHoldUpNobody(t *testing.T) {
	t.Parallel()
	svc, box := newService(), &inbox{}
	svc.set("cpu_percent", 95)
	s := start(t, Config{Metrics: svc, Rules: []byte(cpuRules), Notify: box.notify})
	var wg sync.WaitGroup
	for range 3 * maxQueries {
		wg.Go(func() {
			query := url.Values{"query": {"count_over_time(vector(1)[1h:100ms])"}, "start": {fmt.Sprint(time.Now().Add(-time.Hour).Unix())}, "end": {fmt.Sprint(time.Now().Unix())}, "step": {"10"}}
			s.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/api/v1/query_range?"+query.Encode(), nil))
		})
	}
	asked, sent := svc.asked.Load(), len(box.of("CPUHigh"))
	eventually(t, "scrapes and messages go on", func() bool { return svc.asked.Load() > asked+5 && len(box.of("CPUHigh")) > sent+1 })
	wg.Wait()
	_, err := s.Query(t.Context(), "count_over_time(vector(1)[6h:1ms])", time.Now())
	if tooMany := promql.ErrTooManySamples(""); !errors.As(err, &tooMany) {
		t.Errorf("got %v, want too many samples", err)
	}
}

func TestAfterStop(t *testing.T) {
	t.Parallel()
	svc := newService()
	svc.set("x", 1)
	s := start(t, Config{Dir: t.TempDir(), Metrics: svc})
	eventually(t, "samples", func() bool { n, _ := value(t, s, "count_over_time(x[1h])"); return n > 5 })
	block(t, s)
	stop(t, s)
	stop(t, s)
	_, _ = s.Query(t.Context(), "x", time.Now()) // an error, or what is in memory
	_ = s.store.status()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/query?query=x", nil))
	if w.Code == 0 {
		t.Error("no answer")
	}
}
