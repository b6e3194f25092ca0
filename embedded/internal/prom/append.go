package prom

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"
)

// reservedSeries are kept for what the rules record and for what a scrape says
// of itself, which come after what was scraped.
const reservedSeries = 2000

// acquire returns the generation that takes samples, which the caller gives
// back with appending.RUnlock.
func (s *store) acquire() *generation {
	for {
		s.mu.RLock()
		g := s.active
		s.mu.RUnlock()
		g.appending.RLock()
		if !g.retired {
			return g
		}
		g.appending.RUnlock()
	}
}

// full tells whether a series that is not there yet is one too many.
func (s *store) full(app any, g *generation, ref storage.SeriesRef, l labels.Labels, limit int) bool {
	if ref != 0 || g.head.NumSeries() < uint64(limit) {
		return false
	}
	if known, ok := app.(storage.GetRef); ok {
		ref, _ = known.GetRef(l, l.Hash())
	}
	return ref == 0
}

// committed looks at how a transaction ended. An error of the log means that
// the disk is full or gone.
func (s *store) committed(g *generation, err error) error {
	if err != nil && g.log != nil {
		s.faults.add(faultDisk, "samples could not be written to disk", err)
		s.mu.Lock()
		if s.active == g && s.disk {
			s.toMemory(g, err.Error())
		}
		s.mu.Unlock()
	}
	return err
}

// AppenderV2 returns an appender for a scrape. Its samples get the store's time.
func (s *store) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return &scrapeAppender{store: s, ctx: ctx}
}

// scrapeAppender takes what a scrape has. Scrapes open it before they ask the
// target, so it gets hold of the head with the first sample.
type scrapeAppender struct {
	store *store
	ctx   context.Context
	g     *generation
	app   storage.AppenderV2

	wall, stamped int64 // the scrape's time, and ours for it
	up            *bool // what it found the target to be
	took          time.Duration
	dropped       int
	refused       int
	taken         int
}

func (a *scrapeAppender) Append(ref storage.SeriesRef, l labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, o storage.AppendV2Options) (storage.SeriesRef, error) {
	if a.app == nil {
		a.g = a.store.acquire()
		a.app = a.g.head.AppenderV2(a.ctx)
	}
	if t != a.wall || a.stamped == 0 {
		a.wall, a.stamped = t, a.store.clock.stamp(time.UnixMilli(t)).UnixMilli()
	}
	limit := a.store.cfg.MaxSeries
	name := l.Get(model.MetricNameLabel)
	if reported[name] {
		limit += reservedSeries
		switch name {
		case "up":
			up := v == 1
			a.up = &up
		case "scrape_duration_seconds":
			a.took = time.Duration(v * float64(time.Second))
		}
	}
	ref = a.g.in(ref)
	if a.store.full(a.app, a.g, ref, l, limit) {
		a.dropped++
		return 0, nil
	}
	exemplars := o.Exemplars
	o.Exemplars = nil
	ref, err := a.app.Append(ref, l, st, a.stamped, v, h, fh, o)
	switch {
	case err == nil:
		a.taken++
	case errors.Is(err, storage.ErrOutOfBounds), errors.Is(err, storage.ErrTooOldSample), errors.Is(err, storage.ErrOutOfOrderSample):
		a.refused++
	}
	for _, e := range exemplars {
		if e.Ts == t {
			e.Ts = a.stamped
		}
		_ = a.store.exemplars.AddExemplar(l, e) // one that was there before is no error of the sample's
	}
	return a.g.out(ref), err
}

// reported are what a scrape says of itself.
var reported = map[string]bool{
	"up": true, "scrape_duration_seconds": true, "scrape_samples_scraped": true,
	"scrape_samples_post_metric_relabeling": true, "scrape_series_added": true,
}

func (a *scrapeAppender) Commit() error {
	if a.app == nil {
		return nil
	}
	if a.up != nil && !*a.up && a.took >= scrapeTimeout(a.store.cfg) && a.store.fresh.late(time.UnixMilli(a.stamped)) {
		// It would say that the service is down, and that its series are over.
		return a.Rollback()
	}
	if a.up != nil && !*a.up {
		a.store.fresh.scraped(time.UnixMilli(a.stamped), false)
	}
	err := a.store.committed(a.g, a.app.Commit())
	a.end()
	switch n, limit := a.g.bytes(), a.store.logLimit(); {
	case n > maxLogs*limit:
		a.store.overrun(a.g)
	case n > limit:
		a.store.poke()
	}
	if err == nil && a.up != nil && *a.up {
		a.store.fresh.scraped(time.UnixMilli(a.stamped), true)
	}
	return err
}

func (a *scrapeAppender) Rollback() error {
	if a.app == nil {
		return nil
	}
	err := a.app.Rollback()
	a.end() // a scrape whose own report is refused is rolled back
	return err
}

// end gives the head back, and looks at what it made of the samples.
func (a *scrapeAppender) end() {
	a.g.appending.RUnlock()
	if a.dropped > 0 {
		a.store.faults.count(faultSeries, a.dropped)
	}
	// All samples refused means that the head holds one from the future, and
	// would refuse for as long as that is away.
	if a.refused > 0 && a.taken == 0 && a.up != nil {
		a.store.faults.add(faultClock, "the store has samples from the future, and began anew", nil)
		a.store.renew(a.g)
	}
}

// Appender returns an appender for what rules record.
func (s *store) Appender(ctx context.Context) storage.Appender {
	return &ruleAppender{store: s, ctx: ctx}
}

// ruleAppender takes what rules record, at the time that they were evaluated.
type ruleAppender struct {
	store *store
	ctx   context.Context
	g     *generation
	app   storage.Appender
	o     *storage.AppendOptions
}

func (a *ruleAppender) open() storage.Appender {
	if a.app == nil {
		a.g = a.store.acquire()
		a.app = a.g.head.Appender(a.ctx)
		a.app.SetOptions(a.o)
	}
	return a.app
}

// limited tells whether l is one series too many, and counts it.
func (a *ruleAppender) limited(l labels.Labels) bool {
	if !a.store.full(a.open(), a.g, 0, l, a.store.cfg.MaxSeries+reservedSeries) {
		return false
	}
	a.store.faults.count(faultSeries, 1)
	return true
}

func (a *ruleAppender) Append(_ storage.SeriesRef, l labels.Labels, t int64, v float64) (storage.SeriesRef, error) {
	if a.limited(l) {
		return 0, nil
	}
	return a.open().Append(0, l, t, v)
}

func (a *ruleAppender) AppendHistogram(_ storage.SeriesRef, l labels.Labels, t int64, h *histogram.Histogram, fh *histogram.FloatHistogram) (storage.SeriesRef, error) {
	if a.limited(l) {
		return 0, nil
	}
	return a.open().AppendHistogram(0, l, t, h, fh)
}

func (a *ruleAppender) SetOptions(o *storage.AppendOptions) { a.o = o }

func (a *ruleAppender) Commit() error {
	if a.app == nil {
		return nil
	}
	defer a.g.appending.RUnlock()
	return a.store.committed(a.g, a.app.Commit())
}

func (a *ruleAppender) Rollback() error {
	if a.app == nil {
		return nil
	}
	defer a.g.appending.RUnlock()
	return a.app.Rollback()
}

// What rules do not use. Refusing is better than losing it.
var errOnlySamples = errors.New("the store takes only samples from rules")

func (a *ruleAppender) AppendExemplar(storage.SeriesRef, labels.Labels, exemplar.Exemplar) (storage.SeriesRef, error) {
	return 0, errOnlySamples
}

func (a *ruleAppender) UpdateMetadata(storage.SeriesRef, labels.Labels, metadata.Metadata) (storage.SeriesRef, error) {
	return 0, errOnlySamples
}

func (a *ruleAppender) AppendSTZeroSample(storage.SeriesRef, labels.Labels, int64, int64) (storage.SeriesRef, error) {
	return 0, errOnlySamples
}

func (a *ruleAppender) AppendHistogramSTZeroSample(storage.SeriesRef, labels.Labels, int64, int64, *histogram.Histogram, *histogram.FloatHistogram) (storage.SeriesRef, error) {
	return 0, errOnlySamples
}
