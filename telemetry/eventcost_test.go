package telemetry

import (
	"testing"
	"time"

	"github.com/latido-dev/latido/continuous"
)

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
	snapshot := func(after, profiled time.Duration, cpu, bytes float64, count int64) costSnapshot {
		return costSnapshot{at: at.Add(after), profiled: profiled, used: []continuous.EndpointCost{{CPUSeconds: cpu, AllocBytes: bytes}}, counts: []int64{count}}
	}
	c := &eventCosts{events: make([]costedEvent, 1), snapshots: []costSnapshot{
		snapshot(0, 99*time.Second, 99, 99, 1000), // before the range
		snapshot(30*time.Second, 30*time.Second, 3, 300, 1100),
		snapshot(60*time.Second, 0, 0, 300, 1200), // a gap
	}}
	got := c.work()[0]
	if got.cpu == nil || *got.cpu != 3.0/30*60/200 || got.allocated == nil || *got.allocated != 3 {
		t.Errorf("%+v, want 30 ms and 3 bytes", got)
	}
	c.snapshots[2].counts[0] = 1000
	if got := c.work()[0]; got.cpu != nil || got.allocated != nil {
		t.Error("a cost without events")
	}
}
