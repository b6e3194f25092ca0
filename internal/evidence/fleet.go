package evidence

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/stacks"
)

// Fleet is a service that runs in other processes: its instances, which may be
// gone. Its methods are called at once by several goroutines, and end with their
// context.
type Fleet interface {
	// Series are the samples of the instances that an alert's labels leave: those
	// of its job, and of its instance where it has one.
	Series(ctx context.Context, labels map[string]string, ranges ...cause.Range) ([]cause.Series, error)
	// Profile is one kind of profile, as continuous/ names it, of both times: of
	// the processes with these ids, of all for none.
	Profile(ctx context.Context, kind string, ids []string, t cause.Times) (cause.Pair, error)
}

// instanceLabel is Prometheus' for the one that a series is of.
const instanceLabel = "instance"

// chosen are the instances that an alert is about, and the series that explain it.
type chosen struct {
	names  []string // the worst first; none for all alike
	of     int      // how many there are in the bad time
	series []cause.Series
	w      words
}

// What makes one instance worse than the others.
const (
	// asBad is how much of the worst one's excess another has that is told with it,
	// and mostOf how many are as bad where it is all of them.
	asBad, mostOf = 0.5, 0.75
	// maxNamed is how many are named.
	maxNamed = 3
)

// choose finds the instance that an alert is about: the one that it names, or the
// one with most of the excess. Where all have about as much, or nobody can tell,
// it is all of them.
func (r *Recorder) choose(in cause.Input) chosen {
	c := chosen{series: in.Series, w: r.words}
	if r.cfg.Fleet == nil {
		return c
	}
	byInstance := map[string][]cause.Series{}
	for _, s := range in.Series {
		byInstance[s.Labels[instanceLabel]] = append(byInstance[s.Labels[instanceLabel]], s)
	}
	delete(byInstance, "")
	t, named := r.cfg.compared(in), in.Alert.Labels[instanceLabel]
	// Which one it is, the time tells in which the rule is met. What changed may have
	// begun long before, with others.
	if met := in.Alert.ActiveAt.Add(-in.Alert.Window); t.After.From.Before(met) && met.Before(t.After.To) {
		t.After.From = met
	}
	maps.DeleteFunc(byInstance, func(name string, series []cause.Series) bool { // a release may have taken it away
		return name != named && !slices.ContainsFunc(series, func(s cause.Series) bool {
			return len(s.Points) > 0 && s.Points[len(s.Points)-1].At.After(t.After.From)
		})
	})
	c.of = len(byInstance)
	if named != "" && byInstance[named] != nil {
		c.names, c.series = []string{named}, byInstance[named]
		return c
	}
	if c.of < 2 {
		return c
	}
	for _, t := range []cause.Times{t, {After: t.After}} { // what grew, or else what is
		type one struct {
			name   string
			excess float64
		}
		var list []one
		sum := 0.0
		for name, series := range byInstance {
			of := in
			of.Series, of.Times = series, t
			excess := cause.Excess(of)
			list = append(list, one{name, excess})
			sum += excess
		}
		slices.SortFunc(list, func(a, b one) int {
			return cmp.Or(cmp.Compare(b.excess, a.excess), strings.Compare(a.name, b.name))
		})
		worst := list[0].excess
		if sum <= 0 {
			continue
		}
		for _, o := range list {
			if o.excess >= asBad*worst {
				c.names = append(c.names, o.name)
			}
		}
		if float64(len(c.names)) > mostOf*float64(c.of) {
			c.names = nil
			return c
		}
		c.series = byInstance[c.names[0]]
		return c
	}
	return c
}

// sentence says which instances a sentence is about.
func (c chosen) sentence(text string) string {
	if len(c.names) == 0 || c.of < 2 || text == "" {
		return text
	}
	names := strings.Join(c.names[:min(len(c.names), maxNamed)], ", ")
	if len(c.names) > maxNamed {
		names += "…"
	}
	return c.w.Say("%s (%d of %d instances): %s", "%s (%d de %d instancias): %s", names, len(c.names), c.of, text)
}

// fleetProfiles reads the profiles of the processes that an input's series are
// of. Each kind is read by itself: one that takes too long costs no other.
func (r *Recorder) fleetProfiles(ctx context.Context, in cause.Input) (found cause.Profiles, notes []string) {
	ids := r.ids(in)
	pairs := r.eachKind(ctx, func(ctx context.Context, kind string) cause.Pair {
		pair, err := r.cfg.Fleet.Profile(ctx, kind, ids, in.Times)
		if err != nil && ctx.Err() == nil {
			r.storeFault("the service's "+kind+" profiles", err)
		}
		pair.Before, pair.After = largest(pair.Before), largest(pair.After)
		return pair
	})
	if pairs(&found) {
		notes = append(notes, r.words.profilesLate())
	}
	found.Goroutines = cause.Pair{Before: atOnce(found.Waits.Before), After: atOnce(found.Waits.After)}
	return found, append(notes, r.lacks(found.CPU, in.Times)...)
}

// ids are the names that the processes of an input's series have in their
// profiles.
func (r *Recorder) ids(in cause.Input) (ids []string) {
	info, _ := r.cfg.Domain.Metric("build_info")
	for _, s := range in.Series {
		id := s.Labels["service_instance_id"]
		if s.Name == info.Family && id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// atOnce are the goroutines that there are at a time, of a profile that was looked
// at several times; nil of none.
func atOnce(p *profile.Profile) *profile.Profile {
	if p == nil {
		return nil
	}
	one, rounds := p.Copy(), float64(max(stacks.Rounds(p), 1))
	one.Comments = nil
	for _, s := range one.Sample {
		s.Value[0] = int64(math.Round(float64(s.Value[0]) / rounds))
	}
	one.Sample = slices.DeleteFunc(one.Sample, func(s *profile.Sample) bool { return s.Value[0] == 0 })
	return one
}
