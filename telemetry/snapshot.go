package telemetry

import (
	"context"
	"sync"
	"time"

	"github.com/latido-dev/latido/continuous"
)

// The dashboard's rates and quantiles are over a window that ends now. Nothing
// runs in between: the window begins at a snapshot that an earlier look left
// behind. Someone who looks regularly gets one or two dashboardWindows;
// someone who comes back after a break gets the break first, and something
// recent minSnapshot later.
const (
	dashboardWindow = time.Minute
	minSnapshot     = 15 * time.Second
)

// snapshot is what the RED series and the functions said at some time.
type snapshot struct {
	at time.Time
	of map[*histogram]redSnapshot
}

type redSnapshot struct {
	count, errors int64
	buckets       []uint64
	sum           float64
}

// snapshots keeps two, so that there is always one to compare with.
type snapshots struct {
	mu           sync.Mutex
	older, newer snapshot
}

func (t *Telemetry) read() snapshot {
	r := snapshot{at: time.Now(), of: map[*histogram]redSnapshot{}}
	for m := range t.routes.each {
		one := readDurations(m.duration)
		for _, s := range m.statuses.all() {
			n := s.n.Load()
			one.count += n
			if s.key >= 500 {
				one.errors += n
			}
		}
		r.of[m.duration] = one
	}
	for _, f := range t.functions.all() {
		one := readDurations(f.duration)
		for _, c := range f.calls.all() {
			n := c.n.Load()
			one.count += n
			if c.key != "" {
				one.errors += n
			}
		}
		r.of[f.duration] = one
	}
	return r
}

func readDurations(h *histogram) (r redSnapshot) {
	r.buckets = make([]uint64, len(h.buckets))
	_, r.sum = h.read(r.buckets)
	return r
}

// compare returns what to compare a snapshot of now with. The first one is of
// the start, when there was nothing.
func (rs *snapshots) compare(now snapshot, start time.Time) (before snapshot) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.newer.at.IsZero() {
		rs.older, rs.newer = snapshot{at: start}, snapshot{at: start}
	}
	switch age := now.at.Sub(rs.newer.at); {
	case age >= dashboardWindow:
		rs.older, rs.newer = rs.newer, now
	case age >= minSnapshot && now.at.Sub(rs.older.at) > 2*dashboardWindow:
		return rs.newer
	}
	return rs.older
}

// quantile interpolates within a bucket, as Prometheus' histogram_quantile
// does (https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile);
// beyond the last bound it is that bound. It is nil without data.
func quantile(q float64, bounds []float64, counts []uint64) *float64 {
	var total uint64
	for _, n := range counts {
		total += n
	}
	if total == 0 || len(bounds) == 0 {
		return nil
	}
	rank, below := q*float64(total), 0.0
	for i, bound := range bounds {
		n := float64(counts[i])
		if below+n >= rank && n > 0 {
			lower := 0.0
			if i > 0 {
				lower = bounds[i-1]
			}
			return new(lower + (bound-lower)*(rank-below)/n)
		}
		below += n
	}
	return new(bounds[len(bounds)-1])
}

// The dashboard's report is about the last reportRange. Making one takes some
// 100 ms, for what is profiled is parsed: it is made anew after reportEvery, when
// there is a new window, and after reportShare times what the last one took, so
// that a page that stays open takes half a percent of a core for it at most.
const (
	reportRange = 5 * time.Minute
	reportEvery = 10 * time.Second
	reportTop   = 3
	reportShare = 200
)

// reports keeps the last one, for all who ask.
type reports struct {
	mu   sync.Mutex // held while one is made
	last *continuous.Report
	next time.Time // when the last one is too old
}

// read returns the report of the last minutes, or nil if there is none. It is
// not to be changed.
func (rs *reports) read(ctx context.Context, profiler *continuous.Profiler) *continuous.Report {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	began := time.Now()
	if rs.last != nil && began.Before(rs.next) {
		return rs.last
	}
	report, err := profiler.Report(ctx, continuous.ReportOptions{From: began.Add(-reportRange), Top: reportTop})
	if err != nil { // none yet, or profiling is off
		rs.last = nil
		return nil
	}
	rs.last, rs.next = report, began.Add(max(reportEvery, reportShare*time.Since(began)))
	return report
}
