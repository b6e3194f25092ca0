package prom

import (
	"context"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/latido-dev/latido/internal/cause"
)

const (
	maxSelected = 20_000  // series
	maxPoints   = 500_000 // of all of them: 16 MB
)

// Select returns the samples of up, and of the series whose names begin with
// prefix and an underscore, without the buckets of histograms, in ranges of time that do not overlap, the oldest
// first. Samples are those that were stored; where they would be more than half
// a million, only every so many of each series, and those around the reset of a
// counter. What is no number, markers included, is left out, and so is every
// series beyond 20,000.
//
// It reads the storage itself: who asks the engine for whatever much is not
// waited for. The error is the storage's, or that of ctx. It is safe for
// concurrent use.
func (s *Server) Select(ctx context.Context, prefix string, ranges ...cause.Range) ([]cause.Series, error) {
	names, err := labels.NewMatcher(labels.MatchRegexp, model.MetricNameLabel, regexp.QuoteMeta(prefix)+"_.+|up")
	if err != nil {
		return nil, err
	}
	buckets, err := labels.NewMatcher(labels.MatchNotRegexp, model.MetricNameLabel, ".+_bucket") // most of all series, which nobody asks for
	if err != nil {
		return nil, err
	}
	c := collected{thin: thin(s.store.status().Series, s.cfg.ScrapeInterval, ranges), at: map[uint64]int{}}
	for _, r := range ranges {
		if err := s.collect(ctx, &c, r, names, buckets); err != nil {
			return nil, err
		}
	}
	return c.series, nil
}

// thin is how far apart the samples of so many series must be for all of them to stay
// within the bound. It is 0 where they are so as they are scraped.
func thin(series int64, interval time.Duration, ranges []cause.Range) time.Duration {
	whole := time.Duration(0)
	for _, r := range ranges {
		whole += r.Length()
	}
	each := maxPoints / max(series, 1)
	if each < 2 || whole/time.Duration(each) > interval {
		return whole / time.Duration(max(each, 2))
	}
	return 0
}

// collected are the series of all ranges.
type collected struct {
	thin   time.Duration
	series []cause.Series
	points int
	at     map[uint64]int // by the labels' hash
}

func (s *Server) collect(ctx context.Context, c *collected, r cause.Range, these ...*labels.Matcher) error {
	from, to := r.From.UnixMilli(), r.To.UnixMilli()
	q, err := s.store.Querier(from, to)
	if err != nil {
		return err
	}
	defer func() { _ = q.Close() }() // it was only read
	set := q.Select(ctx, true, &storage.SelectHints{Start: from, End: to, Limit: maxSelected}, these...)
	var it chunkenc.Iterator
	for set.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		one := set.At()
		it = one.Iterator(it)
		if err := c.add(one.Labels(), it); err != nil {
			return err
		}
	}
	return set.Err()
}

// add puts a series' samples behind those that are there of it.
func (c *collected) add(l labels.Labels, it chunkenc.Iterator) error {
	var points []cause.Point
	i, known := c.at[l.Hash()]
	if known {
		points = c.series[i].Points
	}
	before := len(points)
	name := l.Get(model.MetricNameLabel)
	last := cause.Point{} // the newest, kept or not
	kept := func() bool { return points[len(points)-1].At.Equal(last.At) }
	for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
		if kind != chunkenc.ValFloat {
			continue
		}
		t, v := it.At()
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		p := cause.Point{At: time.UnixMilli(t), Value: v}
		switch {
		case len(points) == before || p.At.Sub(points[len(points)-1].At) >= c.thin:
			points = append(points, p)
		case v < last.Value && counts(name): // it began anew
			if !kept() {
				points = append(points, last)
			}
			points = append(points, p)
		}
		last = p
	}
	if len(points) > before && !kept() {
		points = append(points, last)
	}
	if len(points) == before || c.points > 2*maxPoints || !known && len(c.series) >= maxSelected {
		return it.Err()
	}
	c.points += len(points) - before
	if known {
		c.series[i].Points = points
		return it.Err()
	}
	set := l.Map()
	delete(set, model.MetricNameLabel)
	c.at[l.Hash()] = len(c.series)
	c.series = append(c.series, cause.Series{Name: name, Labels: set, Points: points})
	return it.Err()
}

// counts tells by its name whether a series only grows.
func counts(name string) bool {
	for _, end := range []string{"_total", "_count", "_sum", "_bucket"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}
