package backtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
)

const (
	// chunkSize is how many evaluations one request asks for. Prometheus answers
	// 11,000 at most.
	chunkSize = 10_000
	// leastChunk is what is still asked for at once where a server has no time or
	// memory for more.
	leastChunk = 50
	// mostPoints bounds what is held of one rule: 160 MB.
	mostPoints = 10_000_000
	// coarseSteps is in how many parts a time is looked through for data.
	coarseSteps = 300
)

// grid are the evaluations of a rule.
type grid struct {
	start time.Time
	step  time.Duration
	n     int
}

// gridOf are the evaluations from one time to another, at multiples of the
// step: two runs on the same data evaluate at the same times.
func gridOf(from, to time.Time, step time.Duration) grid {
	start := from.Truncate(step)
	if start.Before(from) {
		start = start.Add(step)
	}
	g := grid{start: start, step: step}
	if !to.Before(start) {
		g.n = int(to.Sub(start)/step) + 1
	}
	return g
}

func (g grid) time(i int) time.Time { return g.start.Add(time.Duration(i) * g.step) }

// fetch evaluates an expression on a grid, in as many requests as it takes.
func (b *replay) fetch(ctx context.Context, expr string, g grid) ([]line, error) {
	all := map[string]*line{}
	points := 0
	for lo := 0; lo < g.n; lo += b.chunk {
		if err := b.part(ctx, expr, g, lo, min(lo+b.chunk, g.n), all, &points); err != nil {
			return nil, err
		}
	}
	lines := make([]line, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		lines = append(lines, *all[key])
	}
	return lines, nil
}

// part adds the evaluations from lo to before hi. What is too much for the
// server at once is asked for in two halves.
func (b *replay) part(ctx context.Context, expr string, g grid, lo, hi int, all map[string]*line, points *int) error {
	found, err := b.queryRange(ctx, expr, g.time(lo), g.time(hi-1), g.step)
	if tooMuch(err) && hi-lo > leastChunk {
		middle := (lo + hi) / 2
		if err := b.part(ctx, expr, g, lo, middle, all, points); err != nil {
			return err
		}
		return b.part(ctx, expr, g, middle, hi, all, points)
	}
	if err != nil {
		return err
	}
	for _, s := range found {
		if *points += len(s.Values); *points > mostPoints {
			return fmt.Errorf("more than %d values in %d evaluations: ask for less with -last, or write a larger -step", mostPoints, hi)
		}
		key := remote.LabelText(s.Metric)
		l := all[key]
		if l == nil {
			l = &line{labels: s.Metric, key: key}
			all[key] = l
		}
		for _, p := range s.Values {
			l.at = append(l.at, int((p.at.Sub(g.start)+g.step/2)/g.step))
			l.values = append(l.values, p.value)
		}
	}
	return nil
}

// tooMuch tells whether a server had no time or memory for an answer, or the
// answer was too long to read.
func tooMuch(err error) bool {
	if err == nil {
		return false
	}
	var refused remote.StatusError
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &refused) && refused.Code == http.StatusServiceUnavailable {
		return true
	}
	return slices.ContainsFunc([]string{"too many samples", "timed out", "timeout", "Timeout", "is longer than"}, func(s string) bool { return strings.Contains(err.Error(), s) })
}

// ranged is one series of a range query's answer.
type ranged struct {
	Metric map[string]string
	Values []point
}

// point is one value, in the API's form [1435781430.781, "1.4"].
type point struct {
	at    time.Time
	value float64
}

// UnmarshalJSON implements json.Unmarshaler. There are millions of them.
func (p *point) UnmarshalJSON(data []byte) error {
	seconds, value, ok := bytes.Cut(bytes.Trim(data, "[] \n"), []byte(","))
	at, err := strconv.ParseFloat(string(bytes.TrimSpace(seconds)), 64)
	if err != nil || !ok {
		return fmt.Errorf("%q is no value with its time", data)
	}
	p.at = time.UnixMilli(int64(at*1000 + 0.5))
	p.value, err = strconv.ParseFloat(string(bytes.Trim(value, `" `)), 64)
	return err
}

func (b *replay) queryRange(ctx context.Context, expr string, from, to time.Time, step time.Duration) ([]ranged, error) {
	var answer struct {
		ResultType string
		Result     []ranged
	}
	err := remote.AskPrometheus(ctx, b.base, "query_range", url.Values{
		"query": {expr}, "start": {seconds(from)}, "end": {seconds(to)}, "step": {strconv.FormatFloat(step.Seconds(), 'f', -1, 64)},
	}, &answer)
	if err == nil && answer.ResultType != "matrix" {
		err = fmt.Errorf("%s answers a range query with a %q, not with a matrix", remote.Address(b.base), answer.ResultType)
	}
	return answer.Result, err
}

// seconds is a time as the API reads it.
func seconds(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64)
}

// period finds out what time it is at the store, and since when there are data
// of the domain.
func (b *replay) period(ctx context.Context) error {
	now, err := remote.Instant(ctx, b.base, "vector(time())")
	if refused, ok := errors.AsType[remote.StatusError](err); ok && refused.Code == http.StatusNotFound {
		return fmt.Errorf("%s stores no data: call embedded.Start in the service, or name a Prometheus with -url", remote.Address(b.base))
	}
	if err != nil {
		return err
	}
	if len(now) != 1 {
		return fmt.Errorf("%s does not say what time it is", remote.Address(b.base))
	}
	b.to = time.UnixMilli(int64(now[0].Value * 1000))
	b.from = b.to.Add(-b.asked)
	// Every service reports its build; one that does not is known by the rest.
	build, _ := b.d.Metric("build_info")
	first, any, err := b.first(ctx, []string{build.Family}, b.from, b.to)
	if err != nil {
		return err
	}
	if !any {
		var all []string
		for _, r := range b.rules {
			for _, s := range readBy(r.Expr) {
				if strings.HasPrefix(s, b.d.Prefix) && !slices.Contains(all, s) {
					all = append(all, s)
				}
			}
		}
		if first, any, err = b.first(ctx, all, b.from, b.to); err != nil {
			return err
		}
	}
	if !any {
		return fmt.Errorf("no data: %s has no sample of prefix %s in the last %s: is the service scraped, and is this its Prometheus?", remote.Address(b.base), b.d.Prefix, cli.Spell(b.asked))
	}
	if first.After(b.from) {
		b.from = first
	}
	return nil
}

// lookback is how long a sample counts as the present.
const lookback = 5 * time.Minute

// first is when the first sample of some selectors is, to the second or a
// millionth of the time; from itself if there is one by then.
func (b *replay) first(ctx context.Context, selectors []string, from, to time.Time) (first time.Time, any bool, err error) {
	if len(selectors) == 0 {
		return from, false, nil
	}
	begin := from.Add(-lookback)
	for range 3 { // a rough look, and others into the part where it is
		part := max(to.Sub(begin)/coarseSteps, leastStep).Truncate(time.Second)
		var each []string
		for _, s := range selectors {
			each = append(each, fmt.Sprintf("count(last_over_time(%s[%ds]))", s, int(part.Seconds())))
		}
		g := gridTo(begin, to, part)
		found, err := b.fetch(ctx, strings.Join(each, " or "), g)
		if err != nil {
			return from, false, err
		}
		at := -1
		for _, l := range found {
			if len(l.at) > 0 && (at < 0 || l.at[0] < at) {
				at = l.at[0]
			}
		}
		if at < 0 {
			return from, any, nil
		}
		any = true
		begin, to = g.time(at).Add(-part), g.time(at)
		if !to.After(from) {
			return from, true, nil
		}
		if part == leastStep {
			break
		}
	}
	return to, true, nil
}

// missing tells since when there are data of what an expression reads, or what
// there is no sample of.
func (b *replay) missing(ctx context.Context, expr parser.Expr) (since time.Time, m missing, err error) {
	reads := selectorsOf(expr)
	since, any, err := b.first(ctx, reads, b.from, b.to)
	if any || err != nil || len(reads) == 0 {
		return since, m, err
	}
	m.of = reads[0]
	if len(reads) > 1 {
		m.of += fmt.Sprintf(" and %d more", len(reads)-1)
	}
	var names []string
	for _, s := range reads {
		if name, _, _ := strings.Cut(s, "{"); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	_, any, err = b.first(ctx, names, b.from, b.to)
	m.all = !any
	return since, m, err
}

// gridTo are the ends of the parts of a time, the last one at its end.
func gridTo(from, to time.Time, part time.Duration) grid {
	n := max(1, int((to.Sub(from)+part-1)/part))
	return grid{start: to.Add(-time.Duration(n-1) * part), step: part, n: n}
}

// stepOf is a step that a rule can be replayed with, where a finer one would
// not show anything: a range of days does not change in seconds. Of a pending
// time there are four evaluations at least.
func stepOf(step, longest, pending time.Duration) time.Duration {
	coarse := longest / 1000
	if pending > 0 {
		coarse = min(coarse, pending/4)
	}
	return max(step, coarse.Truncate(time.Second))
}
