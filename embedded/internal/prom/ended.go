package prom

import (
	"context"
	"errors"
	"math"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	promvalue "github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// endSeries ends the series of the process that ends, or that ended, at a time in
// milliseconds. A query finds a series for five minutes after its last sample
// unless a staleness marker ends it. Without one, the series that the next
// process does not have, the old version's or those of a former address, would
// be added up with those that it has.
//
// What rules record stays: alerts go on after a restart.
func (s *Server) endSeries(at int64) {
	if !s.store.onDisk() || at == 0 { // nothing outlives the process, or nothing is there
		return
	}
	recorded := map[string]bool{"ALERTS": true, "ALERTS_FOR_STATE": true}
	for _, g := range s.rules.groups {
		for _, r := range g.Rules() {
			if _, ok := r.(*rules.RecordingRule); ok {
				recorded[r.Name()] = true
			}
		}
	}
	if err := s.store.end(at, recorded); err != nil {
		s.store.faults.add(faultDisk, "the series of a process that ended could not be marked so, and are seen for five minutes more", err)
	}
}

func (s *store) onDisk() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.disk
}

// end writes a staleness marker to each series that is seen at a time, except
// for those of some names.
func (s *store) end(at int64, except map[string]bool) (err error) {
	q, err := s.Querier(at-lookback.Milliseconds(), at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	app := s.Appender(context.Background())
	found := q.Select(context.Background(), false, nil, labels.MustNewMatcher(labels.MatchNotEqual, model.MetricNameLabel, ""))
	var it chunkenc.Iterator
	for found.Next() {
		series := found.At()
		l := series.Labels()
		if except[l.Get(model.MetricNameLabel)] {
			continue
		}
		it = series.Iterator(it)
		last, ended := lastOf(it)
		if it.Err() != nil || ended {
			continue
		}
		_, _ = app.Append(0, l, last+1, math.Float64frombits(promvalue.StaleNaN)) // one that the head finds too old is no longer seen either
	}
	return errors.Join(found.Err(), app.Commit())
}

// lastOf is the time of a series' last sample, and whether that is a staleness
// marker.
func lastOf(it chunkenc.Iterator) (last int64, ended bool) {
	for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
		var v float64
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
		ended = promvalue.IsStaleNaN(v)
	}
	return last, ended
}
