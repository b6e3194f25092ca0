package telemetry

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
)

var (
	worked float64
	held   []byte
)

// order is an endpoint that costs CPU time and memory, and counts its event.
//
//go:noinline
func order(w http.ResponseWriter, _ *http.Request) {
	for i := range 4_000_000 {
		worked += float64(i) * 1.000001
	}
	held = make([]byte, 1<<20)
	w.WriteHeader(http.StatusCreated)
}

func TestEventCost(t *testing.T) {
	tel := start(t, func(c *Config) {
		c.Domain.Events = []domain.Event{
			{Name: "pedidos_procesados", Endpoint: "/pedidos", Attributes: map[string][]string{"canal": {"web", "movil"}}},
			{Name: "envios", Endpoint: "/envios"}, {Name: "sin_ruta"},
		}
		c.Profiling = continuous.Config{Interval: 50 * time.Millisecond}
	})
	counter := tel.Counter("pedidos_procesados")
	mux := tel.NewServeMux()
	mux.HandleFunc("POST /pedidos", func(w http.ResponseWriter, r *http.Request) {
		order(w, r)
		counter.With("canal", "web").Add(1)
	})
	if none := scrape(t, tel).of("tienda_event_cpu_seconds"); len(none) != 0 {
		t.Errorf("%v without an event", none)
	}
	var cpu, allocated series
	took, n := time.Duration(0), 0
	eventually(t, "the cost of an event", func() bool {
		for range 10 {
			began := time.Now()
			mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/pedidos", nil))
			took += time.Since(began)
			n++
		}
		now := scrape(t, tel)
		cpu, allocated = now.of("tienda_event_cpu_seconds"), now.of("tienda_event_allocated_bytes")
		return n >= 200 && len(cpu) > 0 && len(allocated) > 0
	})
	mean := took.Seconds() / float64(n)
	if v := cpu[`tienda_event_cpu_seconds{event="pedidos_procesados"}`]; v < mean/5 || v > mean*2 || len(cpu) != 1 {
		t.Errorf("%v, and a request takes %v s", cpu, mean)
	}
	// The heap profile samples one allocation in some, and is as old as the last garbage collection.
	if v := allocated[`tienda_event_allocated_bytes{event="pedidos_procesados"}`]; v < 1<<18 || v > 1<<22 || len(allocated) != 1 {
		t.Errorf("%v, and a request allocates a mebibyte", allocated)
	}
}

// Neither without profiles nor without an endpoint does anything run.
func TestNoCost(t *testing.T) {
	if tel := start(t, func(c *Config) { c.Domain.Events[0].Endpoint = "/pedidos" }); tel.costs != nil {
		t.Error("costs without profiles")
	}
	if tel := start(t, func(c *Config) { c.Profiling = continuous.Config{Interval: time.Second} }); tel.costs != nil {
		t.Error("costs without an endpoint")
	}
}

// What was used and what was counted are of the same time, and gaps in the CPU
// profile are no thrift.
func TestCostWork(t *testing.T) {
	at := time.Now()
	reading := func(after, profiled time.Duration, cpu, bytes float64, count int64) costReading {
		return costReading{at: at.Add(after), profiled: profiled, used: []continuous.Cost{{CPUSeconds: cpu, AllocBytes: bytes}}, counts: []int64{count}}
	}
	c := &costs{events: make([]costedEvent, 1), readings: []costReading{
		reading(0, 99*time.Second, 99, 99, 1000), // before the range
		reading(30*time.Second, 30*time.Second, 3, 300, 1100),
		reading(60*time.Second, 0, 0, 300, 1200), // a gap
	}}
	got := c.work()[0]
	if got.cpu == nil || *got.cpu != 3.0/30*60/200 || got.allocated == nil || *got.allocated != 3 {
		t.Errorf("%+v, want 30 ms and 3 bytes", got)
	}
	c.readings[2].counts[0] = 1000
	if got := c.work()[0]; got.cpu != nil || got.allocated != nil {
		t.Error("a cost without events")
	}
}
