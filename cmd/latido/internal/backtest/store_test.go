package backtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	engine "github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
)

// past is a Prometheus' past: its engine on its store, behind the part of its
// API that backtest asks. The first sample is at the Unix epoch.
type past struct {
	t       *testing.T
	storage storage.Storage
	engine  *engine.Engine
	now     time.Time
	most    int               // points of a series in an answer; 0 is Prometheus' 11,000
	broken  map[string]string // expressions with this in them, and the error
	rules   string            // what /api/v1/rules answers

	mu     sync.Mutex
	ranges int // range queries that were answered
	longer int // and refused
}

// newPast loads series in promtool's notation, with a sample every interval.
func newPast(t *testing.T, interval, length time.Duration, series string) *past {
	t.Helper()
	s := promqltest.LoadedStorage(t, "load "+interval.String()+"\n"+series)
	t.Cleanup(func() { _ = s.Close() })
	return &past{t: t, storage: s, now: time.Unix(0, 0).Add(length), engine: promqltest.NewTestEngine(t, false, 5*time.Minute, 50_000_000)}
}

// backtest runs latido backtest on it, with the domain file of the tests.
func (p *past) backtest(args ...string) (code int, stdout, stderr string) {
	server := httptest.NewServer(p)
	defer server.Close()
	code, stdout, stderr = latido(append([]string{"backtest", "-url", server.URL, "testdata/backtest.yaml"}, args...)...)
	return code, strings.ReplaceAll(stdout, server.URL, "URL"), strings.ReplaceAll(stderr, server.URL, "URL")
}

func (p *past) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	expr := r.FormValue("query")
	refuse := func(text string) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(map[string]string{"status": "error", "errorType": "execution", "error": text})
	}
	for part, text := range p.broken {
		if strings.Contains(expr, part) {
			refuse(text)
			return
		}
	}
	var q engine.Query
	var err error
	switch r.URL.Path {
	case "/api/v1/query":
		q, err = p.engine.NewInstantQuery(r.Context(), p.storage, nil, expr, p.now)
	case "/api/v1/query_range":
		from, to, step := number(p.t, r, "start"), number(p.t, r, "end"), number(p.t, r, "step")
		points := int((to - from) / step)
		p.mu.Lock()
		if points > cmp.Or(p.most, 11_000) {
			p.longer++
			p.mu.Unlock()
			text := "exceeded maximum resolution of 11,000 points per timeseries"
			if p.most > 0 {
				text = "query processing would load too many samples into memory in query execution"
			}
			refuse(text)
			return
		}
		p.ranges++
		p.mu.Unlock()
		at := func(s float64) time.Time { return time.UnixMilli(int64(s * 1000)) }
		q, err = p.engine.NewRangeQuery(r.Context(), p.storage, nil, expr, at(from), at(to), time.Duration(step*float64(time.Second)))
	case "/api/v1/rules":
		fmt.Fprint(w, cmp.Or(p.rules, `{"status":"success","data":{"groups":[]}}`))
		return
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		refuse(err.Error())
		return
	}
	defer q.Close()
	result := q.Exec(r.Context())
	if result.Err != nil {
		refuse(result.Err.Error())
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": result.Value.Type(), "result": result.Value}})
}

func number(t *testing.T, r *http.Request, name string) float64 {
	v, err := strconv.ParseFloat(r.FormValue(name), 64)
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	return v
}

// clock is a moment of the past, as backtest writes it.
func clock(d time.Duration) string { return minute(time.Unix(0, 0).Add(d)) }
