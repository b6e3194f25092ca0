package prom

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
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

func TestQueryWithoutTimeIsAtTheStoresTime(t *testing.T) {
	t.Parallel()
	wall := &steadyTime{systemTime: systemTime{time.Now()}}
	wall.set(time.Hour)
	s := start(t, Config{time: wall})
	for _, r := range []*http.Request{
		httptest.NewRequest(http.MethodGet, "/api/v1/query?query=time()", nil),
		httptest.NewRequest(http.MethodPost, "/api/v1/query", strings.NewReader(url.Values{"query": {"time()"}}.Encode())),
	} {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		var answer struct{ Data struct{ Result [2]any } }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%s: %v: %s", r.Method, err, w.Body)
		}
		at, ok := answer.Data.Result[0].(float64)
		if d := s.Now().Unix() - int64(at); !ok || d < -1 || d > 10 {
			t.Errorf("%s: at %v, %d s from the store's time", r.Method, at, d)
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
			query := url.Values{"query": {"count_over_time(vector(1)[1h:100ms])"}, "start": {fmt.Sprint(s.Now().Add(-time.Hour).Unix())}, "end": {fmt.Sprint(s.Now().Unix())}, "step": {"10"}}
			s.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/api/v1/query_range?"+query.Encode(), nil))
		})
	}
	asked, sent := svc.asked.Load(), len(box.of("CPUHigh"))
	eventually(t, "scrapes and messages go on", func() bool { return svc.asked.Load() > asked+5 && len(box.of("CPUHigh")) > sent+1 })
	wg.Wait()
	_, err := s.Query(t.Context(), "count_over_time(vector(1)[6h:1ms])", s.Now())
	if tooMany := promql.ErrTooManySamples(""); !errors.As(err, &tooMany) {
		t.Errorf("got %v, want too many samples", err)
	}
}

func TestAfterStop(t *testing.T) {
	t.Parallel()
	svc := newService()
	svc.set("x", 1)
	s := start(t, Config{Dir: t.TempDir(), Metrics: svc})
	eventually(t, "samples", func() bool { _, ok := value(t, s, "x"); return ok })
	block(t, s)
	stop(t, s)
	stop(t, s)
	_, _ = s.Query(t.Context(), "x", s.Now()) // an error, or what is in memory
	_ = s.Status()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/query?query=x", nil))
	if w.Code == 0 {
		t.Error("no answer")
	}
}
