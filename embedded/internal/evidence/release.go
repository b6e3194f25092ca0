package evidence

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/continuous"
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
	// maxReleaseProfile bounds the profile that is kept of a release, in bytes.
	maxReleaseProfile = 2 << 20
)

// measure is how a release did in the last minutes of its life.
type measure struct {
	Release
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Requests is how many there were, CPU the CPU seconds that each took.
	Requests float64 `json:"requests"`
	CPU      float64 `json:"cpu_per_request"`
	Profiled float64 `json:"profiled_seconds"`
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
}

// startReleases watches the release, where its figures can be kept until the
// next one and it is known what runs.
func (r *Recorder) startReleases() {
	running := Release{r.cfg.Version, r.cfg.Revision}
	if r.cfg.Dir == "" || r.cfg.ReleaseAfter < 0 || running.String() == "" {
		return
	}
	w := &releases{r: r, dir: filepath.Join(r.cfg.Dir, "releases"), started: r.cfg.Now()}
	r.background(func() {
		w.open(running)
		w.run(running)
	})
}

// open finds the release before. The figures of what ran last become those when
// something else runs now; they stay until they have been compared, whatever
// restarts there are.
func (w *releases) open(running Release) {
	last := w.read("current")
	if last != nil && last.Release != running {
		for _, end := range []string{".json", ".pb.gz"} {
			_ = os.Rename(w.path("current", end), w.path("previous", end))
		}
	}
	w.before = w.read("previous")
	if w.before != nil && w.before.Release == running { // back to where it was
		w.forget()
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
	if w.before == nil || w.r.cfg.Now().Sub(w.started) < w.r.cfg.ReleaseAfter {
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
	w.forget()
}

// measure reads the figures of the last minutes, in which only this release
// ran. It is nil while there are too few.
func (w *releases) measure(ctx context.Context, running Release) *measure {
	to := w.r.cfg.Now()
	from := to.Add(-w.r.cfg.ReleaseAfter)
	if from.Before(w.started) {
		from = w.started
	}
	if to.Sub(from) < leastMeasure {
		return nil
	}
	q := w.r.asks("", span{base: from, from: from, to: to, skew: time.Since(to)})
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
	if m.Requests < leastRequests {
		return nil
	}
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
	if p, profiled, err := w.r.cfg.Profiler.Profile(continuous.ProfileCPU, q.profiled(from), time.Time{}); err == nil {
		m.profile, m.Profiled = p, profiled.Seconds()
		m.CPU = continuous.Total("cpu", p) / m.Profiled * seconds / m.Requests
	}
	return m
}

func (w *releases) path(name, end string) string { return filepath.Join(w.dir, name+end) }

// read reads the figures of a release, nil if there are none.
func (w *releases) read(name string) *measure {
	data, err := readFile(w.path(name, ".json"))
	if err != nil {
		return nil
	}
	m := &measure{}
	if json.Unmarshal(data, m) != nil {
		return nil
	}
	if data, err = readFile(w.path(name, ".pb.gz")); err == nil {
		m.profile, _ = profile.ParseData(data)
	}
	return m
}

// write keeps the figures of the release that runs.
func (w *releases) write(m *measure) {
	files := map[string][]byte{}
	if m.profile != nil {
		var buf writer
		if m.profile.Write(&buf) == nil && len(buf) <= maxReleaseProfile {
			files["current.pb.gz"] = buf
		}
	}
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

// writer collects what is written to it.
type writer []byte

func (w *writer) Write(b []byte) (int, error) {
	*w = append(*w, b...)
	return len(b), nil
}

// forget drops the release before: it has been compared.
func (w *releases) forget() {
	w.before = nil
	for _, end := range []string{".json", ".pb.gz"} {
		_ = os.Remove(w.path("previous", end))
	}
}
