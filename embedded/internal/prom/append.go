package prom

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// AppenderV2 implements storage.AppendableV2, for what is scraped.
func (s *store) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return &scrapeAppender{store: s, ctx: ctx}
}

// scrapeAppender takes what a scrape has. Scrapes open it before they ask the
// target, so it chooses the database with the first sample.
type scrapeAppender struct {
	storage.AppenderV2
	store *store
	ctx   context.Context
	d     *database

	at      time.Time
	up      *bool // what it found the target to be
	took    time.Duration
	refused int
	taken   int
}

// Append implements storage.AppenderV2.
func (a *scrapeAppender) Append(_ storage.SeriesRef, l labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, o storage.AppendV2Options) (storage.SeriesRef, error) {
	if a.d == nil {
		a.d = a.store.taker()
		a.AppenderV2 = a.d.AppenderV2(a.ctx)
	}
	switch a.at = time.UnixMilli(t); l.Get(model.MetricNameLabel) {
	case "up":
		up := v == 1
		a.up = &up
	case "scrape_duration_seconds":
		a.took = time.Duration(v * float64(time.Second))
	}
	// A scrape keeps references. Those of one database are other series in the
	// next one, so the series is looked up by its labels.
	ref, err := a.AppenderV2.Append(0, l, st, t, v, h, fh, o)
	switch {
	case err == nil:
		a.taken++
	case errors.Is(err, errSeriesLimit):
		return 0, nil // the others are taken
	case errors.Is(err, storage.ErrOutOfBounds), errors.Is(err, storage.ErrTooOldSample), errors.Is(err, storage.ErrOutOfOrderSample):
		a.refused++
	}
	return ref, err
}

// reported are what a scrape says of itself.
var reported = map[string]bool{
	"up": true, "scrape_duration_seconds": true, "scrape_samples_scraped": true,
	"scrape_samples_post_metric_relabeling": true, "scrape_series_added": true,
}

// Commit implements storage.AppenderTransaction.
func (a *scrapeAppender) Commit() error {
	if a.d == nil {
		return nil
	}
	down := a.up != nil && !*a.up
	if down && a.took >= scrapeTimeout(a.store.cfg) && a.store.fresh.late(a.at) {
		// It would say that the service is down, and that its series are over.
		return a.Rollback()
	}
	if down {
		a.store.fresh.scraped(a.at, false)
	}
	err := a.AppenderV2.Commit()
	a.end(err)
	if err == nil && a.up != nil && *a.up {
		a.store.fresh.scraped(a.at, true)
	}
	return err
}

// Rollback implements storage.AppenderTransaction.
func (a *scrapeAppender) Rollback() error {
	if a.d == nil {
		return nil
	}
	err := a.AppenderV2.Rollback()
	a.end(nil) // a scrape whose own report is refused is rolled back
	return err
}

// end looks at what the database made of the samples.
func (a *scrapeAppender) end(err error) {
	s := a.store
	onDisk := a.d == s.onDiskNow()
	switch {
	case err != nil && onDisk:
		s.leave(a.d, faultDisk, inMemory, err)
	case a.refused > 0 && a.taken == 0 && a.up != nil:
		s.leave(a.d, faultClock, "the newest sample is ahead of the clock, new ones are kept in memory", nil)
	case onDisk:
		s.grown(a.d)
	}
}
