package cause

import (
	"strings"

	"github.com/latido-dev/latido/internal/stacks"
)

// fanOut is a function that starts goroutines for a request, and waits for them.
type fanOut struct{ endpoint, function string }

// ofRequests are the goroutines of requests. Those that wait in a function for
// goroutines that it started count as what these do: what they wait for is what
// the request waits for.
func (m *model) ofRequests() (list []sighting) {
	sums := map[fanOut]both{}
	for _, s := range m.seen {
		if by, ok := s.startedIn(m.unnamed); ok {
			sums[by] = sums[by].plus(s.both)
		}
	}
	waiting := map[fanOut]both{}
	for _, s := range m.seen {
		if s.endpoint == "" {
			continue
		}
		at, _ := own(s.frames)
		by := fanOut{s.endpoint, at.Function}
		sum, left := sums[by], s.both
		if s.wait.Kind == stacks.Group || s.wait.Kind == stacks.Receive || s.wait.Kind == stacks.Select {
			if sum.before > 0 {
				left.before = 0
			}
			if sum.after > 0 {
				left.after = 0
			}
		}
		waiting[by] = waiting[by].plus(both{s.before - left.before, s.after - left.after})
		if s.both = left; left != (both{}) {
			list = append(list, s)
		}
	}
	for _, s := range m.seen {
		by, ok := s.startedIn(m.unnamed)
		if !ok {
			continue
		}
		s.endpoint = by.endpoint
		s.both = both{waiting[by].before * per(s.before, sums[by].before), waiting[by].after * per(s.after, sums[by].after)}
		if s.both != (both{}) {
			list = append(list, s)
		}
	}
	return list
}

// startedIn is the function that started a goroutine for a request, if its code
// is written there. Of requests without a route, they are those to unnamed.
func (s *sighting) startedIn(unnamed string) (fanOut, bool) {
	if s.endpoint != "" || s.startedBy == "" {
		return fanOut{}, false
	}
	for i := len(s.frames) - 1; i >= 0; i-- {
		if f := s.frames[i].Function; stacks.Owner(f) == stacks.Own {
			outer, _, closure := strings.Cut(f, ".func")
			if isMethod(s.startedBy) {
				return fanOut{unnamed, outer}, closure && unnamed != ""
			}
			return fanOut{s.startedBy, outer}, closure
		}
	}
	return fanOut{}, false
}
