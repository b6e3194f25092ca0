package embedded

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/promqltest"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/evidence"
)

// Half an hour of one release: 2 orders and 4 looks at the catalogue a second.
const release = `
  tienda_requests_total{endpoint="/pedidos",status="201"} 0+10x360
  tienda_requests_total{endpoint="/pedidos",status="500"} 0+0x180 0+1x180
  tienda_requests_total{endpoint="/catalogo",status="200"} 0+20x360
  tienda_requests_total{endpoint="/rara",status="200"} 0+0x300 0+1x12
  tienda_response_duration_seconds_bucket{endpoint="/pedidos",le="0.1"} 0+0x360
  tienda_response_duration_seconds_bucket{endpoint="/pedidos",le="0.2"} 0+10x360
  tienda_response_duration_seconds_bucket{endpoint="/pedidos",le="+Inf"} 0+10x360
  tienda_event_cpu_seconds{event="pedidos_procesados"} 0.004x360
  tienda_event_allocated_bytes{event="pedidos_procesados"} 2048x360
`

// The expressions with which a release is measured are real ones of PromQL's:
// what is kept of it at the end are its figures.
func TestReleaseMeasured(t *testing.T) {
	storage := promqltest.LoadedStorage(t, "load 5s\n"+strings.Trim(release, "\n"))
	t.Cleanup(func() { _ = storage.Close() })
	engine := promqltest.NewTestEngine(t, false, 5*time.Minute, 1e6)
	query := func(ctx context.Context, expr string, at time.Time) (samples []evidence.Sample, err error) {
		q, err := engine.NewInstantQuery(ctx, storage, nil, expr, at)
		if err != nil {
			return nil, err
		}
		defer q.Close()
		vector, err := q.Exec(ctx).Vector()
		for _, v := range vector {
			samples = append(samples, evidence.Sample{Labels: v.Metric.Map(), Value: v.F, At: time.UnixMilli(v.T)})
		}
		return samples, err
	}
	type red struct {
		Rate       float64 `json:"rate"`
		ErrorRatio float64 `json:"error_ratio"`
		P95        float64 `json:"p95_seconds"`
	}
	measured := func(began time.Duration) (m struct {
		From, To  time.Time
		Requests  float64
		Endpoints map[string]red
		Events    map[string]struct {
			CPU       float64 `json:"cpu_seconds"`
			Allocated float64 `json:"allocated_bytes"`
		}
	}) {
		t.Helper()
		var now atomic.Int64
		now.Store(int64(began))
		dir := t.TempDir()
		r, err := evidence.Start(t.Context(), evidence.Config{
			Domain: domain.Domain{Prefix: "tienda"}, Query: query, Dir: dir, Version: "1.4.1",
			Now: func() time.Time { return time.UnixMilli(0).Add(time.Duration(now.Load())) },
		})
		if err != nil {
			t.Fatal(err)
		}
		now.Store(int64(1500 * time.Second))
		if err := r.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, "releases", "current.json"))
		if err == nil {
			err = json.Unmarshal(data, &m)
		}
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := measured(0)
	orders := m.Endpoints["/pedidos"]
	if orders.Rate < 2.1 || orders.Rate > 2.3 || orders.ErrorRatio < 0.08 || orders.ErrorRatio > 0.1 || orders.P95 < 0.19 || orders.P95 > 0.2 {
		t.Errorf("/pedidos %+v, want 2.2 a second, 9 %% errors, 195 ms", orders)
	}
	if _, ok := m.Endpoints["/rara"]; ok || len(m.Endpoints) != 2 {
		t.Errorf("endpoints %v: one with a handful of requests says nothing", m.Endpoints)
	}
	if e := m.Events["pedidos_procesados"]; e.CPU != 0.004 || e.Allocated != 2048 || m.Requests < 3500 || m.To.Sub(m.From) != 10*time.Minute {
		t.Errorf("%+v", m)
	}
	// One that began shortly before answers for its own time only.
	if m := measured(1500*time.Second - 2*time.Minute); m.To.Sub(m.From) != 2*time.Minute {
		t.Errorf("two minutes: %+v", m)
	}
}
