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

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
)

// questions asks the store about one alert's two times.
type questions struct {
	r   *Recorder
	job string // "" where the alert's rule does not keep it
	span
}

func (r *Recorder) asks(job string, s span) questions { return questions{r, job, s} }

// figures are what the store says.
type figures struct {
	note     string
	errors   []Move
	moved    []Move
	slowest  *Slowest
	deployed *Deployment
}

func (f *figures) into(in *Incident) {
	in.Errors, in.Moved, in.Slowest, in.Deployed = f.errors, f.moved, f.slowest, f.deployed
	if f.note != "" {
		in.Notes = append(in.Notes, f.note)
	}
}

// figures asks everything about the alert. What cannot be had is left out.
func (q questions) figures(ctx context.Context, kind alerting.Evidence, endpoint string) *figures {
	f := &figures{}
	if q.r.cfg.Query == nil {
		return f
	}
	f.moved = q.moved(ctx)
	if kind == alerting.EvidenceErrors || kind == alerting.EvidenceEvents {
		f.errors = q.failures(ctx, endpoint)
	}
	f.deployed = q.deployed(ctx)
	f.slowest = q.slowest(ctx, endpoint)
	if ctx.Err() != nil {
		f.note = q.r.words.storeSilent()
	}
	return f
}

// family is the Prometheus name of a metric of the contract.
func (q questions) family(key string) string {
	m, _ := q.r.cfg.Domain.Metric(key)
	return m.Family
}

// of selects the series of the service, with further matchers.
func (q questions) of(family string, matchers ...string) string {
	if q.job != "" {
		matchers = append([]string{"job=" + strconv.Quote(strings.ToValidUTF8(q.job, "\uFFFD"))}, matchers...)
	}
	return family + "{" + strings.Join(matchers, ",") + "}"
}

func equals(label, value string) string {
	return label + "=" + strconv.Quote(strings.ToValidUTF8(value, "\uFFFD"))
}

// over is the window as a range of PromQL's.
func (q questions) over() string { return fmt.Sprintf("[%dms]", q.length().Milliseconds()) }

// ask evaluates an expression. An error is told of once, and is no data.
func (q questions) ask(ctx context.Context, expr string, at time.Time) []Sample {
	if q.r.cfg.Query == nil {
		return nil
	}
	samples, err := q.r.cfg.Query(ctx, expr, at)
	if err != nil {
		if ctx.Err() == nil {
			q.r.storeFault(expr, err)
		}
		return nil
	}
	return slices.DeleteFunc(samples, func(s Sample) bool { return math.IsNaN(s.Value) || math.IsInf(s.Value, 0) })
}

// compare evaluates an expression for both times. The rows are told apart by
// the labels that the caller names.
func (q questions) compare(ctx context.Context, expr string, labels ...string) map[[2]string]*Move {
	moves := map[[2]string]*Move{}
	each := func(at time.Time, set func(*Move, float64)) {
		for _, s := range q.ask(ctx, expr, at) {
			var key [2]string
			for i, l := range labels {
				key[i] = clean(s.Labels[l])
			}
			if moves[key] == nil {
				moves[key] = &Move{}
			}
			set(moves[key], s.Value)
		}
	}
	each(q.from, func(m *Move, v float64) { m.Before += v })
	each(q.to, func(m *Move, v float64) { m.After += v })
	return moves
}

// worstEndpoint is the one that most of the alert comes from: whose requests
// took the most more time, or failed the most more often.
func (q questions) worstEndpoint(ctx context.Context, kind alerting.Evidence) string {
	expr := fmt.Sprintf("sum by (endpoint) (rate(%s%s))", q.of(q.family("response_duration")+"_sum"), q.over())
	if kind == alerting.EvidenceErrors {
		expr = fmt.Sprintf("sum by (endpoint) (rate(%s%s))", q.of(q.family("requests"), `status=~"5.."`), q.over())
	}
	worst, grown := "", 0.0
	for key, m := range q.compare(ctx, expr, "endpoint") {
		if growth := m.After - m.Before; growth > grown || growth == grown && key[0] < worst {
			worst, grown = key[0], growth
		}
	}
	return worst
}

// failures are the answers and errors that there are more of: by endpoint and
// status, and by type.
func (q questions) failures(ctx context.Context, endpoint string) []Move {
	matchers := []string{`status=~"5..|429|499"`}
	if endpoint != "" {
		matchers = append(matchers, equals("endpoint", endpoint))
	}
	var list []Move
	for key, m := range q.compare(ctx, fmt.Sprintf("sum by (endpoint, status) (increase(%s%s))", q.of(q.family("requests"), matchers...), q.over()), "endpoint", "status") {
		m.Name, m.Endpoint, m.Label = "requests", key[0], key[1]
		list = append(list, *m)
	}
	for key, m := range q.compare(ctx, fmt.Sprintf("sum by (error_type) (increase(%s%s))", q.of(q.family("api_errors")), q.over()), "error_type") {
		m.Name, m.Label = "api_errors", key[0]
		list = append(list, *m)
	}
	list = slices.DeleteFunc(list, func(m Move) bool { return m.After-m.Before < 0.5 })
	slices.SortFunc(list, func(a, b Move) int {
		return cmp.Or(cmp.Compare(b.Name, a.Name), cmp.Compare(b.After-b.Before, a.After-a.Before), cmp.Compare(a.Endpoint+a.Label, b.Endpoint+b.Label))
	})
	return list[:min(maxListed, len(list))]
}

// moved are the business events of both times, and the requests, in one
// question: the figures that moved the most come first.
func (q questions) moved(ctx context.Context) []Move {
	named := func(expr, name string) string {
		return fmt.Sprintf(`label_replace(%s, "moved", %s, "", "")`, expr, strconv.Quote(name))
	}
	total := func(series string) string { return fmt.Sprintf("sum(increase(%s%s))", series, q.over()) }
	parts := []string{named(total(q.of(q.family("requests"))), "requests"), named(total(q.of(q.family("requests"), `status=~"5.."`)), "5xx")}
	for _, m := range q.r.cfg.Domain.Metrics() {
		if m.Event == nil {
			continue
		}
		switch m.Kind {
		case domain.KindHistogram:
			parts = append(parts, named(total(q.of(m.Family+"_count")), m.Key))
		case domain.KindGauge:
			parts = append(parts, named(fmt.Sprintf("max(%s)", q.of(m.Family)), m.Key))
		case domain.KindUpDown:
			parts = append(parts, named(fmt.Sprintf("sum(%s)", q.of(m.Family)), m.Key))
		default:
			parts = append(parts, named(total(q.of(m.Family)), m.Key))
		}
	}
	var list []Move
	for key, m := range q.compare(ctx, strings.Join(parts, " or "), "moved") {
		m.Name = key[0]
		list = append(list, *m)
	}
	slices.SortFunc(list, func(a, b Move) int {
		return cmp.Or(cmp.Compare(b.weight(), a.weight()), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// weight is how much a figure moved for how much it had: little of a small
// number is chance (a Poisson count of n varies by about its square root).
func (m Move) weight() float64 {
	return math.Abs(m.After-m.Before) / math.Sqrt(max(m.After, m.Before, 1))
}

// much tells whether a move is worth a word.
func (m Move) much() bool {
	least, most := min(m.Before, m.After), max(m.Before, m.After)
	return m.weight() >= 2.5 && (least <= 0 || most/least >= 1.3)
}

// deployed tells whether another version ran in one of the two times.
func (q questions) deployed(ctx context.Context) *Deployment {
	family := q.of(q.family("build_info"))
	release := func(samples []Sample) (newest Release, at time.Time) {
		first := math.Inf(-1)
		for _, s := range samples {
			if s.Value > first {
				first = s.Value
				newest = Release{clean(s.Labels["version"]), clean(s.Labels["revision"])}
			}
		}
		if first > 0 {
			at = time.UnixMilli(int64(first * 1000))
		}
		return newest, at
	}
	// When a series was last seen tells which is the newer of two.
	expr := fmt.Sprintf("max by (version, revision) (timestamp(%s))", family)
	now, _ := release(q.ask(ctx, expr, q.to))
	before, _ := release(q.ask(ctx, expr, q.base))
	if before == (Release{}) || now == (Release{}) || before == now {
		return nil
	}
	d := &Deployment{Before: before, After: now}
	if q.r.cfg.QueryRange == nil {
		return d
	}
	step := max((q.to.Sub(q.base) / 60).Truncate(time.Second), time.Second)
	series, err := q.r.cfg.QueryRange(ctx, family, q.base, q.to, step)
	if err != nil {
		return d
	}
	for _, s := range series {
		if (Release{clean(s.Labels["version"]), clean(s.Labels["revision"])}) == now && len(s.Points) > 0 && (d.At.IsZero() || s.Points[0].At.Before(d.At)) {
			d.At = s.Points[0].At
		}
	}
	return d
}

// slowest is the slowest request of the window that left a trace.
func (q questions) slowest(ctx context.Context, endpoint string) *Slowest {
	if q.r.cfg.Exemplars == nil {
		return nil
	}
	var matchers []string
	if endpoint != "" {
		matchers = append(matchers, equals("endpoint", endpoint))
	}
	expr := q.of(q.family("response_duration")+"_bucket", matchers...)
	list, err := q.r.cfg.Exemplars(ctx, expr, q.from, q.to)
	if err != nil {
		if ctx.Err() == nil {
			q.r.storeFault(expr, err)
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
