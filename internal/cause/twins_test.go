package cause_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/stacks"
)

// twins is an input with another of each endpoint, host, pool, place and value, which
// does all that the first one does.
func twins(t *testing.T, in cause.Input) cause.Input {
	of := []string{"endpoint", "peer", "pool", "site", "canal", "clinica", "query", "change", "collection", "error_type"}
	in.Series = slices.Clone(in.Series)
	for _, s := range in.Series {
		twin := maps.Clone(s.Labels)
		for _, label := range of {
			if twin[label] != "" {
				twin[label] += "2"
			}
		}
		if !maps.Equal(twin, s.Labels) {
			s.Labels = twin
			in.Series = append(in.Series, s)
		}
	}
	for _, pair := range []*cause.Pair{&in.Profiles.CPU, &in.Profiles.Heap, &in.Profiles.Waits, &in.Profiles.Mutex, &in.Profiles.Goroutines} {
		for _, p := range []**profile.Profile{&pair.Before, &pair.After} {
			if *p == nil {
				continue
			}
			(*p).PeriodType = &profile.ValueType{} // Merge compares it
			twin := (*p).Copy()
			for _, f := range twin.Function {
				if stacks.Owner(f.Name) == stacks.Own {
					f.Name += "2"
				}
			}
			for _, s := range twin.Sample {
				for _, label := range of {
					if v := s.Label[label]; len(v) > 0 {
						s.Label[label] = []string{v[0] + "2"}
					}
				}
			}
			both, err := profile.Merge([]*profile.Profile{*p, twin})
			if err != nil {
				t.Fatal(err)
			}
			*p = both
		}
	}
	return in
}

// TestTwins: of those that are equal in all, the same one is told each time.
func TestTwins(t *testing.T) {
	t.Parallel()
	eachFault(t, func(t *testing.T, f fault) {
		s := newService(t, "en", true)
		f.tell(s)
		s.noise = 0
		in := twins(t, s.input())
		sameAgain(t, in, cause.Explain(in))
	})
}
