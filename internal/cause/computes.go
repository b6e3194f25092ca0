package cause

import (
	"cmp"
	"slices"
	"strings"

	"github.com/latido-dev/latido/internal/stacks"
)

// leastCores is how much CPU time must have been added, in cores, to be worth a
// word.
const leastCores = 0.05

// leastPart is what one of several functions that work for one endpoint must have
// of the whole.
const leastPart = 0.1

// moreCPU is how much more CPU time is used, of what the alert is about: the
// machine's or the process's. It is 0 for about as much as before, and for an
// alert that somebody made fire while there is CPU left.
func (m *model) moreCPU() float64 {
	if m.in.Alert.Drill && !m.saturated() {
		return 0
	}
	own, others := m.cores.growth(), m.otherCores().growth()
	grown := max(own, 0) + max(others, 0)
	doubled := own > m.strict*m.cores.before && own > 0.2 // also where others keep the machine busy all the time
	if grown < leastCores || !doubled && grown < 0.25*m.strict*m.strict*(m.cores.before+m.otherCores().before) {
		return 0
	}
	return grown
}

// eachCore is how much of an alert on the CPU one more core that is used explains.
func (m *model) eachCore() float64 {
	whole := m.moreCPU()
	if whole <= 0 {
		return 0
	}
	return m.reach[cpu] * (1 - m.lessCPU()) / whole
}

// computes: own code takes more CPU time for the same number of requests.
func computes(m *model) (list []Finding) {
	type sum struct {
		share, most float64
		claim       claim
	}
	sums := map[string]*sum{}
	add := func(c claim, share float64) {
		if share <= 0 || isDatabase(c.through) { // that is the dependency's
			return
		}
		s := sums[c.at.Function]
		if s == nil {
			s = &sum{claim: c}
			sums[c.at.Function] = s
		}
		s.share += share
		if share > s.most {
			s.most, s.claim = share, c
		}
	}
	for _, c := range m.spentTime(claimCPU) {
		add(c, m.reach[latency]*c.share)
	}
	byTime := map[string]float64{}
	for name, s := range sums {
		byTime[name] = s.share
	}
	if each := m.eachCore(); each > 0 {
		for _, s := range sums {
			s.share, s.most = 0, 0
		}
		beside := m.moreBeside()
		for _, s := range m.spent {
			if s.collects {
				continue
			}
			more := m.endpointMore(s.endpoint)
			if m.f.first.IsZero() {
				more = beside(s.at.Function)
			}
			add(claim{at: s.at, through: s.through, library: s.leaf, endpoint: s.endpoint, both: s.both}, each*(s.after-s.before*more))
		}
	}
	const many = "all"            // no endpoint's name
	ofOne := map[string][]claim{} // functions that work for one endpoint, or many, "" for none
	for name, s := range inOrder(sums) {
		s.claim.share = max(s.share, byTime[name])
		s.claim.spread = s.claim.spread || s.most < 0.5*s.share
		if of := s.claim.endpoint; m.endpoints[of] != nil && s.claim.share >= leastPart {
			if s.claim.spread {
				of = many
			}
			ofOne[of] = append(ofOne[of], s.claim)
		} else {
			ofOne[""] = append(ofOne[""], s.claim)
		}
	}
	for of, claims := range inOrder(ofOne) {
		slices.SortFunc(claims, func(a, b claim) int {
			return cmp.Or(cmp.Compare(b.share, a.share), cmp.Compare(a.at.Function, b.at.Function))
		})
		whole := 0.0
		for _, c := range claims {
			whole += c.share
		}
		switch {
		case of != "" && whole >= floor && claims[0].share < 0.75*whole:
			list = append(list, m.computingMore(claims, whole))
		default:
			for _, c := range claims {
				if c.share >= floor {
					list = append(list, m.computingMore([]claim{c}, c.share))
				}
			}
		}
	}
	slices.SortFunc(list, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Function, b.Function))
	})
	return list
}

// moreBeside says of a function how many times as much CPU time all others take as
// before: without figures nothing else tells of more requests.
func (m *model) moreBeside() func(function string) float64 {
	sums := map[string]both{}
	for _, s := range m.spent {
		sums[s.at.Function] = sums[s.at.Function].plus(s.both)
	}
	return func(function string) float64 {
		own := sums[function]
		rest := both{m.cores.before - own.before, m.cores.after - own.after}
		if rest.before <= 0 {
			return 1
		}
		return max(rest.ratio(), 1)
	}
}

// muchAllocated is how many bytes a second take a good part of a CPU to allocate,
// clear, copy and collect.
const muchAllocated = 100 << 20

// computingMore says of one function that it computes more, or of several that
// they do for one endpoint, those that do it most first.
func (m *model) computingMore(claims []claim, share float64) Finding {
	w, c := m.w, claims[0]
	f := Finding{Kind: "cpu", Score: share, Function: c.at.Function, File: c.at.File, Line: c.at.Line, Endpoint: c.endpoint}
	mostly := ""
	if c.through != "" {
		mostly = w.Say(", mostly in %s", ", sobre todo en %s", library(c.through, ""))
	} else if c.library != "" && c.library != c.at.Function && stacks.Owner(c.library) != stacks.Own {
		mostly = w.Say(", mostly in %s", ", sobre todo en %s", written(c.library))
	}
	of, requests := c.endpoint, both{}
	if e := m.endpoints[c.endpoint]; e != nil {
		requests = e.requests
	}
	if c.spread {
		of, requests, f.Endpoint = "", m.requests, ""
	}
	all := both{} // of the functions, for those requests
	for _, s := range m.spent {
		if (s.endpoint == c.endpoint || c.spread) && slices.ContainsFunc(claims, func(c claim) bool { return s.at.Function == c.at.Function }) {
			all = all.plus(s.both)
		}
	}
	who := where(c.at)
	if len(claims) > 1 {
		who = w.Say("%s, with %s,", "%s, con %s,", who, where(claims[1].at))
	}
	if requests.after > 0 && c.endpoint != m.unnamed {
		each := both{per(all.before, requests.before), per(all.after, requests.after)}
		to := ""
		if of != "" {
			to = w.Say(" to %s", " a %s", of)
		}
		f.Sentence = w.Say("%s takes %s of CPU time for each request%s%s%s.", "%s usa %s de CPU por cada petición%s%s%s.",
			who, w.Seconds(each.after), to, w.was(w.Seconds(each.before), w.cpu && requests.before > 0), mostly)
		f.Rests = append(f.Rests, w.Say("requests%s: %s", "peticiones%s: %s", to, w.rateWas(requests)))
	} else {
		f.Sentence = w.Say("%s uses %s of CPU%s%s.", "%s usa %s de CPU%s%s.", who, w.coresOf(all.after), w.was(w.number(all.before), w.cpu), mostly)
	}
	if at, of, _ := m.grownMost("alloc_space"); at.Function == c.at.Function && of.after > muchAllocated && of.ratio() > 3 {
		f.Sentence = strings.TrimSuffix(f.Sentence, ".") + w.Say("; it allocates %s a second%s.", "; asigna %s por segundo%s.", w.Bytes(of.after), w.wasBytes(of.before))
	}
	if _, after, _ := m.release(); after != "" && all.before < 0.01*all.after { // it came with it
		f.Sentence = w.Say("Since version %s, %s", "Desde la versión %s, %s", after, f.Sentence)
	}
	f.Rests = append(f.Rests, m.ownCores())
	if v := m.valueOfMost(); v != "" {
		f.Rests = append(f.Rests, v)
	}
	f.Next = w.Say("Open the flame graph at %s and look at what it does with its input; if a release brought it, go back.",
		"Abrir el gráfico de llamas en %s y ver qué hace con su entrada; si lo trajo una versión nueva, volver a la anterior.", written(c.at.Function))
	return f
}

// ownCores is the CPU time of the process.
func (m *model) ownCores() string {
	return m.w.Say("CPU of the process: %s%s", "CPU del proceso: %s%s", m.w.coresOf(m.cores.after), m.w.wasCores(m.cores.before))
}
