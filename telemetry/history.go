package telemetry

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/figures"
)

// The page draws its lines from the last moments. Nothing runs for them:
// whoever asks for the metrics or the dashboard, a scrape or a person, leaves
// one behind. Where nobody asks, there is none and it costs nothing.
const (
	historyStep      = 4 * time.Second // between two moments at least: a scrape every five seconds has one each
	historyMoments   = 180
	historyEndpoints = 64 // with a line of their own, those with the most time
)

// moment is what the series said at some time. Counts are since the start.
type moment struct {
	at        time.Time
	endpoints map[*histogram]step
	all       step
	events    map[string]float64 // by key, all series of one added up
}

// step is one endpoint at a moment; p95 is of the time since the moment before.
type step struct {
	count, errors int64
	p95           *float64
}

// history is the last moments, bounded in number and size. It is safe for
// concurrent use.
type history struct {
	mu      sync.Mutex
	before  snapshot
	moments []moment // oldest first
}

// remember leaves a moment behind, unless the last one is too young.
func (t *Telemetry) remember() {
	h := &t.history
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.before.at) < historyStep {
		return
	}
	now := t.read()
	if h.before.at.IsZero() {
		h.before = snapshot{at: t.started}
		h.moments = append(h.moments, moment{at: t.started})
	}
	h.moments = append(h.moments, t.moment(now, h.before))
	h.moments = slices.Delete(h.moments, 0, max(0, len(h.moments)-historyMoments))
	h.before = now
}

func (t *Telemetry) moment(now, before snapshot) moment {
	m := moment{at: now.at, endpoints: map[*histogram]step{}, events: map[string]float64{}}
	type busy struct {
		*histogram
		seconds float64
	}
	var by []busy
	all := make([]uint64, len(t.routes.bounds.seconds)+1)
	for r := range t.routes.each {
		state := now.of[r.duration]
		m.all.count, m.all.errors = m.all.count+state.count, m.all.errors+state.errors
		for i, n := range state.buckets {
			all[i] += n
		}
		for i, n := range before.of[r.duration].buckets {
			all[i] -= n
		}
		by = append(by, busy{r.duration, state.sum})
	}
	m.all.p95 = quantile(0.95, t.routes.bounds.seconds, all)
	slices.SortFunc(by, func(a, b busy) int { return cmp.Compare(b.seconds, a.seconds) })
	for _, b := range by[:min(len(by), historyEndpoints)] {
		state := now.of[b.histogram]
		lately, _ := rates(b.histogram, state, before.of[b.histogram])
		m.endpoints[b.histogram] = step{state.count, state.errors, lately.P95}
	}
	for i := range t.families {
		if f := &t.families[i]; f.Event != nil {
			m.events[f.Key] = f.sum()
		}
	}
	return m
}

// sum adds up all series of a family: values, or the counts of histograms.
func (f *family) sum() (sum float64) {
	for p := range f.points {
		sum += p.value + float64(p.n) // one of the two is 0
		if p.hist != nil {
			total, _ := p.hist.read(make([]uint64, len(p.hist.buckets)))
			sum += float64(total)
		}
	}
	return sum
}

// lines adds the last moments to a dashboard.
func (t *Telemetry) lines(d *figures.Dashboard) {
	t.history.mu.Lock()
	moments := slices.Clone(t.history.moments) // which are never changed
	t.history.mu.Unlock()
	d.History = figures.History{At: []float64{}, Events: map[string][]*float64{}}
	if len(moments) < 2 {
		return
	}
	for _, m := range moments[1:] {
		d.History.At = append(d.History.At, float64(m.at.UnixMilli())/1000)
	}
	all := lineOf(moments, func(m moment) (step, bool) { return m.all, true })
	d.History.All = &all
	durations := map[[2]string]*histogram{}
	for m := range t.routes.each {
		durations[[2]string{m.method, m.endpoint}] = m.duration
	}
	for i := range d.Endpoints {
		of := durations[[2]string{d.Endpoints[i].Method, d.Endpoints[i].Endpoint}]
		d.Endpoints[i].History = lineOf(moments, func(m moment) (step, bool) { s, ok := m.endpoints[of]; return s, ok || m.endpoints == nil })
	}
	for i := range t.families {
		f := &t.families[i]
		if f.Event == nil {
			continue
		}
		level := f.Kind == domain.KindUpDown || f.Kind == domain.KindGauge
		var values []*float64
		for i, m := range moments[1:] {
			value := m.events[f.Key]
			if before := moments[i]; !level {
				value = (value - before.events[f.Key]) / m.at.Sub(before.at).Minutes()
			}
			values = append(values, &value)
		}
		d.History.Events[f.Key] = values
	}
}

// lineOf is what happened between one moment and the next.
func lineOf(moments []moment, of func(moment) (step, bool)) (l figures.Lines) {
	for i, m := range moments[1:] {
		now, known := of(m)
		before, wasKnown := of(moments[i])
		var rate, ratio *float64
		if n := now.count - before.count; known && wasKnown {
			rate = new(float64(n) / m.at.Sub(moments[i].at).Seconds())
			if n > 0 {
				ratio = new(float64(now.errors-before.errors) / float64(n))
			}
		}
		l.PerSecond, l.ErrorRatio, l.P95 = append(l.PerSecond, rate), append(l.ErrorRatio, ratio), append(l.P95, now.p95)
	}
	return l
}
