package telemetry

import (
	"iter"
	"runtime/metrics"
)

// runtimeFigure is one figure of the Go runtime, and the attribute value that
// its series has; "" for a metric of a single series.
type runtimeFigure struct{ value, name string }

// What the Go runtime says of where its processors' time and its goroutines
// are. OpenTelemetry's instrumentation of the runtime has none of them; go.cpu.time
// is named as the semantic conventions have it.
var (
	runtimeCPU = []runtimeFigure{
		{"user", "/cpu/classes/user:cpu-seconds"},
		{"gc", "/cpu/classes/gc/total:cpu-seconds"},
		{"scavenge", "/cpu/classes/scavenge/total:cpu-seconds"},
		{"idle", "/cpu/classes/idle:cpu-seconds"},
	}
	runtimeGoroutines = []runtimeFigure{
		{"running", "/sched/goroutines/running:goroutines"},
		{"runnable", "/sched/goroutines/runnable:goroutines"},
		{"waiting", "/sched/goroutines/waiting:goroutines"},
		{"not_in_go", "/sched/goroutines/not-in-go:goroutines"},
	}
	runtimeMutexWait = []runtimeFigure{{"", "/sync/mutex/wait/total:seconds"}}
	runtimeLiveHeap  = []runtimeFigure{{"", "/gc/heap/live:bytes"}}
)

// runtimePoints are figures of the Go runtime, read together, so that they fit
// each other. One that this runtime does not have has no series.
func runtimePoints(attribute string, figures []runtimeFigure) iter.Seq[point] {
	known := map[string]bool{}
	for _, d := range metrics.All() {
		known[d.Name] = true
	}
	var names []string
	var labels []*labelSet
	for _, f := range figures {
		if !known[f.name] {
			continue
		}
		names = append(names, f.name)
		if attribute == "" {
			labels = append(labels, newLabels(nil, nil))
		} else {
			labels = append(labels, newLabels([]string{attribute}, []string{f.value}))
		}
	}
	return func(yield func(point) bool) {
		samples := make([]metrics.Sample, len(names))
		for i, name := range names {
			samples[i].Name = name
		}
		metrics.Read(samples)
		for i, s := range samples {
			p := point{labels: labels[i]}
			switch s.Value.Kind() {
			case metrics.KindFloat64:
				p.value = s.Value.Float64()
			case metrics.KindUint64:
				p.value = float64(s.Value.Uint64())
			default:
				continue
			}
			if !yield(p) {
				return
			}
		}
	}
}
