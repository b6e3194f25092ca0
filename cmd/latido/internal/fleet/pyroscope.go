package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
	"golang.org/x/sync/errgroup"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/cause"
)

const (
	// maxLabelSets is how many endpoints, callers and servers a kind of profile is
	// told apart by: Pyroscope adds up what it answers, and is asked for each.
	maxLabelSets = 8
	// usualGap is how often a process sends its profiles, where that is not known.
	usualGap = 15 * time.Second
	// leastRange is in how much time there are profiles of every process, the newest
	// two of which are read of a shorter one.
	leastRange, newest = time.Minute, 2
)

// profileType is one of Pyroscope's, and the sample type that it is of.
type profileType struct {
	id, sampleType, unit string
	level                bool // how much there is, and not how much there was of it
}

// profileTypes are the kinds of profile of continuous/. Those with labels tell
// endpoints apart.
var profileTypes = map[string]struct {
	types    []profileType
	labelled bool
}{
	continuous.ProfileCPU: {[]profileType{{"process_cpu:cpu:nanoseconds:cpu:nanoseconds", "cpu", "nanoseconds", false}}, true},
	continuous.ProfileHeap: {[]profileType{{"memory:alloc_space:bytes:space:bytes", "alloc_space", "bytes", false},
		{"memory:inuse_space:bytes:space:bytes", "inuse_space", "bytes", true}}, false},
	continuous.ProfileWaits: {[]profileType{{"goroutines:goroutine:count:goroutine:count", "goroutine", "count", false}}, true},
	continuous.ProfileMutex: {[]profileType{{"mutex:contentions:count:contentions:count", "contentions", "count", false},
		{"mutex:delay:nanoseconds:contentions:count", "delay", "nanoseconds", false}}, false},
}

// sampleLabels are those of the samples of the service's profiles.
var sampleLabels = []string{"endpoint", "method", "peer", "started_by", "region"}

// Profile reads one kind of profile of both times.
func (s *instances) Profile(ctx context.Context, kind string, ids []string, t cause.Times) (pair cause.Pair, err error) {
	if s.pyroscope == nil {
		return pair, nil
	}
	matchers := []string{fmt.Sprintf("domain=%q", s.domain.Prefix)}
	if len(ids) > 0 {
		matchers = append(matchers, "service_instance_id=~"+quoted(ids))
	}
	after, before := onGrid(t.After), cause.Range{}
	after.To = after.To.Add(grid) // the newest profiles are what tells most
	if t.Before.Length() > 0 {
		before = onGrid(t.Before)
		before.To = minTime(before.To, atLeast(after).From)
		before = atLeast(before)
	}
	// Alerts of one moment have the same question. The answer is for all of them,
	// whoever has no more time to wait for it.
	answer := s.asked.DoChan(fmt.Sprint(kind, ids, before, after), func() (any, error) {
		most := evidenceTimeout
		if deadline, set := ctx.Deadline(); set {
			most = time.Until(deadline)
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), most*4/5) // adding it up takes some of it
		defer cancel()
		return s.pair(ctx, kind, matchers, before, after)
	})
	select {
	case <-ctx.Done():
		return pair, ctx.Err()
	case got := <-answer:
		pair, _ = got.Val.(cause.Pair)
		if got.Shared {
			pair.Before, pair.After = copied(pair.Before), copied(pair.After)
		}
		return pair, got.Err
	}
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func copied(p *profile.Profile) *profile.Profile {
	if p == nil {
		return nil
	}
	return p.Copy()
}

// grid are the steps at which times begin and end, so that alerts of one moment
// have them in common.
const grid = 5 * time.Second

// onGrid is a range that begins and ends on the grid.
func onGrid(r cause.Range) cause.Range {
	return cause.Range{From: r.From.Truncate(grid), To: r.To.Truncate(grid)}
}

// atLeast is a range in which a profile can have begun.
func atLeast(r cause.Range) cause.Range {
	if r.Length() < leastRange {
		r.From = r.To.Add(-leastRange)
	}
	return r
}

// side is what is read of one time.
type side struct {
	r        cause.Range
	uploads  int           // how many there are of a process
	profiled time.Duration // how much of the time a process was profiled
	parts    []*profile.Profile
}

// pair reads one kind of both times: the whole first, and then what endpoints,
// callers and servers have of it, of which those count that came in time for both.
func (s *instances) pair(ctx context.Context, kind string, matchers []string, before, after cause.Range) (pair cause.Pair, err error) {
	types := profileTypes[kind].types
	sides := [2]*side{{r: before}, {r: after}}
	var sets []map[string]string
	var unlabelled error // which leaves the whole as it is
	var all errgroup.Group
	if profileTypes[kind].labelled {
		all.Go(func() error {
			sets, unlabelled = s.labelSets(ctx, types[0].id, matchers, before, atLeast(after))
			return nil
		})
	}
	for _, one := range sides {
		all.Go(func() error { return s.read(ctx, one, types, matchers) })
	}
	if err := all.Wait(); err != nil {
		return pair, err
	}

	found := make([][2][]*profile.Profile, len(sets))
	errs := make([]error, len(sets))
	var each errgroup.Group
	each.SetLimit(cap(turns) / 2) // in order: what moved most is there first
	for i, labels := range sets {
		each.Go(func() error {
			if ctx.Err() == nil {
				found[i], errs[i] = s.parts(ctx, sides, types, matchers, labels)
			}
			return nil
		})
	}
	_ = each.Wait()
	for _, one := range found {
		for i := range sides {
			sides[i].parts = append(sides[i].parts, one[i]...)
		}
	}
	if ctx.Err() == nil {
		err = errors.Join(append(errs, unlabelled)...)
	}
	var wrong [2]error
	pair.Before, wrong[0] = sides[0].sum(kind)
	pair.After, wrong[1] = sides[1].sum(kind)
	pair.BeforeFor, pair.AfterFor = sides[0].profiled, sides[1].profiled
	return pair, errors.Join(err, wrong[0], wrong[1])
}

// read reads the whole of one time, of each type.
func (s *instances) read(ctx context.Context, one *side, types []profileType, matchers []string) error {
	if one.r.Length() == 0 {
		return nil
	}
	came, err := s.uploads(ctx, types[0].id, matchers, atLeast(one.r))
	if err != nil {
		return err
	}
	one.r.From = minTime(one.r.From, came.newest(one.r))
	if one.uploads, one.profiled = came.since(one.r.From); one.uploads == 0 {
		return nil
	}
	one.parts, err = s.typed(ctx, one, types, matchers, nil)
	return err
}

// typed reads one set of labels of one time, of each type.
func (s *instances) typed(ctx context.Context, one *side, types []profileType, matchers []string, labels map[string]string) ([]*profile.Profile, error) {
	parts := make([]*profile.Profile, len(types))
	var all errgroup.Group
	for i, t := range types {
		all.Go(func() error {
			p, err := s.merged(ctx, t.id, with(matchers, labels), one.r)
			parts[i] = shaped(p, types, i, one.uploads, labels)
			return err
		})
	}
	return parts, all.Wait()
}

// parts reads one set of labels of both times: none of one without the other,
// which would look as if it had grown.
func (s *instances) parts(ctx context.Context, sides [2]*side, types []profileType, matchers []string, labels map[string]string) (parts [2][]*profile.Profile, err error) {
	var all errgroup.Group
	for i, one := range sides {
		if one.uploads > 0 {
			all.Go(func() (err error) {
				parts[i], err = s.typed(ctx, one, types, matchers, labels)
				return err
			})
		}
	}
	if err := all.Wait(); err != nil {
		return [2][]*profile.Profile{}, err
	}
	return parts, nil
}

// sum is all of one time; nil for nothing.
func (one *side) sum(kind string) (*profile.Profile, error) {
	sum, err := whole(one.parts)
	if err != nil {
		return nil, fmt.Errorf("%s profiles of Pyroscope: %w", kind, err)
	}
	if sum != nil && kind == continuous.ProfileWaits { // each was one look
		sum.Comments = []string{fmt.Sprintf("rounds=%d", one.uploads)}
	}
	return sum, nil
}

// whole adds up the parts of a profile, of which those with labels are in one
// without, too; nil for none.
func whole(parts []*profile.Profile) (*profile.Profile, error) {
	var all []*profile.Profile
	for _, p := range parts {
		if p == nil {
			continue
		}
		all = append(all, p)
		if len(p.Sample[0].Label) > 0 {
			less := p.Copy()
			less.Scale(-1)
			for _, sample := range less.Sample {
				sample.Label = nil
			}
			all = append(all, less)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	sum, err := profile.Merge(all)
	if err != nil {
		return nil, err
	}
	// What came while the parts were asked for is in some of them only.
	sum.Sample = slices.DeleteFunc(sum.Sample, func(sample *profile.Sample) bool { return slices.Max(sample.Value) <= 0 })
	return sum, nil
}

// with are matchers of one set of labels, or of whatever there is.
func with(matchers []string, labels map[string]string) string {
	all := slices.Clone(matchers)
	if labels != nil {
		for _, name := range sampleLabels {
			all = append(all, fmt.Sprintf("%s=%q", name, labels[name]))
		}
	}
	return "{" + strings.Join(all, ",") + "}"
}

// shaped is an answer of Pyroscope as continuous/ would have taken the profile:
// with all sample types of its kind, of which it has the one at i. It is nil for
// an empty one.
func shaped(p *profile.Profile, types []profileType, i, uploads int, labels map[string]string) *profile.Profile {
	if p == nil || len(p.Sample) == 0 {
		return nil
	}
	p.SampleType = nil
	for _, t := range types {
		p.SampleType = append(p.SampleType, &profile.ValueType{Type: t.sampleType, Unit: t.unit})
	}
	p.PeriodType, p.Period, p.DefaultSampleType = &profile.ValueType{Type: types[0].sampleType, Unit: types[0].unit}, 1, ""
	for _, sample := range p.Sample {
		v := sample.Value[0]
		if types[i].level {
			v /= int64(uploads)
		}
		sample.Value = make([]int64, len(types))
		sample.Value[i] = v
		sample.Label = nil
		for name, value := range labels {
			if value != "" {
				if sample.Label == nil {
					sample.Label = map[string][]string{}
				}
				sample.Label[name] = []string{value}
			}
		}
	}
	return p
}
