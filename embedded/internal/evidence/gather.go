package evidence

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/embedded/alert"
)

const (
	// defaultWindow is how far back is looked for a rule that does not say.
	defaultWindow = 5 * time.Minute
	// longestWindow is how far back is looked at most: the ring of profiles
	// reaches back ten minutes, and some must be left for the time before.
	longestWindow = 5 * time.Minute
	// leastWindow is how far back is looked at least.
	leastWindow = time.Second
)

// gathered is what was found, and the profiles that go beside the incident.
type gathered struct {
	incident      *Incident
	before, after *profile.Profile // of the same kind; nil for none
	trace         []byte
}

// span are the two times that are looked at, by the store's clock: the window
// from from to to, and as long before it.
type span struct {
	base, from, to time.Time
	skew           time.Duration // to the profiler's clock
}

func (s span) length() time.Duration { return s.to.Sub(s.from) }

// span is the alert's: from when its rule first looked at something bad.
func (r *Recorder) span(a alert.Alert, rule alerting.Rule) span {
	now := r.cfg.Now()
	window := rule.Window
	if window <= 0 {
		window = defaultWindow
	}
	from := a.ActiveAt.Add(-min(window, longestWindow))
	if keep := r.cfg.Profiler.Keep(); keep > 0 && a.ActiveAt.Before(now.Add(-keep)) {
		from = now.Add(-longestWindow) // it has been bad for longer than anything is kept
	}
	if a.ActiveAt.IsZero() || !from.Before(now.Add(-leastWindow)) {
		from = now.Add(-max(min(window, longestWindow), leastWindow))
	}
	return span{base: from.Add(-now.Sub(from)), from: from, to: now, skew: time.Since(now)}
}

// profiled is a time on the profiler's clock.
func (s span) profiled(at time.Time) time.Time { return at.Add(s.skew) }

// gather looks at what the rule asks for. It comes back soon after ctx is done,
// unless a source of the Config hangs against its context.
func (r *Recorder) gather(ctx context.Context, a alert.Alert, rule alerting.Rule, id string) *gathered {
	s := r.span(a, rule)
	in := &Incident{
		ID: id, Kind: KindAlert, Name: a.Name(), Severity: a.Labels["severity"], Service: r.cfg.Domain.Service(), Language: r.words.language(),
		Drill: a.Drill(), Labels: a.Labels, Annotations: a.Annotations, Value: a.Value, ActiveAt: a.ActiveAt, StartsAt: a.StartsAt,
		Version: r.cfg.Version, Revision: r.cfg.Revision, Evidence: rule.Evidence, Endpoint: a.Labels["endpoint"],
		Window: Range{From: s.from, To: s.to}, Baseline: Range{From: s.base, To: s.from},
	}
	q := r.asks(a.Labels["job"], s)
	g := &gathered{incident: in}
	if in.Endpoint == "" && (rule.Evidence == alerting.EvidenceLatency || rule.Evidence == alerting.EvidenceErrors) {
		in.Endpoint, _ = inTime(ctx, 0.3, r, func(ctx context.Context) string { return q.worstEndpoint(ctx, rule.Evidence) })
	}
	endpoint := in.Endpoint // what the profiles find is written to in meanwhile
	// The two halves do not wait for each other, and what is there in time counts.
	stored := make(chan *figures, 1)
	go func() {
		f, ok := inTime(ctx, 0.6, r, func(ctx context.Context) *figures { return q.figures(ctx, rule.Evidence, endpoint) })
		if !ok {
			f = &figures{note: r.words.storeSilent()}
		}
		stored <- f
	}()
	p, ok := inTime(ctx, 0.9, r, func(ctx context.Context) *findings { return r.profiles(ctx, rule.Evidence, endpoint, s) })
	if !ok {
		p = &findings{none: r.words.tooLong(r.cfg.Timeout)}
	}
	p.into(g)
	(<-stored).into(in)
	in.Cause = r.words.cause(in, rule)
	if in.Cause == "" && in.None == "" {
		in.None = r.words.nothingSeen()
		if in.Waits != nil && in.Waits.Seen == 0 && in.Endpoint != "" {
			in.None = r.words.unseen(in)
		}
	}
	return g
}

// inTime runs fn within a share of the time that ctx leaves, and no longer: a
// function that does not end with its context is left behind, and Stop waits
// for it. It reports false for that, and for a panic.
func inTime[T any](ctx context.Context, share float64, r *Recorder, fn func(context.Context) T) (result T, ok bool) {
	budget := r.cfg.Timeout
	if deadline, set := ctx.Deadline(); set {
		budget = time.Until(deadline)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(share*float64(budget)))
	defer context.AfterFunc(r.ctx, cancel)()
	done := make(chan T, 1)
	started := r.background(func() {
		defer close(done)
		defer cancel()
		done <- fn(ctx)
	})
	if !started {
		cancel()
		return result, false
	}
	select {
	case result, ok = <-done:
	case <-ctx.Done():
		select { // it ended at the same time, most likely with what it had
		case result, ok = <-done:
		case <-time.After(10 * time.Millisecond):
		}
	}
	return result, ok
}

// findings are what the profiles say.
type findings struct {
	none, endpoint string
	notes          []string
	window, base   float64 // seconds of CPU profile
	sections       []Section
	waits          *Waiting
	goroutines     *Goroutines
	before, after  *profile.Profile
	flame          string
	trace          []byte
}

func (f *findings) into(g *gathered) {
	in := g.incident
	in.None, in.Profiles, in.Waits, in.Goroutines, in.Flame = f.none, f.sections, f.waits, f.goroutines, f.flame
	in.Notes = append(in.Notes, f.notes...)
	in.Window.Profiled, in.Baseline.Profiled = f.window, f.base
	if in.Endpoint == "" {
		in.Endpoint = f.endpoint
	}
	g.before, g.after, g.trace = f.before, f.after, f.trace
}

// profiles looks at the profiles for one kind of evidence.
func (r *Recorder) profiles(ctx context.Context, kind alerting.Evidence, endpoint string, s span) *findings {
	f := &findings{}
	p := r.cfg.Profiler
	if p == nil || p.Interval() == 0 {
		f.none = r.words.profilingOff()
		if kind == alerting.EvidenceErrors || kind == alerting.EvidenceEvents {
			f.none = "" // it is about figures of the store
		}
		return f
	}
	switch kind {
	case alerting.EvidenceMemory:
		r.memory(f, endpoint, s)
	case alerting.EvidenceGoroutines:
		r.goroutines(f, s)
	case alerting.EvidenceLatency:
		r.cpu(f, endpoint, s)
		r.waiting(ctx, f, endpoint, s)
		r.trace(ctx, f)
	case alerting.EvidenceErrors, alerting.EvidenceEvents:
		r.cpu(f, endpoint, s)
		f.none, f.notes, f.endpoint = "", nil, "" // it is there for who wants to look
	default:
		r.cpu(f, endpoint, s)
	}
	return f
}

// pair are the profiles of one kind, of the window and of the time before.
type pair struct {
	before, after       *profile.Profile // nil for none
	beforeFor, afterFor time.Duration
}

// pair reads the windows of both times. Where the alert's window is shorter
// than a window of the profiler, the newest one stands for it.
func (r *Recorder) pair(kind string, s span) pair {
	p := r.cfg.Profiler
	from, to := s.profiled(s.from), time.Time{}
	var both pair
	var err error
	both.after, both.afterFor, err = p.Profile(kind, from, to)
	if err != nil {
		from = time.Now().Add(-2 * p.Interval())
		both.after, both.afterFor, _ = p.Profile(kind, from, to)
	}
	both.before, both.beforeFor, _ = p.Profile(kind, from.Add(-max(s.length(), 2*p.Interval())), from)
	return both
}

// of is the pair of one endpoint.
func (b pair) of(p *continuous.Profiler, endpoint string) pair {
	if endpoint == "" {
		return b
	}
	if b.before != nil {
		b.before = p.OfEndpoint(b.before, endpoint)
	}
	if b.after != nil {
		b.after = p.OfEndpoint(b.after, endpoint)
	}
	return b
}

// maxListed is how many functions and places an incident lists of a kind.
const maxListed = 20

// section compares a pair in one sample type. What is in use is no rate.
func (b pair) section(sampleType, name string) Section {
	beforeFor, afterFor := b.beforeFor.Seconds(), b.afterFor.Seconds()
	if sampleType == "inuse_space" {
		beforeFor, afterFor = 1, 1
	}
	s := Section{Type: name, Hot: continuous.HotOf(sampleType, b.after, maxListed)}
	if b.after != nil && afterFor > 0 {
		s.After = continuous.Total(sampleType, b.after) / afterFor
	}
	if b.before != nil && beforeFor > 0 {
		s.Before = continuous.Total(sampleType, b.before) / beforeFor
		s.Diff = continuous.Diff(sampleType, b.before, beforeFor, b.after, afterFor)
		s.Diff = s.Diff[:min(maxListed, len(s.Diff))]
	}
	return s
}

// keep saves what was found.
func (r *Recorder) keep(g *gathered) {
	if err := r.kept.add(g); err != nil {
		r.once("save", func(log *slog.Logger) {
			log.Warn("an incident cannot be kept", "incident", g.incident.ID, "error", err)
		})
	}
}
