package continuous

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/profiles"
)

// ReportOptions choose what a report is about. The zero value is all that is
// kept.
type ReportOptions struct {
	From, To time.Time // a zero time leaves its side open
	Top      int       // entries in each list; 0 means 5
}

// Report says where the time and the memory of a service go: Endpoints, Regions
// and Process have CPU time, allocations and waiting, Advice says in words what
// to look at first, and Missing what was not measured. WriteText writes it for
// a person. Its JSON form is stable: fields are only added.
type Report = profiles.Report

// ErrNothing says that no window of the range is kept.
var ErrNothing = errors.New("no profile is kept for that time")

// errOff is ErrNothing of a Profiler that was not started.
var errOff = fmt.Errorf("profiling is off in this service: %w", ErrNothing)

// Report reads what the ring has. It parses it all, which takes about a
// hundredth of the time that was profiled (BenchmarkReport). It returns
// ErrNothing, wrapped, before the first window ends.
func (p *Profiler) Report(ctx context.Context, o ReportOptions) (*Report, error) {
	if !p.running() {
		return nil, errOff
	}
	if o.Top <= 0 {
		o.Top = 5
	}
	b := profiles.NewBuilder(p.cfg.Service)
	parsed, seen := map[kind][]*profile.Profile{}, map[kind]bool{}
	for _, c := range p.ring.between(kindGap, o.From, o.To) {
		b.Covers(c.from, c.to, 0)
	}
	for _, k := range []kind{kindCPU, kindGoroutine, kindHeap} {
		for _, c := range p.ring.between(k, o.From, o.To) {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("report: %w", context.Cause(ctx))
			}
			one, err := c.parse()
			if err != nil {
				return nil, err
			}
			parsed[k], seen[k] = append(parsed[k], one), true
			profiled := time.Duration(0)
			if k == kindCPU {
				profiled = c.to.Sub(c.from)
			}
			b.Covers(c.from, c.to, profiled)
		}
	}
	if b.Empty() {
		return nil, fmt.Errorf("%w: the first window ends %v after the start", ErrNothing, p.cfg.Interval)
	}
	for _, one := range parsed[kindCPU] {
		b.AddCPU(one)
	}
	for _, one := range parsed[kindGoroutine] {
		b.AddWaits(one)
	}
	e := p.endpoints()
	e.Infer(slices.Concat(parsed[kindCPU], parsed[kindGoroutine]))
	for i, one := range parsed[kindHeap] {
		b.AddHeap(one, e, i == len(parsed[kindHeap])-1)
	}
	return b.Finish(o.Top, p.missing(o, b.Profiled(), seen)), nil
}

// missing lists what the ring lacks of a report's time.
func (p *Profiler) missing(o ReportOptions, profiled float64, seen map[kind]bool) (list []profiles.Missing) {
	gap := p.gapIn(o.From, o.To).Seconds()
	switch {
	case gap > 0 && profiled > 0:
		list = append(list, profiles.Missing{What: profiles.MissingCPU, Seconds: gap, Why: otherProfile})
	case gap > 0:
		list = append(list, profiles.Missing{What: profiles.MissingCPU, Seconds: 0, Why: otherProfile})
	case profiled == 0:
		list = append(list, profiles.Missing{What: profiles.MissingCPU, Seconds: 0, Why: "no window with a CPU profile ended in that time"})
	}
	if !seen[kindGoroutine] {
		list = append(list, profiles.Missing{What: profiles.MissingWaits, Seconds: 0, Why: "nobody looked at the goroutines in that time, or there are too many of them"})
	}
	if !seen[kindHeap] {
		list = append(list, profiles.Missing{What: profiles.MissingMemory, Seconds: 0, Why: "no garbage collection ended in that time, and heap profiles are as of the last one"})
	}
	return list
}

const otherProfile = "another CPU profile ran in this process (runtime/pprof.StartCPUProfile), and Go allows one at a time"

// gapIn is how much of a range had no CPU profile.
func (p *Profiler) gapIn(from, to time.Time) (sum time.Duration) {
	for _, c := range p.ring.between(kindGap, from, to) {
		if !from.IsZero() && c.from.Before(from) {
			c.from = from
		}
		if !to.IsZero() && c.to.After(to) {
			c.to = to
		}
		sum += c.to.Sub(c.from)
	}
	return sum
}
