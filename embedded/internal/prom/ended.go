package prom

import (
	"context"
	"errors"
	"math"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	promvalue "github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// endSeries ends the series of the process that ended. A query finds a series for
// five minutes after its last sample unless a staleness marker ends it. Without
// one, the series that this process does not have, an old version's or those of a
// former address, would be added up with those that it has.
//
// What rules record stays: alerts go on after a restart.
func (s *store) endSeries() (err error) {
	d := s.onDiskNow()
	if d == nil || d.Head().NumSeries() == 0 { // nothing outlived the process, or nothing is there
		return nil
	}
	newest := d.Head().MaxTime()
	q, err := d.Querier(newest-lookback.Milliseconds(), newest)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	app := d.Appender(context.Background())
	found := q.Select(context.Background(), false, nil, labels.MustNewMatcher(labels.MatchNotEqual, model.MetricNameLabel, ""))
	var it chunkenc.Iterator
	for found.Next() {
		series := found.At()
		l := series.Labels()
		if s.recorded[l.Get(model.MetricNameLabel)] {
			continue
		}
		it = series.Iterator(it)
		last, v := lastOf(it)
		if it.Err() != nil || promvalue.IsStaleNaN(v) {
			continue
		}
		_, _ = app.Append(0, l, last+1, math.Float64frombits(promvalue.StaleNaN)) // one that the head finds too old is no longer seen either
	}
	return errors.Join(found.Err(), app.Commit())
}

// lastOf is the last sample of a series: a histogram's is its sum, which is the
// staleness marker where there is one.
func lastOf(it chunkenc.Iterator) (last int64, v float64) {
	for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
		switch kind {
		case chunkenc.ValFloat:
			last, v = it.At()
		case chunkenc.ValHistogram:
			t, h := it.AtHistogram(nil)
			last, v = t, h.Sum
		case chunkenc.ValFloatHistogram:
			t, h := it.AtFloatHistogram(nil)
			last, v = t, h.Sum
		}
	}
	return last, v
}
