package cause

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/humanize"
	"github.com/latido-dev/latido/internal/stacks"
)

// siteText is how the label site is written: shop.(*API).create (orders.go:88).
var siteText = regexp.MustCompile(`^(.*) \((.*):(\d+)\)$`)

// answering is the function that most of the added errors come from, of those that
// are asked for, and the outermost function that called it: itself, where none is
// known.
func (m *model) answering(these func(route, status string) bool) (inner, outer stacks.Frame) {
	text, most := "", 0.0
	for site, rate := range inOrder(m.f.rates(m.family("failures"), m.t, func(l map[string]string) (string, bool) {
		return l["site"], m.about(nameOf(l["method"], l["endpoint"])) && these(l["endpoint"], l["status"])
	})) {
		if g := rate.growth(); g > most {
			text, most = site, g
		}
	}
	if most == 0 {
		return inner, outer
	}
	by, caller, called := strings.Cut(text, " < ")
	inner = readSite(by)
	if !called {
		return inner, inner
	}
	return inner, readSite(caller)
}

// readSite reads a place as siteText has it.
func readSite(text string) stacks.Frame {
	parts := siteText.FindStringSubmatch(text)
	if parts == nil {
		return stacks.Frame{Function: text}
	}
	line, _ := strconv.ParseInt(parts[3], 10, 64)
	return stacks.Frame{Function: parts[1], File: parts[2], Line: line}
}

// badAnswers are those that an alert holds against the service: of some endpoints, of
// some statuses, so many a second. What was before is as of now's requests.
type badAnswers struct {
	endpoints, statuses []string // the most added first
	both
}

// has tells whether answers of a route with a status are among them. Where answers
// come from is counted by route, whatever the method.
func (a badAnswers) has(route, status string) bool {
	return slices.Contains(a.statuses, status) && slices.ContainsFunc(a.endpoints, func(name string) bool {
		_, of := split(name)
		return of == route
	})
}

// anyBad tells whether the alert holds an answer against the service.
func (m *model) anyBad(_, status string) bool { return m.bad(status) }

// addedAnswers are those that there are more of, by endpoint and status, the most
// first.
func (m *model) addedAnswers() (list []badAnswers) {
	for name, e := range inOrder(m.endpoints) {
		for status, rate := range inOrder(e.byStatus) {
			if x := (both{rate.before * e.more(), rate.after}); m.about(name) && m.bad(status) && x.growth() > 0 {
				list = append(list, badAnswers{[]string{name}, []string{status}, x})
			}
		}
	}
	slices.SortFunc(list, func(a, b badAnswers) int {
		return cmp.Or(cmp.Compare(b.growth(), a.growth()), slices.Compare(a.endpoints, b.endpoints), slices.Compare(a.statuses, b.statuses))
	})
	return list
}

const (
	mostOfAdded = 0.6  // the part of the added answers that is told for all of them
	leastNamed  = 0.05 // of the largest: fewer are not named
)

// together are most of the added answers, as one: those of one endpoint with one
// status if they are most of them, else those of one endpoint, else those with one
// status, else all.
func (m *model) together() (most badAnswers) {
	list, sum := m.addedAnswers(), m.added()
	for _, key := range []func(a badAnswers) string{
		func(a badAnswers) string { return a.endpoints[0] + a.statuses[0] },
		func(a badAnswers) string { // without a route, whatever the method
			if isUnmatched(a.endpoints[0]) {
				return domain.Unmatched
			}
			return a.endpoints[0]
		},
		func(a badAnswers) string { return a.statuses[0] },
		func(badAnswers) string { return "" },
	} {
		groups, largest := map[string]badAnswers{}, map[string]float64{}
		most = badAnswers{}
		for _, a := range list {
			k := key(a)
			g := groups[k]
			g.both = g.plus(a.both)
			largest[k] = max(largest[k], a.growth())
			told := a.growth() > leastNamed*largest[k]
			if told && !slices.Contains(g.endpoints, a.endpoints[0]) {
				g.endpoints = append(g.endpoints, a.endpoints[0])
			}
			if told && !slices.Contains(g.statuses, a.statuses[0]) {
				g.statuses = append(g.statuses, a.statuses[0])
			}
			if groups[k] = g; g.growth() > most.growth() {
				most = g
			}
		}
		if most.growth() >= mostOfAdded*sum {
			break
		}
	}
	return most
}

func isUnmatched(endpoint string) bool { return strings.HasSuffix(endpoint, " "+domain.Unmatched) }

// requestsOf are those to the endpoints of a, a second.
func (m *model) requestsOf(a badAnswers) (sum both) {
	for _, name := range a.endpoints {
		sum = sum.plus(m.endpoints[name].requests)
	}
	return sum
}

// asked are the endpoints that the alert may be about and that anybody asks.
func (m *model) asked() (n int) {
	for name, e := range m.endpoints {
		if m.about(name) && e.requests.after > 0 {
			n++
		}
	}
	return n
}

// failing: which answers there are more of, from which line, of which type.
func failing(m *model) (list []Finding) {
	reach := m.reach[failures]
	if reach <= 0 || !m.manyFail() {
		return nil
	}
	w := m.w
	added := m.added()
	most := m.together()
	if most.growth() <= 0 {
		return nil
	}
	inner, outer := m.answering(most.has)
	f := Finding{Kind: "errors", Function: inner.Function, File: inner.File, Line: inner.Line}
	whose := w.Say("%d of %d endpoints", "%d de %d endpoints", len(most.endpoints), m.asked())
	if len(most.endpoints) == 1 {
		f.Endpoint, whose = most.endpoints[0], most.endpoints[0]
	}
	from := ""
	if f.Function != "" {
		from = w.Say(", from %s", ", desde %s", placeText(f))
		if outer != inner {
			from += w.Say(", called by %s", ", llamada por %s", where(outer))
		} else if handler, ok := m.within(f.Function, f.Endpoint); ok {
			from += w.Say(", which calls %s", ", que llama a %s", written(handler))
		}
	}
	kind, types := m.errorType()
	requests := m.requestsOf(most)
	of := both{per(most.before, requests.after), per(most.after, requests.after)}
	status := w.all(most.statuses[:min(3, len(most.statuses))])
	share := min(most.growth()/added, 1)
	switch {
	case kind == "panic" && types > 0.3*added:
		f.Kind, f.Score = "panic", reach*min(types/added, 1)
		f.Sentence = w.Say("%s panics: %s of the requests to %s end in %s%s.", "%s entra en pánico (panic): el %s de las peticiones a %s termina en %s%s.",
			cmp.Or(placeText(f), w.T("A handler", "Un handler")), w.Percent(of.after), whose, status, w.wasPercent(of.before))
		f.Next = w.Say("Read the panic in the log, and check the input or the nil value in %s.", "Leer el panic en el log, y revisar la entrada o el valor nil en %s.", cmp.Or(f.Function, whose))
	default:
		f.Score = reach * share * 0.7
		what := ""
		if kind != "" {
			what = w.Say(" (%s)", " (%s)", kind)
		}
		was := w.was(w.T("", "al ")+w.Percent(of.before), requests.before > 0)
		switch {
		case !slices.ContainsFunc(most.endpoints, func(name string) bool { return !isUnmatched(name) }):
			f.Sentence = w.Say("%s are answered %s before their route is known: %s%s.", "%s reciben %s antes de conocerse su ruta: %s%s.",
				humanize.Capital(w.requestsTo(strings.TrimSuffix(f.Endpoint, " "+domain.Unmatched))), status, w.rateWas(most.both), from)
		case len(most.endpoints) > 1:
			f.Sentence = w.Say("%s answer %s%s to %s of their requests%s%s.", "%s responden %s%s al %s de sus peticiones%s%s.", whose, status, what, w.Percent(of.after), was, from)
		default:
			f.Sentence = w.Say("%s answers %s%s to %s of its requests%s%s.", "%s responde %s%s al %s de sus peticiones%s%s.", whose, status, what, w.Percent(of.after), was, from)
		}
		f.Next = w.T("Read which condition there leads to that answer, and what changed in the input or in what it is checked against.", "Leer qué condición lleva ahí a esa respuesta, y qué cambió en la entrada o en aquello con lo que se compara.")
	}
	f.Rests = []string{w.Say("bad answers: %s more; requests: %s", "respuestas malas: %s más; peticiones: %s", w.rate(added), w.rate(m.requests.after))}
	return append(list, f)
}

// within is the function that serves an endpoint within one that serves several:
// one that writes what goes wrong in any of them, or lets requests through.
func (m *model) within(wrapper, endpoint string) (handler string, ok bool) {
	sums := map[string]float64{}
	shared := false
	for _, s := range m.seen {
		for i := 1; i < len(s.frames) && s.endpoint != ""; i++ {
			if written(s.frames[i].Function) != wrapper {
				continue
			}
			shared = shared || s.endpoint != endpoint
			if f := s.frames[i-1]; s.endpoint == endpoint && stacks.Owner(f.Function) == stacks.Own && written(f.Function) != wrapper {
				sums[f.Function] += s.before + s.after
			}
			break
		}
	}
	most := 0.0
	for name, sum := range inOrder(sums) {
		if sum > most {
			most, handler, ok = sum, name, true
		}
	}
	return handler, ok && shared
}

func placeText(f Finding) string {
	if f.File == "" {
		return written(f.Function)
	}
	return written(f.Function) + " (" + f.File + ":" + strconv.FormatInt(f.Line, 10) + ")"
}

// errorType is the type of error that there is the most more of, and how many
// more a second.
func (m *model) errorType() (kind string, grown float64) {
	for name, rate := range inOrder(m.f.rates(m.family("api_errors"), m.t, func(l map[string]string) (string, bool) { return l["error_type"], l["error_type"] != "" })) {
		if g := rate.growth(); g > grown {
			kind, grown = name, g
		}
	}
	return kind, grown
}

// errorsOf is how many more errors there are of a type, a second.
func (m *model) errorsOf(kind string) both {
	return m.f.rates(m.family("api_errors"), m.t, func(l map[string]string) (string, bool) { return "", l["error_type"] == kind })[""]
}

// failingWith begins the finding of a cause whose errors have a type of their own:
// its score is what they are of the added answers, and whose says of which endpoint
// they are the most.
func (m *model) failingWith(kind string) (f Finding, whose string, ok bool) {
	grown := m.errorsOf(kind).growth()
	if m.reach[failures] <= 0 || grown*m.f.span(m.t.After) < 3 {
		return f, "", false
	}
	f.Score = m.reach[failures] * min(grown/max(m.added(), 1e-9), 1)
	_, at := m.answering(m.anyBad)
	f.Function, f.File, f.Line = at.Function, at.File, at.Line
	if list := m.addedAnswers(); len(list) > 0 {
		most := list[0]
		f.Endpoint = most.endpoints[0]
		whose = m.w.Say("; %s of the requests to %s end in %s", "; el %s de las peticiones a %s termina en %s", m.w.Percent(per(most.after, m.requestsOf(most).after)), f.Endpoint, most.statuses[0])
	}
	return f, whose, true
}
