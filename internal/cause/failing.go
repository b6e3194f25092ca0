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

// site is where answers of one kind come from.
type site struct {
	endpoint, status, text string
	both
}

// sites are where the added errors come from, the most first.
func (m *model) sites(bad func(string) bool) []site {
	type key struct{ endpoint, status, text string }
	sums := map[key]both{}
	for _, s := range m.f.byName[m.family("failures")] {
		name := nameOf(s.Labels["method"], s.Labels["endpoint"])
		if !m.about(name) || !bad(s.Labels["status"]) {
			continue
		}
		k := key{s.Labels["endpoint"], s.Labels["status"], s.Labels["site"]}
		sums[k] = sums[k].plus(both{m.f.rate(s, m.t.Before), m.f.rate(s, m.t.After)})
	}
	list := make([]site, 0, len(sums))
	for k, b := range sums {
		if b.growth() > 0 {
			list = append(list, site{k.endpoint, k.status, k.text, b})
		}
	}
	slices.SortFunc(list, func(a, b site) int {
		return cmp.Or(cmp.Compare(b.growth(), a.growth()), strings.Compare(a.text, b.text), strings.Compare(a.endpoint, b.endpoint))
	})
	return list
}

// siteText is how the label site is written: shop.(*API).create (orders.go:88).
var siteText = regexp.MustCompile(`^(.*) \((.*):(\d+)\)$`)

// answering is the function that most of the added errors come from, and the
// outermost function that called it: itself, where none is known.
func (m *model) answering(bad func(string) bool) (inner, outer stacks.Frame) {
	list := m.sites(bad)
	if len(list) == 0 {
		return inner, outer
	}
	by, caller, called := strings.Cut(list[0].text, " < ")
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

// mostAdded is the endpoint and the status of most of the answers that the alert
// holds against the service, and how many of them a second; "" for none.
func (m *model) mostAdded() (endpoint, status string, most both) {
	for name, e := range m.endpoints {
		if !m.about(name) {
			continue
		}
		for s, rate := range e.byStatus {
			x := both{rate.before * e.more(), rate.after}
			if m.bad(s) && (x.growth() > most.growth() || x.growth() == most.growth() && name+s < endpoint+status) {
				endpoint, status, most = name, s, x
			}
		}
	}
	return endpoint, status, most
}

// failing: which answers there are more of, from which line, of which type.
func failing(m *model) (list []Finding) {
	reach := m.reach[failures]
	if reach <= 0 || !m.manyFail() {
		return nil
	}
	w := m.w
	added := m.added()
	endpoint, status, most := m.mostAdded()
	if endpoint == "" {
		return nil
	}
	e := m.endpoints[endpoint]
	inner, outer := m.answering(m.bad)
	f := Finding{Kind: "errors", Endpoint: endpoint, Function: inner.Function, File: inner.File, Line: inner.Line}
	from := ""
	if f.Function != "" {
		from = w.Say(", from %s", ", desde %s", placeText(f))
		if outer != inner {
			from += w.Say(", called by %s", ", llamada por %s", where(outer))
		} else if handler, ok := m.within(f.Function, endpoint); ok {
			from += w.Say(", which calls %s", ", que llama a %s", written(handler))
		}
	}
	kind, types := m.errorType()
	of := both{per(e.byStatus[status].before, e.requests.before), per(e.byStatus[status].after, e.requests.after)}
	share := min(most.growth()/added, 1)
	switch {
	case kind == "panic" && types > 0.3*added:
		f.Kind, f.Score = "panic", reach*min(types/added, 1)
		f.Sentence = w.Say("%s panics: %s of the requests to %s end in %s%s.", "%s entra en pánico (panic): el %s de las peticiones a %s termina en %s%s.",
			cmp.Or(placeText(f), w.T("A handler", "Un handler")), w.Percent(of.after), endpoint, status, w.wasPercent(of.before))
		f.Next = w.Say("Read the panic in the log, and check the input or the nil value in %s.", "Leer el panic en el log, y revisar la entrada o el valor nil en %s.", cmp.Or(f.Function, endpoint))
	default:
		f.Score = reach * share * 0.7
		what := ""
		if kind != "" {
			what = w.Say(" (%s)", " (%s)", kind)
		}
		f.Sentence = w.Say("%s answers %s%s to %s of its requests%s%s.", "%s responde %s%s al %s de sus peticiones%s%s.",
			endpoint, status, what, w.Percent(of.after), w.was(w.T("", "al ")+w.Percent(of.before), e.requests.before > 0), from)
		if strings.HasSuffix(endpoint, " "+domain.Unmatched) {
			f.Sentence = w.Say("%s are answered %s before their route is known: %s%s.", "%s reciben %s antes de conocerse su ruta: %s%s.",
				humanize.Capital(w.requestsTo(strings.TrimSuffix(endpoint, " "+domain.Unmatched))), status, w.rateWas(most), from)
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
	for name, sum := range sums {
		if sum > most || sum == most && name < handler {
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
	for name, rate := range m.f.rates(m.family("api_errors"), m.t, func(l map[string]string) (string, bool) { return l["error_type"], l["error_type"] != "" }) {
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
	_, at := m.answering(m.bad)
	f.Function, f.File, f.Line = at.Function, at.File, at.Line
	if endpoint, status, most := m.mostAdded(); most.growth() > 0 {
		f.Endpoint = endpoint
		whose = m.w.Say("; %s of the requests to %s end in %s", "; el %s de las peticiones a %s termina en %s", m.w.Percent(per(most.after, m.endpoints[endpoint].requests.after)), endpoint, status)
	}
	return f, whose, true
}
