package continuous

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// TestHeaviest keeps what has the largest share of any total, with its name, and
// adds up the rest.
func TestHeaviest(t *testing.T) {
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}, {Type: "nothing", Unit: "count"}}}
	for i, c := range []struct {
		name         string
		count, nanos int64
	}{{"main.light", 1, 1e6}, {"main.often", 90, 40e6}, {"main.long", 9, 59e6}, {"main.last", 0, 1e6}} {
		f := &profile.Function{ID: uint64(i + 1), Name: c.name}
		l := &profile.Location{ID: uint64(i + 1), Line: []profile.Line{{Function: f}}}
		p.Function, p.Location = append(p.Function, f), append(p.Location, l)
		p.Sample = append(p.Sample, &profile.Sample{Location: []*profile.Location{l}, Value: []int64{c.count, c.nanos, 0}})
	}
	for n, want := range map[int]string{1: "_other 10, main.often 90", 2: "_other 1, main.long 9, main.often 90", 3: "_other 0, main.light 1, main.long 9, main.often 90"} {
		small, err := heaviestSamples(p.Copy(), n)
		if err != nil || small.CheckValid() != nil {
			t.Fatalf("%v, %v", err, small.CheckValid())
		}
		var got []string
		for _, s := range small.Sample {
			got = append(got, fmt.Sprintf("%s %d", s.Location[0].Line[0].Function.Name, s.Value[0]))
		}
		if slices.Sort(got); strings.Join(got, ", ") != want {
			t.Errorf("of the %d heaviest: %q, want %s", n, got, want)
		}
	}
}

// TestCoarseBound: the coarse captures are as large as they say, within their
// bound, and as old as they may be.
func TestCoarseBound(t *testing.T) {
	const size = 1000 - captureOverhead
	start := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	at := func(minute int) capture {
		from := start.Add(time.Duration(minute) * time.Minute)
		return capture{kindCPU, from, from.Add(time.Minute), make([]byte, size)}
	}
	for name, c := range map[string]struct {
		ring *ring
		want int
	}{
		"bytes": {&ring{maxBytes: 1 << 20, coarseBytes: 5000, keep: time.Hour, coarseKeep: time.Hour}, 5},
		"time":  {&ring{maxBytes: 1 << 20, coarseBytes: 1 << 20, keep: 2 * time.Minute, coarseKeep: 5 * time.Minute}, 8}, // that which ended 7 minutes ago too
	} {
		for minute := range 20 {
			c.ring.newest = start.Add(time.Duration(minute+1) * time.Minute)
			coarse := at(minute)
			c.ring.exchange(nil, &coarse)
			size, _ := c.ring.size()
			if want := min(minute+1, c.want); len(c.ring.coarse) != want || size != 1000*want {
				t.Fatalf("%s: after %d minutes %d captures of %d bytes, want %d", name, minute+1, len(c.ring.coarse), size, want)
			}
		}
	}
}
