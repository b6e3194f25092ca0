package continuous

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/profiles"
)

// heaviestSamples keeps the n samples that matter the most, and adds up the others:
// for each combination of labels there is one whose only frame is _other, so
// that sums by endpoint stay what they were. The profile given is not used any
// more.
func heaviestSamples(p *profile.Profile, n int) (*profile.Profile, error) {
	if len(p.Sample) <= n {
		return p, nil
	}
	totals := make([]float64, len(p.SampleType))
	for _, s := range p.Sample {
		for i, v := range s.Value {
			totals[i] += float64(v)
		}
	}
	weight := make(map[*profile.Sample]float64, len(p.Sample)) // the largest share of any total
	for _, s := range p.Sample {
		for i, v := range s.Value {
			if totals[i] > 0 && len(s.Location) > 0 {
				weight[s] = max(weight[s], float64(v)/totals[i])
			}
		}
	}
	slices.SortStableFunc(p.Sample, func(a, b *profile.Sample) int { return cmp.Compare(weight[b], weight[a]) })
	function := &profile.Function{ID: 1, Name: profiles.OtherSamples, SystemName: profiles.OtherSamples}
	location := &profile.Location{ID: 1, Line: []profile.Line{{Function: function}}}
	for _, f := range p.Function {
		function.ID = max(function.ID, f.ID+1)
	}
	for _, l := range p.Location {
		location.ID = max(location.ID, l.ID+1)
	}
	others := map[string]*profile.Sample{}
	for _, s := range p.Sample[n:] {
		key := labelsOf(s)
		if others[key] == nil {
			others[key] = &profile.Sample{Location: []*profile.Location{location}, Value: make([]int64, len(s.Value)), Label: s.Label}
		}
		for i, v := range s.Value {
			others[key].Value[i] += v
		}
	}
	p.Sample = p.Sample[:n:n]
	for _, key := range slices.Sorted(maps.Keys(others)) {
		p.Sample = append(p.Sample, others[key])
	}
	p.Function, p.Location = append(p.Function, function), append(p.Location, location)
	small, err := profile.Merge([]*profile.Profile{p}) // without what no sample has any more
	if err != nil {
		return nil, fmt.Errorf("the heaviest samples: %w", err)
	}
	small.Comments = p.Comments
	return small, nil
}

// labelsOf is what tells samples of the same stack apart.
func labelsOf(s *profile.Sample) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.Label)) {
		fmt.Fprintf(&b, "%q=%q;", name, s.Label[name])
	}
	return b.String()
}
