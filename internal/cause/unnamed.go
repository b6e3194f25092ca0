package cause

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/stacks"
)

// answers tells whether a goroutine answers a request of the service's own server.
func answers(s *profile.Sample, frames []stacks.Frame) bool {
	return stacks.Label(s, "method") != "" || slices.ContainsFunc(frames, func(f stacks.Frame) bool { return f.Function == "net/http.serverHandler.ServeHTTP" }) &&
		stacks.DeepestOwn(frames) >= 0
}

// nameUnnamed finds the endpoint that goroutines are taken to work for which
// answer requests and have no endpoint in the profiles: a router that names its
// route only afterwards, within a middleware. It is the one of those that the
// alert may be about that has lost the most time, or the most requests, and whose
// requests are nowhere in the profiles. So what all of them wait for more than
// they did is what its requests wait for. Where nothing is known of before, all
// that they wait for is: it must be most of it. "" is none.
func (m *model) nameUnnamed() string {
	named, nameless := map[string]bool{}, false
	p := m.in.Profiles
	for _, one := range []*profile.Profile{p.Waits.Before, p.Waits.After, p.CPU.Before, p.CPU.After} {
		if one == nil {
			continue
		}
		for _, s := range heaviest(one, 0) {
			if stacks.Label(s, "endpoint") != "" {
				named[nameOf(stacks.Label(s, "method"), stacks.Label(s, "endpoint"))] = true
			} else {
				nameless = nameless || answers(s, stacks.Of(s))
			}
		}
	}
	type lost struct {
		name           string
		time, requests float64
	}
	var list []lost
	whole := 0.0
	for name, e := range inOrder(m.endpoints) {
		if !named[name] {
			whole += e.requests.after * e.duration.after
		}
		if m.about(name) && !named[name] && !strings.HasSuffix(name, " "+domain.Unmatched) {
			one := lost{name, 0, -e.requests.growth()}
			if m.slower(e) {
				one.time = e.requests.after * e.duration.growth()
			}
			list = append(list, one)
		}
	}
	if len(list) == 0 || !nameless {
		return ""
	}
	most := slices.MaxFunc(list, func(a, b lost) int { return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.requests, b.requests)) })
	if m.t.Before == (Range{}) && most.time < 0.5*whole {
		return ""
	}
	return most.name
}

// isMethod tells of what started a goroutine that it is a request of which only
// the method was known.
func isMethod(startedBy string) bool {
	return slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}, startedBy)
}

// nameIn is the endpoint that a sample works for, "" for none.
func (m *model) nameIn(s *profile.Sample, frames []stacks.Frame) string {
	if e := stacks.Label(s, "endpoint"); e != "" {
		return nameOf(stacks.Label(s, "method"), e)
	}
	if m.unnamed != "" && answers(s, frames) {
		return m.unnamed
	}
	return ""
}

// nameBodies finds the host that goroutines read an answer from. Only a call that
// waits for the header says whom it calls; so it is the one that the same functions
// of own code mostly call.
func (m *model) nameBodies() {
	callers := func(s sighting) (names string) {
		for _, f := range s.frames {
			if stacks.Owner(f.Function) == stacks.Own {
				names += f.Function + "\n"
			}
		}
		return names
	}
	peers := map[string]map[string]float64{}
	for _, s := range m.seen {
		if by := callers(s); s.peer != "" && by != "" {
			if peers[by] == nil {
				peers[by] = map[string]float64{}
			}
			peers[by][s.peer] += s.before + s.after
		}
	}
	for i := range m.seen {
		s := &m.seen[i]
		if s.peer != "" || !s.reads() {
			continue
		}
		sum, most := 0.0, 0.0
		for name, seen := range inOrder(peers[callers(*s)]) {
			if sum += seen; seen > most {
				s.peer, most = name, seen
			}
		}
		if most < 0.8*sum { // they call several
			s.peer = ""
		}
	}
}

// reads tells whether a goroutine waits for the body of an answer.
func (s *sighting) reads() bool {
	return slices.ContainsFunc(s.frames, func(f stacks.Frame) bool { return f.Function == "net/http.(*bodyEOFSignal).Read" })
}

// readFrom tells whether those who wait for a host mostly have the header of its
// answer already.
func (m *model) readFrom(peer string) bool {
	reading, waiting := 0.0, 0.0
	for i := range m.seen {
		if s := &m.seen[i]; s.peer == peer && s.endpoint != "" {
			waiting += s.after
			if s.reads() {
				reading += s.after
			}
		}
	}
	return reading > 0.5*waiting
}
