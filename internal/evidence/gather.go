package evidence

import (
	"cmp"
	"context"
	"log/slog"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"time"

	"github.com/google/pprof/profile"
	"github.com/prometheus/common/model"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/alert"
	"github.com/latido-dev/latido/internal/cause"
)

const (
	// defaultWindow is how far back is looked for a rule that does not say.
	defaultWindow = 5 * time.Minute
	// longestWindow is how far back a rule's window counts at most.
	longestWindow = time.Hour
	// recent is what is read of an alert's time when that is long: what its
	// condition began with, and this much until now.
	recent = 10 * time.Minute
)

// gathered is what was found, and the profiles that go beside the incident.
type gathered struct {
	incident      *Incident
	before, after *profile.Profile // of the same kind; nil for none
	trace         []byte
}

// gather finds out why an alert fires. It tells the causes as soon as it has
// some, first those that the figures alone name, since an alert waits for no more
// than that. It comes back soon after ctx is done, unless a source of the Config
// hangs against its context.
func (r *Recorder) gather(ctx context.Context, a alert.Alert, rule alerting.Rule, id string, tell func(in Incident)) *gathered {
	in := r.incident(a, rule, id)
	begun := *in // whoever comes too late still reads it
	f := r.find(ctx, r.input(a, rule), func(f found) {
		known := begun
		f.into(&known)
		tell(known)
	})
	g := &gathered{incident: in}
	f.into(in)
	d, ok := inTime(ctx, 0.8, r, func(ctx context.Context) *display { return r.display(ctx, f, in.Endpoint) })
	if ok {
		d.into(g)
	} else {
		in.Notes = append(in.Notes, r.words.tooLong(r.cfg.Timeout))
	}
	return g
}

// incident begins the incident of an alert.
func (r *Recorder) incident(a alert.Alert, rule alerting.Rule, id string) *Incident {
	return &Incident{
		ID: id, Kind: KindAlert, Name: a.Name(), Severity: a.Labels["severity"], Service: r.cfg.Domain.Service(), Language: r.words.Lang(),
		Drill: a.Drill(), Labels: a.Labels, Annotations: a.Annotations, Value: a.Value, ActiveAt: a.ActiveAt, StartsAt: a.StartsAt,
		Version: r.cfg.Version, Revision: r.cfg.Revision, Evidence: rule.Evidence, Endpoint: a.Labels["endpoint"],
	}
}

// input is what is known of an alert before anybody is asked.
func (r *Recorder) input(a alert.Alert, rule alerting.Rule) cause.Input {
	if rule.Expr == "" {
		rule.Expr = exprOf(a)
	}
	window := cmp.Or(rule.Window, windowOf(rule.Expr), defaultWindow)
	now := r.cfg.Now()
	active := a.ActiveAt
	if active.IsZero() || active.After(now) {
		active = now
	}
	in := cause.Input{
		Domain: r.cfg.Domain, Now: now,
		Alert: cause.Alert{Name: a.Name(), Labels: a.Labels, Metric: rule.Metric, Expr: rule.Expr, Op: rule.Op, Value: a.Value, Bound: rule.Bound,
			ActiveAt: active, Window: min(window, longestWindow), Drill: a.Drill()},
	}
	r.machine(&in)
	return in
}

// machine is what is known of the one that the service runs on: this one, unless
// it runs elsewhere.
func (r *Recorder) machine(in *cause.Input) {
	if r.cfg.Fleet == nil {
		in.CPUs, in.Procs = runtime.NumCPU(), runtime.GOMAXPROCS(0)
	}
}

// exprOf is the expression of an alert whose rule is not the domain's: the link
// to where it can be seen has it.
func exprOf(a alert.Alert) string {
	u, err := url.Parse(a.GeneratorURL)
	if err != nil {
		return ""
	}
	return u.Query().Get("g0.expr")
}

var rangePattern = regexp.MustCompile(`\[([0-9a-z]+)[\]:]`)

// windowOf is how far back an expression looks, 0 for not at all.
func windowOf(expr string) (longest time.Duration) {
	for _, m := range rangePattern.FindAllStringSubmatch(expr, -1) {
		if d, err := model.ParseDuration(m[1]); err == nil {
			longest = max(longest, time.Duration(d))
		}
	}
	return longest
}

// found is what was found for an input, and what it was found in.
type found struct {
	input  cause.Input
	result cause.Result
	notes  []string // what limits it
	skew   time.Duration
	of     chosen // the instances that it was found in
}

func (f *found) into(in *Incident) {
	in.Findings, in.None, in.Notes = f.result.Findings, f.of.sentence(f.result.None), f.notes
	in.Instances = f.of.names
	in.Window = Range{From: f.input.Times.After.From, To: f.input.Times.After.To}
	in.Baseline = Range{From: f.input.Times.Before.From, To: f.input.Times.Before.To}
	if cpu := f.input.Profiles.CPU; cpu.After != nil {
		in.Window.Profiled, in.Baseline.Profiled = cpu.AfterFor.Seconds(), cpu.BeforeFor.Seconds()
	}
	if len(in.Findings) == 0 {
		return
	}
	in.None, in.Cause = "", f.of.sentence(in.Findings[0].Sentence)
	if in.Endpoint == "" {
		in.Endpoint = route(in.Findings[0].Endpoint)
	}
}

// find fills in what an input lacks, and has it explained: by its figures first,
// as a process without CPU is late with its profiles, and its figures say why.
// What is not there in its share of the time counts as not known. Each
// explanation is told as soon as it is there.
func (r *Recorder) find(ctx context.Context, in cause.Input, tell func(f found)) *found {
	f := &found{skew: time.Since(in.Now)}
	// What waits at this moment cannot be looked at later.
	look := func() (moment, bool) { return moment{}, true }
	if r.cfg.Fleet == nil {
		look = r.lookNow(ctx)
	}
	var ok bool
	if r.cfg.Series != nil || r.cfg.Fleet != nil {
		asked := in // each part has a copy that stays
		if in.Series, ok = inTime(ctx, 0.4, r, func(ctx context.Context) []cause.Series { return r.series(ctx, asked) }); !ok || in.Series == nil {
			f.notes = append(f.notes, r.words.storeSilent())
		}
	}
	all := in
	if f.of, ok = inTime(ctx, 0.3, r, func(context.Context) chosen { return r.choose(all) }); ok {
		in.Series = f.of.series
	}
	read := in
	if in.Times, ok = inTime(ctx, 0.5, r, func(context.Context) cause.Times { return r.cfg.compared(read) }); !ok || in.Times.After.Length() == 0 {
		in.Times = halves(in)
	}
	figures := in
	quick, explained := inTime(ctx, 0.3, r, func(context.Context) cause.Result { return r.cfg.explain(figures) })
	if explained && len(quick.Findings) > 0 {
		tell(found{input: in, result: quick, skew: f.skew, notes: slices.Clone(f.notes), of: f.of})
	}
	grown := func() (cause.Folder, bool) { return cause.Folder{}, false }
	finds := func(kind string) bool {
		return slices.ContainsFunc(quick.Findings, func(f cause.Finding) bool { return f.Kind == kind })
	}
	if finds("descriptors") {
		in.Opened.Path, in.Opened.Descriptors = r.files.Mostly()
	}
	if r.cfg.Grown != nil && finds("disk") {
		grown = meanwhile(ctx, 0.35, r, func(ctx context.Context) cause.Folder {
			return r.cfg.Grown(ctx, figures.Times.Before.To.Add(f.skew), diskGrew(figures))
		})
	}
	var notes []string
	if r.cfg.Fleet == nil {
		var cpu cause.Pair
		if explained && (len(quick.Findings) == 0 || quick.Findings[0].Kind == "cpu") {
			known, result, ok := r.explainByCPU(ctx, figures, f.skew)
			if cpu = known.Profiles.CPU; ok {
				quick = result
				tell(found{input: known, result: result, skew: f.skew, notes: slices.Clone(f.notes), of: f.of})
			}
		}
		in.Profiles, notes = r.profiles(ctx, in.Times, f.skew, look, cpu)
	} else {
		in.Profiles, notes = r.fleetProfiles(ctx, in)
	}
	f.notes = append(f.notes, notes...)
	in.Grown, _ = grown()
	whole := in
	if f.result, ok = inTime(ctx, 0.8, r, func(context.Context) cause.Result { return r.cfg.explain(whole) }); !ok {
		f.notes = append(f.notes, r.words.tooLong(r.cfg.Timeout))
		if f.result = quick; !explained {
			f.result = cause.Result{None: r.words.tooLong(r.cfg.Timeout)}
		}
	}
	if len(f.result.Findings) == 0 && f.result.None == "" {
		f.result.None = r.words.nothingSeen()
	}
	f.input = in
	tell(*f)
	return f
}

// diskGrew is the part of the disk that was used up since before, 0 to 1.
func diskGrew(in cause.Input) (share float64) {
	usage, _ := in.Domain.Metric("disk_usage")
	for _, s := range in.Series {
		if s.Name != usage.Family || len(s.Points) == 0 {
			continue
		}
		before := s.Points[0].Value
		for _, p := range s.Points {
			if !p.At.After(in.Times.Before.To) {
				before = p.Value
			}
		}
		share = max(share, (s.Points[len(s.Points)-1].Value-before)/100)
	}
	return share
}

// explainByCPU explains an input with the CPU profiles alone. A process that has used up
// its CPU itself is late with all that is asked of it, and that is what says where.
func (r *Recorder) explainByCPU(ctx context.Context, in cause.Input, skew time.Duration) (cause.Input, cause.Result, bool) {
	if r.cfg.profiler.Interval() == 0 {
		return in, cause.Result{}, false
	}
	t := cause.Times{Before: shifted(in.Times.Before, skew), After: shifted(in.Times.After, skew)}
	cpu, ok := inTime(ctx, 0.6, r, func(context.Context) cause.Pair { return r.pair(continuous.ProfileCPU, t) })
	if !ok || cpu.After == nil {
		return in, cause.Result{}, false
	}
	in.Profiles.CPU = cpu
	known := in
	result, ok := inTime(ctx, 0.5, r, func(context.Context) cause.Result { return r.cfg.explain(known) })
	return in, result, ok && len(result.Findings) > 0
}

// halves are the alert's window and as much before it.
func halves(in cause.Input) cause.Times {
	window := max(in.Alert.Window, time.Second)
	from := in.Alert.ActiveAt.Add(-window)
	if in.Alert.ActiveAt.IsZero() {
		from = in.Now.Add(-window)
	}
	if from.Before(in.Now.Add(-recent)) {
		from = in.Now.Add(-recent)
	}
	return cause.Times{Before: cause.Range{From: from.Add(-in.Now.Sub(from)), To: from}, After: cause.Range{From: from, To: in.Now}}
}

// series reads the samples of an input's time, nil if they cannot be had: from
// a lookback before the alert's window until now. Of an alert that has been so
// for long it is how that began, and what is now.
func (r *Recorder) series(ctx context.Context, in cause.Input) []cause.Series {
	began := in.Alert.ActiveAt
	if began.IsZero() {
		began = in.Now
	}
	ranges := []cause.Range{{From: began.Add(-in.Alert.Window - cause.Lookback), To: in.Now}}
	if in.Now.Sub(began) > 2*recent {
		ranges = []cause.Range{{From: ranges[0].From, To: began}, {From: in.Now.Add(-recent), To: in.Now}}
	}
	ask := r.cfg.Series
	if fleet := r.cfg.Fleet; fleet != nil {
		ask = func(ctx context.Context, ranges ...cause.Range) ([]cause.Series, error) {
			return fleet.Series(ctx, in.Alert.Labels, ranges...)
		}
	}
	series, err := ask(ctx, ranges...)
	if err != nil {
		if ctx.Err() == nil {
			r.storeFault("the service's series", err)
		}
		return nil
	}
	if series == nil { // it is empty, and that is known
		series = []cause.Series{}
	}
	return series
}

// inTime runs fn within a share of the time that ctx leaves, and no longer: a
// function that does not end with its context is left behind, and Stop waits
// for it. It reports false for that, for a panic, and where too many were left
// behind.
func inTime[T any](ctx context.Context, share float64, r *Recorder, fn func(context.Context) T) (result T, ok bool) {
	return meanwhile(ctx, share, r, fn)()
}

// meanwhile runs fn as inTime does, and lets the caller go on until it waits.
func meanwhile[T any](ctx context.Context, share float64, r *Recorder, fn func(context.Context) T) (wait func() (T, bool)) {
	budget := r.cfg.Timeout
	if deadline, set := ctx.Deadline(); set {
		budget = time.Until(deadline)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(share*float64(budget)))
	stop := context.AfterFunc(r.ctx, cancel)
	done := make(chan T, 1)
	started := false
	select {
	case r.tasks <- struct{}{}:
		started = r.background(func() {
			defer func() { <-r.tasks }()
			defer close(done)
			defer cancel()
			defer stop()
			done <- fn(ctx)
		})
		if !started {
			<-r.tasks
		}
	default: // that many hang
	}
	return func() (result T, ok bool) {
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
}

// keep saves what was found.
func (r *Recorder) keep(g *gathered) {
	if err := r.kept.add(g); err != nil {
		r.once("save", func(log *slog.Logger) {
			log.Warn("an incident cannot be kept", "incident", g.incident.ID, "error", err)
		})
	}
}
