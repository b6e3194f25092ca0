package telemetry

import (
	"iter"
	"slices"
	"strings"
	"time"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// ownFamilies ties each metric of the contract to the state that it reads. A
// metric without a line here is another library's (the Go runtime's).
func (t *Telemetry) ownFamilies() []family {
	points := map[string]iter.Seq[point]{
		"requests": func(yield func(point) bool) {
			for m := range t.routes.each {
				if !m.statuses.yield(yield) {
					return
				}
			}
		},
		"response_duration": func(yield func(point) bool) {
			for m := range t.routes.each {
				if !yield(point{labels: m.duration.labels, hist: m.duration}) {
					return
				}
			}
		},
		"requests_gone_time": func(yield func(point) bool) {
			for _, r := range t.routes.all() {
				if n := r.gone.Load(); n != 0 && !yield(point{labels: r.labels, value: time.Duration(n).Seconds()}) {
					return
				}
			}
		},
		"failures": func(yield func(point) bool) {
			for _, r := range t.routes.all() {
				if !r.eachFailure(yield) {
					return
				}
			}
		},
		"client_requests": func(yield func(point) bool) {
			for _, p := range t.peers.all() {
				for i, labels := range p.statuses {
					if !yield(point{labels: labels, n: p.requests[i].Load()}) {
						return
					}
				}
			}
		},
		"client_duration": func(yield func(point) bool) {
			for _, p := range t.peers.all() {
				if !yield(point{labels: p.duration.labels, hist: p.duration}) {
					return
				}
			}
		},
		"function_calls": func(yield func(point) bool) {
			for _, f := range t.functions.all() {
				if !f.calls.yield(yield) {
					return
				}
			}
		},
		"function_duration": func(yield func(point) bool) {
			for _, f := range t.functions.all() {
				if !yield(point{labels: f.duration.labels, hist: f.duration}) {
					return
				}
			}
		},
		"api_errors":         func(yield func(point) bool) { t.apiErrors.yield(yield) },
		"changes":            func(yield func(point) bool) { t.changes.yield(yield) },
		"active_connections": one(t.activeConnections.Load),
		"active_requests":    one(t.activeRequests.Load),
		"entities_created":   one(t.entitiesCreated.Load),
		"entities_updated":   one(t.entitiesUpdated.Load),
		"cpu_usage":          t.sampledHost(func(s *hostSample) *float64 { return s.cpu }),
		"memory_usage":       t.sampledHost(func(s *hostSample) *float64 { return s.memory }),
		"disk_usage":         t.sampledHost(func(s *hostSample) *float64 { return s.disk }),
		"build_info":         t.buildInfo(),

		"process_cpu_time":                t.sampledHost(func(s *hostSample) *float64 { return s.process.cpu }),
		"process_memory_usage":            t.sampledHost(func(s *hostSample) *float64 { return s.process.resident }),
		"process_open_fds":                t.sampledHost(func(s *hostSample) *float64 { return s.process.files }),
		"process_max_fds":                 t.sampledHost(func(s *hostSample) *float64 { return s.process.maxFiles }),
		"process_threads":                 t.sampledHost(func(s *hostSample) *float64 { return s.process.threads }),
		"process_stalled_time":            sampled(t.stalledTime),
		"process_start_time":              t.sampledHost(func(s *hostSample) *float64 { return s.process.start }),
		"container_cpu_time":              t.sampledHost(func(s *hostSample) *float64 { return s.container.cpu }),
		"container_cpu_limit":             t.sampledHost(func(s *hostSample) *float64 { return s.container.cpuLimit }),
		"container_cpu_periods":           t.sampledHost(func(s *hostSample) *float64 { return s.container.periods }),
		"container_cpu_throttled_periods": t.sampledHost(func(s *hostSample) *float64 { return s.container.throttled }),
		"container_cpu_throttled_time":    t.sampledHost(func(s *hostSample) *float64 { return s.container.throttledTime }),
		"container_memory_working_set":    t.sampledHost(func(s *hostSample) *float64 { return s.container.memory }),
		"container_memory_limit":          t.sampledHost(func(s *hostSample) *float64 { return s.container.memoryLimit }),
		"container_memory_oom_kills":      t.sampledHost(func(s *hostSample) *float64 { return s.container.kills }),

		"go_cpu_time":         runtimePoints("go.cpu.state", runtimeCPU),
		"go_goroutine_states": runtimePoints("go.goroutine.state", runtimeGoroutines),
		"go_mutex_wait_time":  runtimePoints("", runtimeMutexWait),
		"go_memory_live":      runtimePoints("", runtimeLiveHeap),

		"pool_connections":     t.pools.points((*pool).connections),
		"pool_connections_max": t.pools.points((*pool).most),
		"pool_waits":           t.pools.points((*pool).waits),
		"pool_wait_time":       t.pools.points((*pool).waited),

		"event_cpu":       t.costs.points(func(c eventCost) *float64 { return c.cpu }),
		"event_allocated": t.costs.points(func(c eventCost) *float64 { return c.allocated }),

		"telemetry_refused":           byValue([]string{"reason"}, reasons(refusedReasons[:]), func(i int) int64 { return t.diagnostics.refusals[i].Load() }),
		"telemetry_collect_errors":    byValue([]string{"reason"}, reasons(collectReasons[:]), func(i int) int64 { return t.diagnostics.collectErrors[i].Load() }),
		"telemetry_exports":           byValue([]string{"signal", "outcome"}, exportSeries, t.exports),
		"telemetry_spans_lost":        byValue([]string{"reason"}, reasons(lostReasons[:]), func(i int) int64 { return t.diagnostics.spansLost[i].Load() }),
		"telemetry_profiles_dropped":  one(func() int64 { return int64(t.profiler.Stats().Dropped) }),
		"telemetry_profiles_gaps":     one(func() int64 { return int64(t.profiler.Stats().Gaps) }),
		"telemetry_profiles_buffered": sampled(func() *float64 { return new(float64(t.profiler.Stats().RingBytes)) }),
	}
	var families []family
	for _, m := range t.cfg.Domain.Metrics() {
		f := family{Metric: m, points: points[m.Key]}
		if m.Event != nil {
			e := t.events.find(m.Key)
			f.points, f.observed = e.points, e.observed
			for _, was := range m.Was {
				families = append(families, family{Metric: was, points: until(was.Until, e.points)})
			}
		}
		if f.points != nil {
			families = append(families, f)
		}
	}
	slices.SortFunc(families, func(a, b family) int { return strings.Compare(a.Family, b.Family) })
	return families
}

// until is what there is until a time.
func until(end time.Time, points iter.Seq[point]) iter.Seq[point] {
	return func(yield func(point) bool) {
		if time.Now().Before(end) {
			points(yield)
		}
	}
}

// exportSeries are the values of signal and outcome.
var exportSeries = [][]string{
	{"metrics", "success"}, {"metrics", "failure"}, {"profiles", "success"}, {"profiles", "failure"}, {"traces", "success"}, {"traces", "failure"},
}

func (t *Telemetry) exports(i int) int64 {
	switch i {
	case 0, 1:
		return t.diagnostics.metricExports[i].Load()
	case 2:
		return int64(t.profiler.Stats().Uploaded)
	case 3:
		return int64(t.profiler.Stats().Failed)
	default:
		return t.diagnostics.spanExports[i-4].Load()
	}
}

// one is a family of a single series without labels.
func one(n func() int64) iter.Seq[point] {
	labels := newLabels(nil, nil)
	return func(yield func(point) bool) { yield(point{labels: labels, n: n()}) }
}

// sampledHost is a figure of the machine, the process or its container.
func (t *Telemetry) sampledHost(figure func(*hostSample) *float64) iter.Seq[point] {
	return sampled(func() *float64 {
		s := t.host.read()
		return figure(&s)
	})
}

// stalledTime is measured by the profiler, and by nobody where that is off.
func (t *Telemetry) stalledTime() *float64 {
	if t.profiler.Interval() == 0 {
		return nil
	}
	return new(t.profiler.Stats().Stalled.Seconds())
}

// sampled is a gauge without labels; where there is no value, no series.
func sampled(value func() *float64) iter.Seq[point] {
	labels := newLabels(nil, nil)
	return func(yield func(point) bool) {
		if v := value(); v != nil {
			yield(point{labels: labels, value: *v})
		}
	}
}

// byValue is a counter with a fixed list of series.
func byValue(names []string, values [][]string, n func(i int) int64) iter.Seq[point] {
	labels := make([]*labelSet, len(values))
	for i := range values {
		labels[i] = newLabels(names, values[i])
	}
	return func(yield func(point) bool) {
		for i, l := range labels {
			if !yield(point{labels: l, n: n(i)}) {
				return
			}
		}
	}
}

func reasons(list []string) [][]string {
	values := make([][]string, len(list))
	for i, r := range list {
		values[i] = []string{r}
	}
	return values
}

func (t *Telemetry) buildInfo() iter.Seq[point] {
	labels := newLabels([]string{"version", "revision", "goversion", string(semconv.ServiceInstanceIDKey)}, []string{t.build.version, t.build.revision, t.build.goVersion, instanceOf(t.resource)})
	return func(yield func(point) bool) { yield(point{labels: labels, value: 1}) }
}
