package profiles

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// sample is one of a goroutine or heap profile: its values, a label, and functions
// from the innermost, each at a line.
func sample(values []int64, label, value string, functions ...string) *profile.Sample {
	s := &profile.Sample{Value: values}
	if label != "" {
		s.Label = map[string][]string{label: {value}}
	}
	for _, f := range functions {
		var name string
		var line int64
		_, _ = fmt.Sscanf(f, "%s %d", &name, &line)
		s.Location = append(s.Location, &profile.Location{Line: []profile.Line{{Function: &profile.Function{Name: name, Filename: "/src/shop/shop.go"}, Line: line}}})
	}
	return s
}

// TestReportOfOddSamples: a sample that counts for nothing costs only itself, and
// of a function the line is named that costs the most in all its samples.
func TestReportOfOddSamples(t *testing.T) {
	b := NewBuilder("tienda-api")
	start := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	b.Covers(start, start.Add(10*time.Second), 10*time.Second)
	waits := &profile.Profile{SampleType: []*profile.ValueType{{Type: "goroutine", Unit: "count"}}, Comments: []string{"rounds=1"}}
	for range 3 {
		waits.Sample = append(waits.Sample,
			sample([]int64{5}, "", "", "runtime.gopark 1", "main.idle 1"), // of no request
			sample([]int64{1}, LabelStartedBy, "POST /a", "runtime.gopark 1", "main.mailer 10"),
			sample([]int64{1}, LabelEndpoint, "/a", "runtime.gopark 1", "time.Sleep 2", "main.list 10"))
	}
	waits.Sample = append(waits.Sample, sample([]int64{2}, LabelStartedBy, "POST /a", "runtime.gopark 1", "main.mailer 20"))
	b.AddWaits(waits)
	heap := &profile.Profile{SampleType: []*profile.ValueType{{Type: "alloc_objects", Unit: "count"}, {Type: "alloc_space", Unit: "bytes"}, {Type: "inuse_space", Unit: "bytes"}}}
	heap.Sample = append(heap.Sample, sample([]int64{0, 0, 700}, "", "", "main.cache 3")) // of before
	for range 3 {
		heap.Sample = append(heap.Sample, sample([]int64{1, 100, 0}, "", "", "main.list 10"))
	}
	heap.Sample = append(heap.Sample, sample([]int64{1, 200, 0}, "", "", "main.list 20"))
	b.AddHeap(heap, Endpoints{}, true)
	r := b.Finish(10, nil)
	if len(r.Started) != 1 || r.Started[0].Line != 10 || r.Started[0].Goroutines != 5 {
		t.Errorf("started %+v", r.Started)
	}
	if len(r.Endpoints) != 1 || r.Endpoints[0].Waits.Seen != 3 || r.Endpoints[0].Waits.Places[0].Function != "main.list" {
		t.Errorf("endpoints %+v", r.Endpoints)
	}
	if p := r.Process; p.AllocBytes != 500 || p.AllocObjects != 4 || len(p.Allocations.Own) != 1 || p.Allocations.Own[0].Line != 10 || p.Allocations.Self[0].Line != 10 {
		t.Errorf("allocations %+v", p.Allocations)
	}
	if len(r.InUse.Own) != 1 || r.InUse.Own[0].Function != "main.cache" || r.InUse.Own[0].Self != 700 {
		t.Errorf("in use %+v", r.InUse)
	}
}
