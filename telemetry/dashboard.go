package telemetry

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
)

// The JSON of /metrics-dashboard. Field names are stable: they are only added.
// Figures that there is no data for are null.
type (
	dashboard struct {
		Domain        string      `json:"domain"` // the prefix
		App           string      `json:"app"`
		Entity        string      `json:"entity"`
		Version       string      `json:"version"`
		Revision      string      `json:"revision"`
		UptimeSeconds float64     `json:"uptime_seconds"`
		SystemStatus  string      `json:"system_status"` // healthy, degraded or unhealthy
		Reasons       []string    `json:"reasons"`       // why it is not healthy
		WindowSeconds float64     `json:"window_seconds"`
		System        systemPart  `json:"system"`
		Endpoints     []redPart   `json:"endpoints"` // by the time spent in them
		Events        []eventPart `json:"events"`
		Errors        []eventPart `json:"errors"`
		Advice        []string    `json:"advice"`   // of the profile, what to look at first
		Problems      []string    `json:"problems"` // what telemetry itself could not do
	}
	systemPart struct {
		CPUPercent        *float64 `json:"cpu_percent"`
		MemoryBytes       *float64 `json:"memory_bytes"`
		DiskPercent       *float64 `json:"disk_percent"`
		ActiveRequests    int64    `json:"active_requests"`
		ActiveConnections int64    `json:"active_connections"`
	}
	// redPart is one endpoint and method. All but Requests and Errors, which
	// count from the start, are over the window.
	redPart struct {
		Endpoint    string   `json:"endpoint"`
		Method      string   `json:"method"`
		Requests    int64    `json:"requests"`
		Errors      int64    `json:"errors"` // status 5xx
		PerSecond   float64  `json:"requests_per_second"`
		ErrorRatio  *float64 `json:"error_ratio"`
		P50         *float64 `json:"p50_seconds"`
		P95         *float64 `json:"p95_seconds"`
		P99         *float64 `json:"p99_seconds"`
		TimeSeconds float64  `json:"time_seconds"` // spent in its requests
		Profile     *topPart `json:"profile,omitempty"`

		recent int64 // requests of the window
	}
	// topPart is what the last minutes' profile says of an endpoint.
	topPart struct {
		CPUShare   float64                `json:"cpu_share"`
		AllocShare float64                `json:"alloc_share"`
		Functions  []continuous.Function  `json:"functions"`
		Waits      []continuous.WaitPlace `json:"waits"`
		Advice     []string               `json:"advice"`
	}
	eventPart struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
		Value  float64           `json:"value"`           // a histogram's is its sum
		Count  *uint64           `json:"count,omitempty"` // of a histogram
	}
)

// dashboardWindow is over how long the dashboard's rates and quantiles are: at
// least this, up to the reading before. Nothing runs in between.
const dashboardWindow = time.Minute

// reading is what the RED series said at some time.
type reading struct {
	at     time.Time
	routes map[*routeMethod]redReading
}

type redReading struct {
	requests, errors int64
	buckets          []uint64
	sum              float64
}

// readings keeps two, so that there is always one to compare with.
type readings struct {
	mu           sync.Mutex
	older, newer reading
}

func (t *Telemetry) read() reading {
	r := reading{at: time.Now(), routes: map[*routeMethod]redReading{}}
	for m := range t.routes.each {
		one := redReading{buckets: make([]uint64, len(m.duration.buckets))}
		for _, s := range m.statuses.all() {
			n := s.n.Load()
			one.requests += n
			if s.key >= 500 {
				one.errors += n
			}
		}
		_, one.sum = m.duration.read(one.buckets)
		r.routes[m] = one
	}
	return r
}

// compare returns a reading of now, and an earlier one.
func (rs *readings) compare(now reading, start time.Time) (before reading) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.newer.at.IsZero() {
		rs.older, rs.newer = reading{at: start}, reading{at: start}
	}
	if now.at.Sub(rs.newer.at) >= dashboardWindow {
		rs.older, rs.newer = rs.newer, now
	}
	return rs.older
}

func (t *Telemetry) serveDashboard(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, t.dashboard(r.Context()))
}

func (t *Telemetry) dashboard(ctx context.Context) dashboard {
	now := t.read()
	before := t.readings.compare(now, t.started)
	host := t.host.read()
	d := dashboard{
		Domain: t.cfg.Domain.Prefix, App: t.cfg.Domain.Service(), Entity: t.cfg.Domain.Entity,
		Version: t.build.version, Revision: t.build.revision, UptimeSeconds: time.Since(t.started).Seconds(),
		WindowSeconds: now.at.Sub(before.at).Seconds(), Reasons: []string{}, Problems: t.self.problems.list(),
		System: systemPart{host.cpu, host.memory, host.disk, t.activeRequests.Load(), t.activeConnections.Load()},
	}
	for m, reading := range now.routes {
		if reading.requests > 0 || m.endpoint != domain.Unmatched {
			d.Endpoints = append(d.Endpoints, red(m, reading, before.routes[m], d.WindowSeconds))
		}
	}
	slices.SortFunc(d.Endpoints, func(a, b redPart) int {
		return cmp.Or(cmp.Compare(b.TimeSeconds, a.TimeSeconds), cmp.Compare(a.Endpoint, b.Endpoint), cmp.Compare(a.Method, b.Method))
	})
	for i := range t.families {
		f := &t.families[i]
		switch {
		case f.Event != nil:
			d.Events = append(d.Events, eventParts(f)...)
		case f.Key == "entities_created" || f.Key == "entities_updated":
			d.Events = append(d.Events, eventParts(f)...)
		case f.Key == "api_errors":
			d.Errors = slices.DeleteFunc(eventParts(f), func(e eventPart) bool { return e.Value == 0 })
		}
	}
	d.profile(ctx, t.profiler)
	d.judge(t.checkReady(ctx))
	return d
}

// red compares two readings of one route.
func red(m *routeMethod, now, before redReading, seconds float64) redPart {
	part := redPart{Endpoint: m.endpoint, Method: m.method, Requests: now.requests, Errors: now.errors, TimeSeconds: now.sum - before.sum}
	requests := now.requests - before.requests
	part.recent, part.PerSecond = requests, float64(requests)/max(seconds, 1)
	if requests > 0 {
		part.ErrorRatio = new(float64(now.errors-before.errors) / float64(requests))
	}
	counts := slices.Clone(now.buckets)
	for i := range before.buckets {
		counts[i] -= before.buckets[i]
	}
	part.P50 = quantile(0.50, m.duration.bounds, counts)
	part.P95 = quantile(0.95, m.duration.bounds, counts)
	part.P99 = quantile(0.99, m.duration.bounds, counts)
	return part
}

// quantile interpolates within a bucket, as Prometheus' histogram_quantile
// does; beyond the last bound it is that bound. It is nil without data.
func quantile(q float64, bounds []float64, counts []uint64) *float64 {
	var total uint64
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return nil
	}
	rank, below := q*float64(total), 0.0
	for i, bound := range bounds {
		n := float64(counts[i])
		if below+n >= rank && n > 0 {
			lower := 0.0
			if i > 0 {
				lower = bounds[i-1]
			}
			return new(lower + (bound-lower)*(rank-below)/n)
		}
		below += n
	}
	return new(bounds[len(bounds)-1])
}

func eventParts(f *family) []eventPart {
	var parts []eventPart
	for p := range f.points {
		part := eventPart{Name: f.Key, Labels: map[string]string{}, Value: float64(p.n)}
		for _, l := range p.labels.pairs {
			part.Labels[l.GetName()] = l.GetValue()
		}
		if p.hist != nil {
			total, sum := p.hist.read(make([]uint64, len(p.hist.buckets)))
			part.Value, part.Count = sum, &total
		}
		parts = append(parts, part)
	}
	return parts
}

// profile adds what the profile of the last minutes says.
func (d *dashboard) profile(ctx context.Context, profiler *continuous.Profiler) {
	report, err := profiler.Report(ctx, continuous.ReportOptions{From: time.Now().Add(-5 * time.Minute), Top: 3})
	if err != nil { // none yet
		d.Advice = []string{}
		return
	}
	d.Advice = report.Advice
	for _, u := range report.Endpoints {
		for i := range d.Endpoints {
			if d.Endpoints[i].Endpoint == u.Name {
				d.Endpoints[i].Profile = &topPart{u.CPUShare, u.AllocShare, u.CPU.Own, u.Waits.Places, u.Advice}
			}
		}
	}
}

// An endpoint is called failing from this ratio of 5xx on, and this many
// requests.
const (
	degradedRatio    = 0.05
	degradedRequests = 20
)

// judge says how the service is, and why.
func (d *dashboard) judge(ready map[string]string) {
	d.SystemStatus = "healthy"
	for _, e := range d.Endpoints {
		if e.ErrorRatio != nil && *e.ErrorRatio >= degradedRatio && e.recent >= degradedRequests {
			d.SystemStatus = "degraded"
			d.Reasons = append(d.Reasons, fmt.Sprintf("%s %s answers %.0f %% of its requests with 5xx", e.Method, e.Endpoint, math.Round(*e.ErrorRatio*100)))
		}
	}
	for name, failure := range ready {
		if failure != "" {
			d.SystemStatus = "unhealthy"
			d.Reasons = append(d.Reasons, fmt.Sprintf("not ready: %s: %s", name, failure))
		}
	}
	slices.Sort(d.Reasons)
}
