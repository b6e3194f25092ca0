package cause

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/latido-dev/latido/internal/stacks"
)

// steadyWorker is how many goroutines of one kind must have been there at a time
// for the service to rely on them.
const steadyWorker = 0.9

// stuckIn are the kinds of waiting, beside calls, of one who has work to do.
var stuckIn = []string{stacks.Pool, stacks.Lock, stacks.File, stacks.Log, stacks.Limiter}

// backlog: something that the service keeps the level of rises, as the goroutines
// that work it off, in the background, wait for somebody or have ended.
func backlog(m *model) (list []Finding) {
	if m.kind != event {
		return nil
	}
	e := m.eventOf()
	if !e.level || e.rate.growth() <= 0 || m.in.Alert.Op == "<" || m.looks.before == 0 || m.looks.after == 0 {
		return nil
	}
	w := m.w
	after, before := w.amounts(e.rate, true)
	rises := w.Say("; %s rose from %s to %s", "; %s subió de %s a %s", e.name, before, after)
	for root, all := range inOrder(m.workers()) {
		there := total(all)
		if there.before < steadyWorker {
			continue
		}
		if left := per(there.after, there.before); left < 0.5 {
			at := placeOfWork(all, root)
			list = append(list, Finding{
				Kind: "ended", Score: m.reach[event] * ofRise(1-left), Function: at.Function, File: at.File, Line: at.Line,
				Sentence: w.Say("Goroutines of %s have ended: %s are left, of %s%s.", "Terminaron goroutines de %s: quedan %s, de %s%s.",
					where(at), w.count(math.Round(there.after)), w.count(there.before), rises),
				Next: w.Say("Look in the log for what ended them: a panic that was recovered, an error after which %s returns.", "Buscar en el log qué las terminó: un pánico (panic) recuperado, un error tras el cual %s termina.", written(at.Function)),
			})
			continue
		}
		stuck := m.activities(func(s *sighting) (stacks.Frame, bool) {
			began, ok := s.worksIn()
			return placeOfWork([]sighting{*s}, root), ok && began == root && (calls(s.wait.Kind) || slices.Contains(stuckIn, s.wait.Kind))
		})
		if len(stuck) == 0 {
			continue
		}
		a := slices.MaxFunc(stuck, func(a, b activity) int { return cmp.Compare(a.growth(), b.growth()) })
		if a.growth() < 0.3*there.after {
			continue
		}
		if calls(a.kind) && a.peer == "" && a.through == "" {
			a.peer = m.silent()
		}
		list = append(list, Finding{
			Kind: "stuck", Score: m.reach[event] * ofRise(a.growth()/there.after), Function: a.function.Function, File: a.function.File, Line: a.function.Line, Peer: a.peer,
			Sentence: w.Say("%s %s: %s of %s goroutines at a time%s%s.", "%s %s: %s de %s goroutines a la vez%s%s.",
				where(a.function), w.does(&a), w.count(a.after), w.count(there.after), w.wasWaiting(a.before), rises),
			Next: w.Say("Look at what %s waits for; until it answers, give the wait a deadline.", "Ver qué espera %s; mientras no responda, darle un plazo a la espera.", written(a.function.Function)),
		})
	}
	slices.SortFunc(list, func(a, b Finding) int { return strings.Compare(a.Function, b.Function) })
	return list
}

// ofRise is what the reason why a level rises is worth: more than that it does.
func ofRise(share float64) float64 { return 0.86 + 0.14*min(share, 1) }

// workers are the goroutines of own code that serve nobody, by the function that
// they began in.
func (m *model) workers() map[string][]sighting {
	all := map[string][]sighting{}
	for _, s := range m.seen {
		if root, ok := s.worksIn(); ok {
			all[root] = append(all[root], s)
		}
	}
	return all
}

// worksIn is the function that a goroutine began in which serves nobody.
func (s *sighting) worksIn() (root string, ok bool) {
	f := rootOf(s.frames)
	return f.Function, stacks.Owner(f.Function) == stacks.Own && s.endpoint == "" && s.startedBy == ""
}

// placeOfWork is the innermost place in the package in which goroutines began: what
// they call elsewhere, many may call.
func placeOfWork(all []sighting, root string) (at stacks.Frame) {
	most := 0.0
	for _, s := range all {
		i := slices.IndexFunc(s.frames, func(f stacks.Frame) bool { return stacks.Package(f.Function) == stacks.Package(root) })
		if i >= 0 && s.before+s.after > most {
			most, at = s.before+s.after, s.frames[i]
		}
	}
	return at
}

// silent is the one host whose calls no longer end, "" for none or several.
func (m *model) silent() (peer string) {
	for name, p := range m.peers() {
		if p.calls.before*m.f.span(m.t.Before) < fewRequests || p.calls.after-p.failed.after > 0.3*p.calls.before {
			continue
		}
		if peer != "" {
			return ""
		}
		peer = name
	}
	return peer
}
