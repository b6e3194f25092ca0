package prom

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/record"
	"github.com/prometheus/prometheus/tsdb/wlog"
)

// replay appends what is in logs to a head. The head's own Init would write
// chunks to the disk on the way, in goroutines of its own, and panic on a full
// one.
type replay struct {
	to             *generation
	oldest, latest int64 // samples outside are left out

	decoder record.Decoder
	labels  map[chunks.HeadSeriesRef]labels.Labels
	refs    map[chunks.HeadSeriesRef]storage.SeriesRef
	newest  int64 // time of a sample that was taken
	future  int   // samples that were left out as too new

	floats          []record.RefSample
	histograms      []record.RefHistogramSample
	floatHistograms []record.RefFloatHistogramSample
	series          []record.RefSeries
}

// logDirs are the folders of logs in dir, oldest first.
func logDirs(dir string) []string {
	dirs, _ := filepath.Glob(filepath.Join(dir, logPrefix+"*")) // the pattern is right
	slices.Sort(dirs)
	return dirs
}

func newReplay(to *generation, oldest, latest int64) *replay {
	return &replay{to: to, oldest: oldest, latest: latest, decoder: record.NewDecoder(labels.NewSymbolTable(), discard)}
}

// dir reads one log, file by file: a corrupt record costs what follows in its
// file, not what is in later ones. It returns what could not be read.
func (r *replay) dir(dir string) error {
	r.labels, r.refs = map[chunks.HeadSeriesRef]labels.Labels{}, map[chunks.HeadSeriesRef]storage.SeriesRef{}
	first, last, err := wlog.Segments(dir)
	if err != nil {
		return err
	}
	var errs []error
	for i := first; i >= 0 && i <= last; i++ {
		if err := r.segment(wlog.SegmentName(dir, i)); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", wlog.SegmentName(dir, i), err))
		}
	}
	return errors.Join(errs...)
}

func (r *replay) segment(name string) error {
	f, err := wlog.OpenReadSegment(name)
	if err != nil {
		return err
	}
	buf := wlog.NewSegmentBufReader(f)
	defer buf.Close()
	reader := wlog.NewReader(buf)
	for reader.Next() {
		if err := r.record(reader.Record()); err != nil {
			return err
		}
	}
	if err := reader.Err(); err != nil && !torn(name, err) {
		return err
	}
	return nil
}

// torn tells whether a log only ends in the middle of a record, as it does when
// the process is killed.
func torn(name string, err error) bool {
	var corrupt *wlog.CorruptionErr
	if !errors.As(err, &corrupt) {
		return false
	}
	info, statErr := os.Stat(name)
	return statErr == nil && corrupt.Offset >= info.Size()
}

// record appends what one record has. Those that a log of ours never holds are
// left out.
func (r *replay) record(rec []byte) (err error) {
	switch r.decoder.Type(rec) {
	case record.Series:
		if r.series, err = r.decoder.Series(rec, r.series[:0]); err != nil {
			return err
		}
		for _, s := range r.series {
			r.labels[s.Ref] = s.Labels.Copy()
		}
		return nil
	case record.Samples, record.SamplesV2:
		if r.floats, err = r.decoder.Samples(rec, r.floats[:0]); err != nil {
			return err
		}
		return r.transaction(func(app storage.AppenderV2) {
			for _, s := range r.floats {
				r.sample(app, s.Ref, s.T, s.V, nil, nil)
			}
		})
	case record.HistogramSamples, record.CustomBucketsHistogramSamples, record.HistogramSamplesV2:
		if r.histograms, err = r.decoder.HistogramSamples(rec, r.histograms[:0]); err != nil {
			return err
		}
		return r.transaction(func(app storage.AppenderV2) {
			for _, s := range r.histograms {
				r.sample(app, s.Ref, s.T, 0, s.H, nil)
			}
		})
	case record.FloatHistogramSamples, record.CustomBucketsFloatHistogramSamples, record.FloatHistogramSamplesV2:
		if r.floatHistograms, err = r.decoder.FloatHistogramSamples(rec, r.floatHistograms[:0]); err != nil {
			return err
		}
		return r.transaction(func(app storage.AppenderV2) {
			for _, s := range r.floatHistograms {
				r.sample(app, s.Ref, s.T, 0, nil, s.FH)
			}
		})
	}
	return nil
}

func (r *replay) transaction(fill func(storage.AppenderV2)) error {
	app := r.to.head.AppenderV2(context.Background())
	fill(app)
	return app.Commit()
}

// sample appends one. One that is there already, because an earlier replay was
// interrupted, is refused by the head, which is what is wanted.
func (r *replay) sample(app storage.AppenderV2, ref chunks.HeadSeriesRef, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram) {
	l, ok := r.labels[ref]
	switch {
	case !ok || t < r.oldest:
		return
	case t > r.latest:
		r.future++
		return
	}
	to, err := app.Append(r.refs[ref], l, 0, t, v, h, fh, storage.AppendV2Options{})
	if err == nil {
		r.refs[ref] = to
		r.newest = max(r.newest, t)
	}
}
