package telemetry

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/figures"
)

func (t *Telemetry) serveDashboard(w http.ResponseWriter, r *http.Request) {
	t.remember()
	d := t.dashboard(r.Context())
	if r.FormValue("history") != "" {
		t.lines(&d)
	}
	writeJSON(w, http.StatusOK, d)
}

func (t *Telemetry) dashboard(ctx context.Context) figures.Dashboard {
	now := t.read()
	before := t.snapshots.compare(now, t.started)
	uptime, window := now.at.Sub(t.started).Seconds(), now.at.Sub(before.at).Seconds()
	host := t.host.read()
	d := figures.Dashboard{
		Domain: t.cfg.Domain.Prefix, App: t.cfg.Domain.Service(), Entity: t.cfg.Domain.Entity,
		Version: t.build.version, Revision: t.build.revision, UptimeSeconds: uptime, WindowSeconds: window,
		System:  figures.System{CPUPercent: host.cpu, MemoryBytes: host.memory, DiskPercent: host.disk, ActiveRequests: t.activeRequests.Load(), ActiveConnections: t.activeConnections.Load()},
		Reasons: []string{}, Endpoints: []figures.Route{}, Functions: []figures.Function{}, Events: []figures.Event{}, Errors: []figures.Event{},
		Advice: []string{}, Problems: t.diagnostics.problems.list(),
	}
	perSecond := func(n int64, seconds float64) float64 { return float64(n) / max(seconds, 1) }
	for m := range t.routes.each {
		state := now.of[m.duration]
		if state.count == 0 && m.endpoint == domain.Unmatched {
			continue
		}
		rates, recent := rates(m.duration, state, before.of[m.duration])
		d.Endpoints = append(d.Endpoints, figures.Route{
			Endpoint: m.endpoint, Method: m.method, Requests: state.count, Errors: state.errors,
			PerSecond: perSecond(recent, window), PerSecondStart: perSecond(state.count, uptime), Rate: rates,
			Statuses: m.byStatus(), Failures: m.of.mostFailures(), Slowest: m.duration.slowest(),
		})
	}
	slices.SortFunc(d.Endpoints, func(a, b figures.Route) int {
		return cmp.Or(cmp.Compare(b.TimeSeconds, a.TimeSeconds), cmp.Compare(a.Endpoint, b.Endpoint), cmp.Compare(a.Method, b.Method))
	})
	for _, f := range t.functions.all() {
		state := now.of[f.duration]
		rates, recent := rates(f.duration, state, before.of[f.duration])
		d.Functions = append(d.Functions, figures.Function{
			Function: f.name, Calls: state.count, Errors: state.errors,
			PerSecond: perSecond(recent, window), PerSecondStart: perSecond(state.count, uptime), Rate: rates,
		})
	}
	slices.SortFunc(d.Functions, func(a, b figures.Function) int {
		return cmp.Or(cmp.Compare(b.TimeSeconds, a.TimeSeconds), cmp.Compare(a.Function, b.Function))
	})
	for i := range t.families {
		f := &t.families[i]
		switch {
		case f.Event != nil, f.Key == "entities_created", f.Key == "entities_updated":
			d.Events = append(d.Events, eventParts(f)...)
		case f.Key == "api_errors":
			d.Errors = slices.DeleteFunc(eventParts(f), func(e figures.Event) bool { return e.Value == 0 })
		}
	}
	addProfile(&d, t.reports.read(ctx, t.profiler))
	judge(&d, t.checkReady(ctx))
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

func (r *route) mostFailures() []figures.Failure {
	list := []figures.Failure{}
	r.eachFailure(func(p point) bool {
		site, _ := p.labels.attributes.Value("site")
		status, _ := p.labels.attributes.Value("status")
		list = append(list, figures.Failure{Site: site.AsString(), Status: status.AsString(), Count: p.n})
		return true
	})
	slices.SortFunc(list, func(a, b figures.Failure) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Site, b.Site), cmp.Compare(a.Status, b.Status))
	})
	return list[:min(len(list), maxFailureParts)]
}

// slowest is the exemplar of the highest bucket that has one.
func (h *histogram) slowest() *figures.Traced {
	for i := range slices.Backward(h.exemplars) {
		if e := h.exemplars[i].Load(); e != nil {
			return &figures.Traced{TraceID: e.span.TraceID().String(), Seconds: e.value, At: e.at}
		}
	}
	return nil
}

// rates compares two readings of one series; recent is how many it counted
// between them.
func rates(h *histogram, now, before redSnapshot) (part figures.Rate, recent int64) {
	part.TimeSeconds = now.sum - before.sum
	if recent = now.count - before.count; recent > 0 {
		part.ErrorRatio = new(float64(now.errors-before.errors) / float64(recent))
	}
	counts := slices.Clone(now.buckets)
	for i := range before.buckets {
		counts[i] -= before.buckets[i]
	}
	part.P50 = quantile(0.50, h.bounds, counts)
	part.P95 = quantile(0.95, h.bounds, counts)
	part.P99 = quantile(0.99, h.bounds, counts)
	return part, recent
}

func eventParts(f *family) []figures.Event {
	parts := []figures.Event{}
	for p := range f.points {
		part := figures.Event{Name: f.Key, Labels: map[string]string{}, Value: p.value + float64(p.n)} // one of the two is 0
		for _, l := range p.labels.pairs {
			part.Labels[l.GetName()] = l.GetValue()
		}
		if p.hist != nil {
			total, sum := p.hist.read(make([]uint64, len(p.hist.buckets)))
			part.Value, part.Count = sum, new(float64(total)) // finite, or JSON could not say it: huge values are refused
		}
		parts = append(parts, part)
	}
	return parts
}

// addProfile adds what the profile of the last minutes says, if there is one.
func addProfile(d *figures.Dashboard, report *continuous.Report) {
	if report == nil {
		return
	}
	d.Advice = orEmpty(report.Advice)
	tops := make(map[string]*figures.Top, len(report.Endpoints))
	for i := range report.Endpoints {
		u := &report.Endpoints[i]
		tops[u.Name] = &figures.Top{
			CPUShare: u.CPUShare, AllocShare: u.AllocShare, Functions: orEmpty(u.CPU.Own), AllocFunctions: orEmpty(u.Allocations.Own),
			Waits: orEmpty(u.Waits.Places), Advice: orEmpty(u.Advice),
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
func judge(d *figures.Dashboard, ready map[string]string) {
	d.SystemStatus = "healthy"
	all, failed := 0.0, 0.0
	for _, e := range d.Endpoints {
		if e.ErrorRatio == nil { // nobody asked it
			continue
		}
		recent := math.Round(e.PerSecond * max(d.WindowSeconds, 1))
		all, failed = all+recent, failed+recent**e.ErrorRatio
		if recent >= judgedRequests && *e.ErrorRatio >= degradedRatio {
			d.SystemStatus = "degraded"
			d.Reasons = append(d.Reasons, fmt.Sprintf("%s %s answers %.0f %% of its requests with 5xx", e.Method, e.Endpoint, *e.ErrorRatio*100))
		}
	}
	if ratio := failed / max(all, 1); all >= judgedRequests && ratio >= unhealthyRatio {
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
