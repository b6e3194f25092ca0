package evidence

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/cause"
)

// figures reads in the service's series what moved between two times.
type figures struct {
	domain domain.Domain
	series []cause.Series
	cause.Times
}

// family is the Prometheus name of a metric of the contract.
func (f figures) family(key string) string {
	m, _ := f.domain.Metric(key)
	return m.Family
}

// began is when the service is first heard of.
func (f figures) began() (first time.Time) {
	for _, s := range f.series {
		if first.IsZero() || s.Points[0].At.Before(first) {
			first = s.Points[0].At
		}
	}
	return first
}

// increase is how much a counter grew in a time. One that was not there while
// the service was began at 0.
func increase(points []cause.Point, r cause.Range, began time.Time) (sum float64) {
	last, known := 0.0, len(points) > 0 && points[0].At.After(began.Add(time.Second))
	for _, p := range points {
		switch {
		case p.At.After(r.To):
			return sum
		case !p.At.After(r.From) || !known:
		case p.Value < last: // the process is another
			sum += p.Value
		default:
			sum += p.Value - last
		}
		last, known = p.Value, true
	}
	return sum
}

// latest is a gauge's value at the end of a time, 0 for none.
func latest(points []cause.Point, r cause.Range) (v float64) {
	for _, p := range points {
		if p.At.After(r.To) {
			break
		}
		v = p.Value
	}
	return v
}

// compare adds a counter up for both times, by what of tells the series apart;
// series of which it is false are left out. The time before counts as if it were
// as long as the other.
func (f figures) compare(family string, began time.Time, of func(labels map[string]string) (key [2]string, ok bool)) map[[2]string]*Move {
	moves := map[[2]string]*Move{}
	scale := 1.0
	if before := f.Before.Length(); before > 0 {
		scale = f.After.Length().Seconds() / before.Seconds()
	}
	for _, s := range f.series {
		if s.Name != family {
			continue
		}
		key, ok := of(s.Labels)
		if !ok {
			continue
		}
		if moves[key] == nil {
			moves[key] = &Move{}
		}
		moves[key].Before += scale * increase(s.Points, f.Before, began)
		moves[key].After += increase(s.Points, f.After, began)
	}
	return moves
}

// failures are the answers and errors of the bad time: by endpoint and status,
// and by type. Those that there are more of come first.
func (f figures) failures(endpoint string) []Move {
	began := f.began()
	var list []Move
	for key, m := range f.compare(f.family("requests"), began, func(l map[string]string) ([2]string, bool) {
		status := l["status"]
		return [2]string{clean(l["endpoint"]), clean(status)}, (strings.HasPrefix(status, "4") || strings.HasPrefix(status, "5")) && (endpoint == "" || l["endpoint"] == endpoint)
	}) {
		m.Name, m.Endpoint, m.Label = "requests", key[0], key[1]
		list = append(list, *m)
	}
	for key, m := range f.compare(f.family("api_errors"), began, func(l map[string]string) ([2]string, bool) { return [2]string{clean(l["error_type"])}, true }) {
		m.Name, m.Label = "api_errors", key[0]
		list = append(list, *m)
	}
	list = slices.DeleteFunc(list, func(m Move) bool { return m.After < 0.5 })
	slices.SortFunc(list, func(a, b Move) int {
		return cmp.Or(cmp.Compare(b.Name, a.Name), cmp.Compare(b.After-b.Before, a.After-a.Before), cmp.Compare(a.Endpoint+a.Label, b.Endpoint+b.Label))
	})
	return list[:min(maxListed, len(list))]
}

// moved are the requests and business events of both times: the figures that
// moved the most come first.
func (f figures) moved() []Move {
	began := f.began()
	var list []Move
	add := func(name, family string, of func(map[string]string) bool) {
		for _, m := range f.compare(family, began, func(l map[string]string) ([2]string, bool) { return [2]string{}, of(l) }) {
			m.Name = name
			list = append(list, *m)
		}
	}
	all := func(map[string]string) bool { return true }
	requests := f.family("requests")
	add("requests", requests, all)
	add("5xx", requests, func(l map[string]string) bool { return strings.HasPrefix(l["status"], "5") })
	for _, m := range f.domain.Metrics() {
		switch {
		case m.Event == nil:
		case m.Kind == domain.KindHistogram:
			add(m.Key, m.Family+"_count", all)
		case m.Kind == domain.KindGauge || m.Kind == domain.KindUpDown:
			if level, ok := f.level(m); ok {
				list = append(list, level)
			}
		default:
			add(m.Key, m.Family, all)
		}
	}
	slices.SortFunc(list, func(a, b Move) int {
		return cmp.Or(cmp.Compare(b.weight(), a.weight()), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// level is what a metric that goes up and down had at the ends of both times:
// the largest gauge, or the sum of what is counted.
func (f figures) level(m domain.Metric) (level Move, ok bool) {
	level.Name = m.Key
	for _, s := range f.series {
		if s.Name != m.Family {
			continue
		}
		before, after := latest(s.Points, f.Before), latest(s.Points, f.After)
		switch {
		case m.Kind == domain.KindUpDown:
			level.Before, level.After = level.Before+before, level.After+after
		case !ok:
			level.Before, level.After = before, after
		default:
			level.Before, level.After = max(level.Before, before), max(level.After, after)
		}
		ok = true
	}
	return level, ok
}

// weight is how much a figure moved for how much it had: little of a small
// number is chance (a Poisson count of n varies by about its square root).
func (m Move) weight() float64 {
	return math.Abs(m.After-m.Before) / math.Sqrt(max(m.After, m.Before, 1))
}

// much tells whether a move is worth a word.
func (m Move) much() bool {
	least, most := min(m.Before, m.After), max(m.Before, m.After)
	return m.weight() >= 2.5 && most >= 1.3*least
}

// deployed tells whether another version ran in the time that is known.
func (f figures) deployed() *Deployment {
	type life struct{ first, last time.Time }
	lives := map[Release]life{}
	var now Release
	info := f.family("build_info")
	for _, s := range f.series {
		if s.Name != info {
			continue
		}
		one := Release{clean(s.Labels["version"]), clean(s.Labels["revision"])}
		l, known := lives[one]
		if first := s.Points[0].At; !known || first.Before(l.first) {
			l.first = first
		}
		if last := s.Points[len(s.Points)-1].At; last.After(l.last) {
			l.last = last
		}
		lives[one] = l
		if last := lives[now].last; l.last.After(last) || l.last.Equal(last) && l.first.After(lives[now].first) {
			now = one
		}
	}
	var before Release
	for one, l := range lives {
		if one != now && l.last.After(lives[before].last) {
			before = one
		}
	}
	if before == (Release{}) || now == (Release{}) {
		return nil
	}
	return &Deployment{Before: before, After: now, At: lives[now].first}
}

// slowest is the slowest request of a time that left a trace.
func (r *Recorder) slowest(ctx context.Context, endpoint string, t cause.Range) *Slowest {
	if r.cfg.Exemplars == nil {
		return nil
	}
	m, _ := r.cfg.Domain.Metric("response_duration")
	expr := m.Family + "_bucket"
	if endpoint != "" {
		expr += fmt.Sprintf("{endpoint=%s}", strconv.Quote(strings.ToValidUTF8(endpoint, "\uFFFD")))
	}
	list, err := r.cfg.Exemplars(ctx, expr, t.From, t.To)
	if err != nil {
		if ctx.Err() == nil {
			r.storeFault(expr, err)
		}
		return nil
	}
	var slowest *Slowest
	for _, e := range list {
		if e.TraceID != "" && (slowest == nil || e.Value > slowest.Seconds) {
			slowest = &Slowest{TraceID: clean(e.TraceID), Endpoint: clean(e.Labels["endpoint"]), Seconds: e.Value, At: e.At}
		}
	}
	return slowest
}
