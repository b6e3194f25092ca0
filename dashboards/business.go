package dashboards

import (
	"cmp"
	"slices"
	"strings"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/humanize"
	"github.com/latido-dev/latido/internal/promname"
)

// business is the dashboard of the domain's own events.
func (b *board) business() page {
	p := page{
		name: "business", title: b.T("Business", "Negocio"), from: "now-6h",
		about: cmp.Or(sentence(b.d.Description), sentence(b.T("What the service is about", "De qué trata el servicio"))),
		sections: []section{
			{title: humanize.Spoken(b.d.Entity), panels: b.entities()},
		},
	}
	for i := range b.d.Events {
		p.sections = append(p.sections, b.event(b.metric(b.d.Events[i].Name)))
	}
	p.sections = append(p.sections,
		section{b.T("What an event costs", "Cuánto cuesta un evento"), b.costs()},
		section{b.T("Thresholds", "Umbrales"), append(b.thresholds(ofBusiness), b.expressions()...)})
	return p
}

// ofBusiness tells which thresholds belong to this dashboard.
func ofBusiness(m domain.Metric) bool {
	return m.Event != nil || strings.HasPrefix(m.Key, "entities_") || strings.HasPrefix(m.Key, "event_")
}

// entities are about what the service makes.
func (b *board) entities() []panel {
	of := func(key, title, about string) panel {
		m := b.metric(key)
		p := b.perMinute(m, nil)
		p.title, p.about, p.width = title, about+" "+b.dashed(), 12
		p.queries[0].legend = title
		return p
	}
	e := b.d.Entity
	return []panel{
		of("entities_created", b.T(humanize.Spoken(e)+": created", "Altas de "+e), b.T("New ones a minute.", "Nuevas por minuto.")),
		of("entities_updated", b.T(humanize.Spoken(e)+": updated", "Cambios de "+e), b.T("Changes a minute.", "Cambios por minuto.")),
	}
}

// event is the section of one event: a panel of its kind, and one for each of
// its thresholds that are about something else than what that panel shows.
func (b *board) event(m domain.Metric) section {
	s := section{title: humanize.Spoken(m.Key)}
	about := sentence(m.Description)
	split := splitting(m)
	switch m.Kind {
	case domain.KindCounter:
		p := b.perMinute(m, split)
		p.title, p.about = humanize.Spoken(m.Key)+b.T(" a minute", " por minuto"), about+" "+b.dashed()
		s.panels = append(s.panels, p)
	case domain.KindUpDown:
		s.panels = append(s.panels, panel{
			kind: timeseries, title: humanize.Spoken(m.Key) + b.T(" now", " ahora"), about: about, unit: unitOf(m.Unit), width: 12, height: 8, stacked: len(split) > 0,
			queries: []query{{expr: sum(b.ranged("", m, "", ""), split...), legend: cmp.Or(legend(split), humanize.Spoken(m.Key))}}, lines: b.lines(m, domain.StatValue),
		})
	case domain.KindGauge:
		s.panels = append(s.panels, panel{
			kind: timeseries, title: humanize.Spoken(m.Key), about: about, unit: unitOf(m.Unit), width: 12, height: 8, empty: b.T("Not known: it was not set", "No se sabe: no se ha fijado"),
			queries: []query{{expr: aggregated("max", b.ranged("", m, "", ""), split), legend: cmp.Or(legend(split), humanize.Spoken(m.Key))}}, lines: b.lines(m, domain.StatValue),
		})
	default:
		lines := b.lines(m, domain.StatP50)
		for _, stat := range []domain.Stat{domain.StatP95, domain.StatP99, domain.StatMean} {
			lines = append(lines, b.lines(m, stat)...)
		}
		usual, queries := b.T("Half, 95 and 99 of 100 are below; and the mean.", "La mitad, 95 y 99 de cada 100 están por debajo; y la media."), b.quantiles(m)
		if m.Signed() { // its sum falls: there is no mean
			usual = b.T("Half, 95 and 99 of 100 are below.", "La mitad, 95 y 99 de cada 100 están por debajo.")
		} else {
			queries = append(queries, query{expr: b.mean(m, nil), legend: b.T("mean", "media")})
		}
		s.panels = append(s.panels, panel{
			kind: heatmap, title: humanize.Spoken(m.Key), about: about + " " + b.T("How many had which value.", "Cuántos tuvieron qué valor."), unit: unitOf(m.Unit), width: 12, height: 8,
			queries: []query{b.buckets(m)},
		}, panel{
			kind: timeseries, title: humanize.Spoken(m.Key) + b.T(": usual values", ": valores habituales"), unit: unitOf(m.Unit), width: 12, height: 8,
			about: about + " " + usual, queries: queries, lines: lines,
		})
	}
	s.panels = append(s.panels, b.thresholds(func(of domain.Metric) bool { return of.Key == m.Key })...)
	for _, t := range b.d.Thresholds {
		if t.Event == m.Key {
			b.drawn[t.Name] = true
		}
	}
	if len(s.panels) == 1 {
		s.panels[0].width = 24
	}
	return s
}

// perMinute is the panel of a counter: people think of events in minutes. The
// bounds of rates are turned into minutes too.
func (b *board) perMinute(m domain.Metric, split []string) panel {
	p := panel{
		kind: timeseries, unit: unitOf(m.Unit), width: 12, height: 8, stacked: len(split) > 0, axis: b.T("a minute", "por minuto"),
		queries: []query{{expr: sum(b.rate(m, ""), split...) + " * 60", legend: cmp.Or(legend(split), humanize.Spoken(m.Key))}},
		before:  sum(b.rate(m, "")) + " * 60",
	}
	for _, l := range b.lines(m, domain.StatRate) {
		l.bound *= 60
		p.lines = append(p.lines, l)
	}
	return p
}

// maxSplit is by how many values a panel keeps its series apart.
const maxSplit = 12

// splitting is the label that an event's panel keeps apart: of those with few
// enough values for one panel, the one with most.
func splitting(m domain.Metric) []string {
	best := ""
	for _, name := range m.Event.AttributeNames() {
		if n := len(m.Event.Attributes[name]); n <= maxSplit && (best == "" || n > len(m.Event.Attributes[best])) {
			best = name
		}
	}
	if best == "" {
		return nil
	}
	return []string{promname.Label(best)}
}

// costs are what an event costs, where the domain says which endpoint makes it.
func (b *board) costs() []panel {
	if !slices.ContainsFunc(b.d.Events, func(e domain.Event) bool { return e.Endpoint != "" }) {
		return nil
	}
	of := func(key, title, about string) panel {
		m := b.metric(key)
		return panel{
			kind: timeseries, title: title, about: about, unit: unitOf(m.Unit), width: 12, height: 8, links: b.allFlames(),
			empty:   b.T("Too few samples of the endpoint yet", "Aún hay pocas muestras del endpoint"),
			queries: []query{{expr: aggregated("avg", b.series(m, ""), []string{"event"}), legend: "{{event}}"}}, lines: b.lines(m, domain.StatValue, "event"),
		}
	}
	return []panel{
		of("event_cpu", b.T("CPU time of an event", "CPU de un evento"), b.T("CPU time of the event's endpoint over the count of the event.", "Tiempo de CPU del endpoint del evento entre el número de eventos.")),
		of("event_allocated", b.T("Memory of an event", "Memoria de un evento"), b.T("Bytes that the event's endpoint allocates over the count of the event.", "Bytes que reserva el endpoint del evento entre el número de eventos.")),
	}
}
