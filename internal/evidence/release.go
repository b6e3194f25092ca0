package evidence

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/whole"
)

const (
	// leastRequests is how many requests a release must have answered in the
	// time that is compared: below that, chance decides.
	leastRequests = 50
	// measuresEach is how often a release is measured in ReleaseAfter.
	measuresEach = 5
	leastMeasure = time.Second
	// measureTimeout bounds a measure: nobody waits for it.
	measureTimeout = 5 * time.Second
	// maxReleaseProfile bounds each profile that is kept of a release, in bytes.
	maxReleaseProfile = 2 << 20
)

// goroutinesKept is the kind of a kept profile of all goroutines.
const goroutinesKept = "goroutines"

// keptKinds are the profiles that are kept of a release, by the ends of their
// files' names: two releases take 20 MiB at most.
var keptKinds = map[string]string{
	continuous.ProfileCPU: ".pb.gz", continuous.ProfileHeap: "-heap.pb.gz", continuous.ProfileWaits: "-waits.pb.gz",
	continuous.ProfileMutex: "-mutex.pb.gz", goroutinesKept: "-goroutines.pb.gz",
}

// measure is how a release did in the last minutes of its life.
type measure struct {
	Release
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Requests is how many there were, CPU the CPU seconds that each took.
	Requests float64 `json:"requests"`
	CPU      float64 `json:"cpu_per_request"`
	Profiled float64 `json:"profiled_seconds"`
	// Kept is how many seconds each profile is of that is kept, by kind.
	Kept map[string]float64 `json:"kept_seconds,omitempty"`
	// Compared tells whether a newer release has been compared with it.
	Compared bool `json:"compared,omitempty"`
	// Endpoints and Events are those with enough of them.
	Endpoints map[string]red  `json:"endpoints"`
	Events    map[string]cost `json:"events"`

	profile *profile.Profile // of CPU time; nil for none
}

// red is one endpoint's rate, errors and duration.
type red struct {
	Rate       float64 `json:"rate"`
	ErrorRatio float64 `json:"error_ratio"` // 0 to 1
	P95        float64 `json:"p95_seconds"`
}

// cost is what one event costs.
type cost struct {
	CPU       float64 `json:"cpu_seconds"`
	Allocated float64 `json:"allocated_bytes"`
}

// releases watches the release that runs, and compares it once with the one
// before. It belongs to one goroutine.
type releases struct {
	r       *Recorder
	dir     string
	started time.Time // by the store's clock
	before  *measure  // nil once it is compared, or if there is none
	written time.Time // when the profiles beside that of CPU time were last kept
	kept    map[string]float64
}

// baseline are the profiles that are kept of what ran before: of the release
// before this one, or of the process before where it was the same. nil has none.
type baseline struct {
	dir  string
	kept map[string]float64
}

// profile reads one, and how much time it is of; nil if there is none.
func (b *baseline) profile(kind string) (*profile.Profile, time.Duration) {
	if b == nil || b.kept[kind] <= 0 {
		return nil, 0
	}
	data, err := whole.Read(filepath.Join(b.dir, "previous"+keptKinds[kind]))
	if err != nil {
		return nil, 0
	}
	p, err := profile.ParseData(data)
	if err != nil {
		return nil, 0
	}
	return largest(p), time.Duration(b.kept[kind] * float64(time.Second))
}

// startReleases watches the release, where its figures can be kept until the
// next one.
func (r *Recorder) startReleases() {
	if r.cfg.Dir == "" || r.cfg.ReleaseAfter < 0 {
		return
	}
	running := Release{r.cfg.Version, r.cfg.Revision}
	w := &releases{r: r, dir: filepath.Join(r.cfg.Dir, "releases"), started: r.cfg.Now(), kept: map[string]float64{}}
	r.background(func() {
		w.open(running)
		w.run(running)
	})
}

// open finds the release before. The figures of what ran last become those when
// something else runs now, or may: who tells no version is not known to be the
// same. They stay until the next release, whatever restarts there are.
func (w *releases) open(running Release) {
	last, previous := w.read("current"), w.read("previous")
	if last != nil && (last.Release != running || previous == nil || running.String() == "") {
		for _, end := range append(slices.Collect(maps.Values(keptKinds)), ".json") {
			if os.Rename(w.path("current", end), w.path("previous", end)) != nil {
				_ = os.Remove(w.path("previous", end))
			}
		}
		previous = last
	}
	if previous == nil {
		return
	}
	w.r.before.Store(&baseline{w.dir, previous.Kept})
	if !previous.Compared && previous.Release != running && running.String() != "" {
		w.before = previous
	}
}

func (w *releases) run(running Release) {
	every := max(w.r.cfg.ReleaseAfter/measuresEach, leastMeasure)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.turn(w.r.ctx, running)
		case <-w.r.ctx.Done():
			if w.r.cfg.Now().Sub(w.started) >= every { // the last word on this release
				ctx, cancel := context.WithTimeout(context.WithoutCancel(w.r.ctx), time.Second)
				defer cancel()
				if now := w.measure(ctx, running); now != nil {
					w.written = time.Time{}
					w.write(now)
				}
			}
			return
		}
	}
}

// turn measures the release, and compares it when it has run for long enough.
func (w *releases) turn(ctx context.Context, running Release) {
	ctx, cancel := context.WithTimeout(ctx, measureTimeout)
	defer cancel()
	now := w.measure(ctx, running)
	if now == nil || ctx.Err() != nil {
		return
	}
	w.write(now)
	if w.before == nil || w.r.cfg.Now().Sub(w.started) < w.r.cfg.ReleaseAfter || min(now.Requests, w.before.Requests) < leastRequests {
		return
	}
	in := w.r.judge(*w.before, *now)
	w.r.keep(&gathered{incident: in, before: w.before.profile, after: now.profile})
	level := slog.LevelInfo
	if in.Verdict.Worse {
		level = slog.LevelWarn
	}
	w.r.cfg.Logger.Log(ctx, level, "release compared with the one before", "release", now.String(), "before", w.before.String(),
		"verdict", in.Cause, "incident", w.r.link(in.ID))
	w.compared()
}

// measure reads the figures of the last minutes, in which only this release
// ran. It is nil at the very beginning.
func (w *releases) measure(ctx context.Context, running Release) *measure {
	to := w.r.cfg.Now()
	from := to.Add(-w.r.cfg.ReleaseAfter)
	if from.Before(w.started) {
		from = w.started
	}
	if to.Sub(from) < leastMeasure {
		return nil
	}
	q := questions{w.r, cause.Range{From: from, To: to}}
	m := &measure{Release: running, From: from, To: to, Endpoints: map[string]red{}, Events: map[string]cost{}}
	seconds := to.Sub(from).Seconds()
	requests := q.family("requests")
	each := func(expr, label string, set func(name string, v float64)) {
		for _, s := range q.ask(ctx, expr, to) {
			set(clean(s.Labels[label]), s.Value)
		}
	}
	each(fmt.Sprintf("sum by (endpoint) (increase(%s%s))", q.of(requests), q.over()), "endpoint", func(e string, v float64) {
		m.Requests += v
		if v >= leastRequests/2 {
			m.Endpoints[e] = red{Rate: v / seconds}
		}
	})
	change := func(e string, set func(*red)) {
		if one, ok := m.Endpoints[e]; ok {
			set(&one)
			m.Endpoints[e] = one
		}
	}
	each(fmt.Sprintf("sum by (endpoint) (increase(%s%s))", q.of(requests, `status=~"5.."`), q.over()), "endpoint", func(e string, v float64) {
		change(e, func(one *red) { one.ErrorRatio = v / (one.Rate * seconds) })
	})
	each(fmt.Sprintf("histogram_quantile(0.95, sum by (endpoint, le) (rate(%s%s)))", q.of(q.family("response_duration")+"_bucket"), q.over()), "endpoint", func(e string, v float64) {
		change(e, func(one *red) { one.P95 = v })
	})
	each(fmt.Sprintf("avg by (event) (avg_over_time(%s%s))", q.of(q.family("event_cpu")), q.over()), "event", func(e string, v float64) {
		m.Events[e] = cost{CPU: v}
	})
	each(fmt.Sprintf("avg by (event) (avg_over_time(%s%s))", q.of(q.family("event_allocated")), q.over()), "event", func(e string, v float64) {
		m.Events[e] = cost{CPU: m.Events[e].CPU, Allocated: v}
	})
	if p, profiled, err := w.r.cfg.profiler.Profile(continuous.ProfileCPU, from.Add(time.Since(to)), time.Time{}); err == nil {
		m.profile, m.Profiled = p, profiled.Seconds()
		m.CPU = profiles.Total("cpu", p) / m.Profiled * seconds / max(m.Requests, 1)
	}
	return m
}

func (w *releases) path(name, end string) string { return filepath.Join(w.dir, name+end) }

// read reads the figures of a release, nil if there are none.
func (w *releases) read(name string) *measure {
	data, err := whole.Read(w.path(name, ".json"))
	if err != nil {
		return nil
	}
	m := &measure{}
	if json.Unmarshal(data, m) != nil {
		return nil
	}
	if data, err = whole.Read(w.path(name, ".pb.gz")); err == nil {
		m.profile, _ = profile.ParseData(data)
	}
	return m
}

// write keeps the figures of the release that runs. Those of a time with next
// to no requests take no other's place: the next release could not be compared.
func (w *releases) write(m *measure) {
	if m.Requests < leastRequests {
		if last := w.read("current"); last != nil && last.Release == m.Release && last.Requests >= leastRequests {
			return
		}
	}
	files := map[string][]byte{}
	w.keep(files, continuous.ProfileCPU, m.profile, m.Profiled)
	// The others are a baseline and no more: they are read once in a while.
	if now := w.r.cfg.Now(); w.written.IsZero() || now.Sub(w.written) >= w.r.cfg.ReleaseAfter {
		w.written = now
		from := m.From.Add(time.Since(m.To))
		for _, kind := range []string{continuous.ProfileHeap, continuous.ProfileWaits, continuous.ProfileMutex} {
			p, profiled, _ := w.r.cfg.profiler.Profile(kind, from, time.Time{})
			w.keep(files, kind, p, profiled.Seconds())
		}
		p, _, _ := w.r.cfg.profiler.Goroutines(time.Time{})
		w.keep(files, goroutinesKept, p, 1)
	}
	m.Kept = w.kept
	data, err := json.MarshalIndent(m, "", "  ")
	if err == nil {
		files["current.json"] = data
		if err = os.MkdirAll(w.dir, 0o700); err == nil {
			err = replaceFiles(w.dir, files)
		}
	}
	if err != nil {
		w.r.once("release", func(log *slog.Logger) {
			log.Warn("what this release is like cannot be kept, so that the next one is not compared with it", "dir", w.dir, "error", err)
		})
	}
}

// keep adds a profile to the files, if there is one and it is not too large.
func (w *releases) keep(files map[string][]byte, kind string, p *profile.Profile, seconds float64) {
	if data := encoded(p, maxReleaseProfile); data != nil {
		files["current"+keptKinds[kind]] = data
		w.kept[kind] = seconds
	}
}

// compared notes that the release before has been compared. Its profiles stay:
// an alert may need them.
func (w *releases) compared() {
	w.before.Compared = true
	if data, err := json.MarshalIndent(w.before, "", "  "); err == nil {
		_ = replaceFiles(w.dir, map[string][]byte{"previous.json": data})
	}
	w.before = nil
}

// questions asks the store about a release's time.
type questions struct {
	r *Recorder
	cause.Range
}

// family is the Prometheus name of a metric of the contract.
func (q questions) family(key string) string {
	m, _ := q.r.cfg.Domain.Metric(key)
	return m.Family
}

// of selects the series of the service, with further matchers.
func (q questions) of(family string, matchers ...string) string {
	return family + "{" + strings.Join(matchers, ",") + "}"
}

// over is the time as a range of PromQL's.
func (q questions) over() string { return fmt.Sprintf("[%dms]", q.Length().Milliseconds()) }

// ask evaluates an expression. An error is told of once, and is no data.
func (q questions) ask(ctx context.Context, expr string, at time.Time) []Sample {
	if q.r.cfg.Query == nil {
		return nil
	}
	samples, err := q.r.cfg.Query(ctx, expr, at)
	if err != nil {
		if ctx.Err() == nil {
			q.r.storeFault(expr, err)
		}
		return nil
	}
	return slices.DeleteFunc(samples, func(s Sample) bool { return math.IsNaN(s.Value) || math.IsInf(s.Value, 0) })
}
