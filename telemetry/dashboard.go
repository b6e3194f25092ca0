package telemetry

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/profiles"
)

// The JSON of /metrics-dashboard. Field names are stable: they are only added.
// A figure that there is no data for is null, a list without entries is empty.
// Durations are in seconds. What is said of a window is about the last
// window_seconds, a minute or two while somebody looks regularly.
type (
	dashboard struct {
		Domain        string         `json:"domain"` // the prefix
		App           string         `json:"app"`
		Entity        string         `json:"entity"`
		Version       string         `json:"version"`
		Revision      string         `json:"revision"`
		UptimeSeconds float64        `json:"uptime_seconds"`
		SystemStatus  string         `json:"system_status"` // healthy, degraded or unhealthy
		Reasons       []string       `json:"reasons"`       // why it is not healthy
		WindowSeconds float64        `json:"window_seconds"`
		System        systemPart     `json:"system"`
		Endpoints     []endpointPart `json:"endpoints"` // by the time spent in them
		Functions     []functionPart `json:"functions"` // of Monitor, by the time spent in them
		Events        []eventPart    `json:"events"`    // one entry a series
		Errors        []eventPart    `json:"errors"`    // of APIError, those that happened
		Advice        []string       `json:"advice"`    // of the profile, what to look at first
		Problems      []string       `json:"problems"`  // what telemetry itself could not do
		History       *historyPart   `json:"history,omitempty"`
	}
	// historyPart is there on request, by ?history=1: the last minutes, as far
	// back as somebody asked for metrics or the dashboard.
	historyPart struct {
		At     []float64             `json:"at"` // seconds since 1970, the oldest first
		All    *linesPart            `json:"all"`
		Events map[string][]*float64 `json:"events"` // a minute, or the level of what has one
	}
	systemPart struct {
		CPUPercent        *float64 `json:"cpu_percent"`
		MemoryBytes       *float64 `json:"memory_bytes"`
		DiskPercent       *float64 `json:"disk_percent"`
		ActiveRequests    int64    `json:"active_requests"`
		ActiveConnections int64    `json:"active_connections"`
	}
	// endpointPart is one endpoint and method.
	endpointPart struct {
		Endpoint string `json:"endpoint"`
		Method   string `json:"method"`
		Requests int64  `json:"requests"` // since the start
		Errors   int64  `json:"errors"`   // status 5xx, since the start

		PerSecond      float64 `json:"requests_per_second"`
		PerSecondStart float64 `json:"requests_per_second_since_start"`
		ratePart
		Profile  *topPart         `json:"profile"`  // of the endpoint, all its methods
		Statuses map[string]int64 `json:"statuses"` // since the start
		Failures []failurePart    `json:"failures"` // of the endpoint, all its methods, since the start; the most frequent first
		Slowest  *tracedPart      `json:"slowest"`  // the slowest request that left a trace
		History  *linesPart       `json:"history,omitempty"`

		duration *histogram
	}
	// failurePart is a function that answered with a status of 400 or more.
	failurePart struct {
		Site   string `json:"site"`
		Status string `json:"status"`
		Count  int64  `json:"count"`
	}
	tracedPart struct {
		TraceID string    `json:"trace_id"`
		Seconds float64   `json:"seconds"`
		At      time.Time `json:"at"`
	}
	// functionPart is one monitored function.
	functionPart struct {
		Function string `json:"function"`
		Calls    int64  `json:"calls"`  // since the start
		Errors   int64  `json:"errors"` // since the start

		PerSecond      float64 `json:"calls_per_second"`
		PerSecondStart float64 `json:"calls_per_second_since_start"`
		ratePart
	}
	// ratePart is over the window.
	ratePart struct {
		ErrorRatio  *float64 `json:"error_ratio"`
		P50         *float64 `json:"p50_seconds"`
		P95         *float64 `json:"p95_seconds"`
		P99         *float64 `json:"p99_seconds"`
		TimeSeconds float64  `json:"time_seconds"` // spent in them

		recent, failed int64 // of the window
	}
	// topPart is what the last minutes' profile says of an endpoint. Shares are
	// of the process, 0 to 1.
	topPart struct {
		CPUShare       float64              `json:"cpu_share"`
		AllocShare     float64              `json:"alloc_share"`
		Functions      []profiles.Function  `json:"functions"`       // own code by CPU seconds
		AllocFunctions []profiles.Function  `json:"alloc_functions"` // own code by bytes allocated
		Waits          []profiles.WaitPlace `json:"waits"`
		Advice         []string             `json:"advice"`
	}
	eventPart struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
		Value  float64           `json:"value"`           // a histogram's is its sum
		Count  *uint64           `json:"count,omitempty"` // of a histogram
	}
)

func (t *Telemetry) serveDashboard(w http.ResponseWriter, r *http.Request) {
	t.remember()
	d := t.dashboard(r.Context())
	if r.FormValue("history") != "" {
		t.lines(&d)
	}
	writeJSON(w, http.StatusOK, d)
}

func (t *Telemetry) dashboard(ctx context.Context) dashboard {
	now := t.read()
	before := t.snapshots.compare(now, t.started)
	uptime, window := now.at.Sub(t.started).Seconds(), now.at.Sub(before.at).Seconds()
	host := t.host.read()
	d := dashboard{
		Domain: t.cfg.Domain.Prefix, App: t.cfg.Domain.Service(), Entity: t.cfg.Domain.Entity,
		Version: t.build.version, Revision: t.build.revision, UptimeSeconds: uptime, WindowSeconds: window,
		System:  systemPart{host.cpu, host.memory, host.disk, t.activeRequests.Load(), t.activeConnections.Load()},
		Reasons: []string{}, Endpoints: []endpointPart{}, Functions: []functionPart{}, Events: []eventPart{}, Errors: []eventPart{},
		Advice: []string{}, Problems: t.diagnostics.problems.list(),
	}
	perSecond := func(n int64, seconds float64) float64 { return float64(n) / max(seconds, 1) }
	for m := range t.routes.each {
		state := now.of[m.duration]
		if state.count == 0 && m.endpoint == domain.Unmatched {
			continue
		}
		rates := rates(m.duration, state, before.of[m.duration])
		d.Endpoints = append(d.Endpoints, endpointPart{
			Endpoint: m.endpoint, Method: m.method, Requests: state.count, Errors: state.errors,
			PerSecond: perSecond(rates.recent, window), PerSecondStart: perSecond(state.count, uptime), ratePart: rates,
			Statuses: m.byStatus(), Failures: m.of.mostFailures(), Slowest: m.duration.slowest(), duration: m.duration,
		})
	}
	slices.SortFunc(d.Endpoints, func(a, b endpointPart) int {
		return cmp.Or(cmp.Compare(b.TimeSeconds, a.TimeSeconds), cmp.Compare(a.Endpoint, b.Endpoint), cmp.Compare(a.Method, b.Method))
	})
	for _, f := range t.functions.all() {
		state := now.of[f.duration]
		rates := rates(f.duration, state, before.of[f.duration])
		d.Functions = append(d.Functions, functionPart{
			Function: f.name, Calls: state.count, Errors: state.errors,
			PerSecond: perSecond(rates.recent, window), PerSecondStart: perSecond(state.count, uptime), ratePart: rates,
		})
	}
	slices.SortFunc(d.Functions, func(a, b functionPart) int {
		return cmp.Or(cmp.Compare(b.TimeSeconds, a.TimeSeconds), cmp.Compare(a.Function, b.Function))
	})
	for i := range t.families {
		f := &t.families[i]
		switch {
		case f.Event != nil, f.Key == "entities_created", f.Key == "entities_updated":
			d.Events = append(d.Events, eventParts(f)...)
		case f.Key == "api_errors":
			d.Errors = slices.DeleteFunc(eventParts(f), func(e eventPart) bool { return e.Value == 0 })
		}
	}
	d.profile(t.reports.read(ctx, t.profiler))
	d.judge(t.checkReady(ctx))
	return d
}

// maxFailureParts is how many functions that failed an endpoint has.
const maxFailureParts = 10

func (m *routeMethod) byStatus() map[string]int64 {
	counts := map[string]int64{}
	for _, s := range m.statuses.all() {
		counts[statusText(s.key)] = s.n.Load()
	}
	return counts
}

func (r *route) mostFailures() []failurePart {
	list := []failurePart{}
	r.eachFailure(func(p point) bool {
		f := failurePart{Count: p.n}
		for _, l := range p.labels.pairs {
			switch l.GetName() {
			case "site":
				f.Site = l.GetValue()
			case "status":
				f.Status = l.GetValue()
			}
		}
		list = append(list, f)
		return true
	})
	slices.SortFunc(list, func(a, b failurePart) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Site, b.Site), cmp.Compare(a.Status, b.Status))
	})
	return list[:min(len(list), maxFailureParts)]
}

// slowest is the exemplar of the highest bucket that has one.
func (h *histogram) slowest() *tracedPart {
	for i := range slices.Backward(h.exemplars) {
		if e := h.exemplars[i].Load(); e != nil {
			return &tracedPart{e.span.TraceID().String(), e.value, e.at}
		}
	}
	return nil
}

// rates compares two readings of one series.
func rates(h *histogram, now, before redSnapshot) ratePart {
	part := ratePart{recent: now.count - before.count, failed: now.errors - before.errors, TimeSeconds: now.sum - before.sum}
	if part.recent > 0 {
		part.ErrorRatio = new(float64(part.failed) / float64(part.recent))
	}
	counts := slices.Clone(now.buckets)
	for i := range before.buckets {
		counts[i] -= before.buckets[i]
	}
	part.P50 = quantile(0.50, h.bounds, counts)
	part.P95 = quantile(0.95, h.bounds, counts)
	part.P99 = quantile(0.99, h.bounds, counts)
	return part
}

func eventParts(f *family) []eventPart {
	parts := []eventPart{}
	for p := range f.points {
		part := eventPart{Name: f.Key, Labels: map[string]string{}, Value: p.value + float64(p.n)} // one of the two is 0
		for _, l := range p.labels.pairs {
			part.Labels[l.GetName()] = l.GetValue()
		}
		if p.hist != nil {
			total, sum := p.hist.read(make([]uint64, len(p.hist.buckets)))
			part.Value, part.Count = sum, &total // finite, or JSON could not say it: huge values are refused
		}
		parts = append(parts, part)
	}
	return parts
}

// profile adds what the profile of the last minutes says, if there is one.
func (d *dashboard) profile(report *continuous.Report) {
	if report == nil {
		return
	}
	d.Advice = orEmpty(report.Advice)
	tops := make(map[string]*topPart, len(report.Endpoints))
	for i := range report.Endpoints {
		u := &report.Endpoints[i]
		tops[u.Name] = &topPart{
			u.CPUShare, u.AllocShare, orEmpty(u.CPU.Own), orEmpty(u.Allocations.Own), orEmpty(u.Waits.Places), orEmpty(u.Advice),
		}
	}
	for i := range d.Endpoints {
		d.Endpoints[i].Profile = tops[d.Endpoints[i].Endpoint]
	}
}

// orEmpty makes a list one that JSON has as [].
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// An endpoint is called failing from this ratio of 5xx on, and the service
// down from that. Of fewer requests nothing is said.
const (
	degradedRatio  = 0.05
	unhealthyRatio = 0.5
	judgedRequests = 20
)

// judge says how the service is, and why.
func (d *dashboard) judge(ready map[string]string) {
	d.SystemStatus = "healthy"
	var all, failed int64
	for _, e := range d.Endpoints {
		all, failed = all+e.recent, failed+e.failed
		if e.recent >= judgedRequests && *e.ErrorRatio >= degradedRatio {
			d.SystemStatus = "degraded"
			d.Reasons = append(d.Reasons, fmt.Sprintf("%s %s answers %.0f %% of its requests with 5xx", e.Method, e.Endpoint, *e.ErrorRatio*100))
		}
	}
	if ratio := float64(failed) / max(float64(all), 1); all >= judgedRequests && ratio >= unhealthyRatio {
		d.SystemStatus = "unhealthy"
		d.Reasons = append(d.Reasons, fmt.Sprintf("%.0f %% of all requests are answered with 5xx", ratio*100))
	}
	for name, failure := range ready {
		if failure != "" {
			d.SystemStatus = "unhealthy"
			d.Reasons = append(d.Reasons, fmt.Sprintf("not ready: %s: %s", name, failure))
		}
	}
	slices.Sort(d.Reasons)
}
