package profiles

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

// Waits says where requests wait: what a CPU profile cannot show. Goroutines
// are looked at about once a second; a request that waits for longer is seen
// more often.
type Waits struct {
	Looks  int         `json:"looks"`  // how often the goroutines were looked at
	Seen   float64     `json:"seen"`   // goroutines seen, all looks together
	Mean   float64     `json:"mean"`   // goroutines waiting at a time
	Places []WaitPlace `json:"places"` // where, the most frequent first
}

// WaitPlace is one place in own code that waits.
type WaitPlace struct {
	Function string  `json:"function"` // the own function nearest to the wait
	File     string  `json:"file"`
	Line     int64   `json:"line"`
	Reason   string  `json:"reason"` // what it waits for, in words
	In       string  `json:"in"`     // the library function that it called
	Share    float64 `json:"share"`  // of the goroutines seen, 0 to 1
}

// waitPlaces adds up the looks at one endpoint's goroutines.
type waitPlaces struct {
	seen   float64
	places map[WaitPlace]float64 // without a share
}

func (t *waitPlaces) add(frames []stacks.Frame, count float64) {
	if len(frames) == 0 {
		return
	}
	t.seen += count
	blocked := stacks.WaitOf(frames)
	if blocked.Reason == "" {
		return
	}
	i := blocked.Own
	if i < 0 { // a library's own goroutine: its innermost frame outside of Go's
		i = slices.IndexFunc(frames, func(f stacks.Frame) bool { return stacks.Owner(f.Function) == stacks.Dependency })
	}
	if i < 0 {
		return
	}
	if t.places == nil {
		t.places = map[WaitPlace]float64{}
	}
	t.places[WaitPlace{Function: frames[i].Function, File: frames[i].File, Line: frames[i].Line, Reason: blocked.Reason, In: blocked.In}] += count
}

func (t *waitPlaces) waits(looks, top int) Waits {
	w := Waits{Looks: looks, Seen: t.seen}
	waiting := 0.0
	for place, count := range t.places {
		waiting += count
		place.Share = count / t.seen
		w.Places = append(w.Places, place)
	}
	if looks > 0 {
		w.Mean = waiting / float64(looks)
	}
	slices.SortFunc(w.Places, func(a, b WaitPlace) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Line, b.Line))
	})
	w.Places = w.Places[:min(top, len(w.Places))]
	return w
}

// WaitsOf says where the goroutines of a profile of the kind ProfileWaits wait
// that work for an endpoint or region, at most at top places. It is a pure
// function.
func WaitsOf(p *profile.Profile, top int) Waits {
	var t waitPlaces
	if p == nil {
		return Waits{}
	}
	for _, s := range p.Sample {
		if stacks.Label(s, LabelStartedBy) == "" && !Unlabelled(s) { // no request waits in the others
			t.add(stacks.Of(s), float64(s.Value[0]))
		}
	}
	return t.waits(stacks.Rounds(p), top)
}

// AddWaits adds up two profiles of the kind ProfileWaits. Either may be nil.
func AddWaits(a, b *profile.Profile) (*profile.Profile, error) {
	if a == nil || b == nil {
		return cmp.Or(a, b), nil
	}
	sum, err := profile.Merge([]*profile.Profile{a, b})
	if err != nil {
		return nil, fmt.Errorf("merge goroutine profiles: %w", err)
	}
	sum.Comments = []string{fmt.Sprintf("rounds=%d", stacks.Rounds(a)+stacks.Rounds(b))}
	return sum, nil
}
