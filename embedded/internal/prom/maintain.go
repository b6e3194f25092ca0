package prom

import (
	"context"
	"time"

	"github.com/prometheus/prometheus/tsdb"
)

const (
	// maintenanceInterval is how often the disk and the bounds are looked at.
	maintenanceInterval = 5 * time.Second
	// mapInterval is how often the chunks that are complete are written, which
	// takes them off the heap.
	mapInterval = time.Minute
	// returnInterval is how often a store that left its folder tries to return.
	returnInterval = time.Minute
	// maxLogs is how many times its limit a log takes at most, when the disk is
	// so slow that no block is written meanwhile.
	maxLogs = 4
)

// maintain looks after the store until ctx is done. Nothing that goes wrong in
// it is the process's end.
func (s *store) maintain(ctx context.Context) {
	tick := time.NewTicker(maintenanceInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.wake:
		}
		s.look(ctx)
	}
}

// look does what there is to do.
func (s *store) look(ctx context.Context) {
	s.mu.RLock()
	disk, memory, onDisk, away := s.disk, s.memory, s.onDisk, s.away
	s.mu.RUnlock()
	switch {
	case onDisk:
		if err := s.keep(ctx, disk); err != nil && ctx.Err() == nil {
			s.leave(disk, faultDisk, inMemory, err)
		}
	case s.unlock != nil && time.Since(away) >= returnInterval && (disk == nil || disk.ahead(time.Now()) <= 0):
		s.giveBack()
	}
	if err := recovered(func() error { return s.trim(memory) }); err != nil {
		s.faults.add(faultMemory, "old samples could not be dropped", err)
	}
}

// giveBack has the disk take the samples again, if it can. Queries wait while it
// is opened: without its past they would be wrong.
func (s *store) giveBack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := recovered(s.toDisk); err != nil {
		s.why = err.Error()
		return
	}
	s.log.Info("embedded store: samples are kept on disk again")
}

// keep does for a database on disk what its own loop would do: it writes the
// chunks that are complete, and makes blocks of what is old, or much.
func (s *store) keep(ctx context.Context, d *database) error {
	return recovered(func() error {
		if err := s.room(); err != nil {
			return err
		}
		if time.Since(d.mapped) >= mapInterval {
			d.mapped = time.Now()
			s.unreserve()
			d.ForceHeadMMap()
			if err := s.reserve(reserveBytes); err != nil {
				return err
			}
		}
		head := d.Head()
		if head.NumSeries() == 0 {
			return nil
		}
		// A scrape that is under way may still bring samples of its start.
		upTo := time.Now().Add(-2 * scrapeTimeout(s.cfg)).UnixMilli()
		if head.Size() > s.cfg.logLimit() && upTo > head.MinTime() {
			return d.CompactHead(tsdb.NewRangeHead(head, head.MinTime(), upTo))
		}
		if head.MaxTime()-head.MinTime() > blockRange.Milliseconds()*3/2 {
			return d.Compact(ctx)
		}
		return nil
	})
}

// grown looks at the log after a commit.
func (s *store) grown(d *database) {
	switch n, limit := d.Head().Size(), s.cfg.logLimit(); {
	case n > maxLogs*limit:
		s.leave(d, faultDisk, "the disk is too slow for the samples, they are kept in memory", nil)
	case n > limit:
		s.poke()
	}
}

// trim takes the oldest samples out of memory.
func (s *store) trim(d *database) error {
	head := d.Head()
	if head.NumSeries() == 0 {
		return nil
	}
	from, to := head.MinTime(), head.MaxTime()
	oldest := time.Now().Add(-s.cfg.Retention).UnixMilli()
	switch {
	case int64(d.figure("prometheus_tsdb_head_chunks"))*chunkBytes > s.cfg.MaxBytes:
		s.faults.add(faultMemory, "there are more samples than MaxBytes holds in memory; the oldest are dropped", nil)
		oldest = max(oldest, from+(to-from)/4)
	case oldest-from < s.cfg.Retention.Milliseconds()/20: // in steps: every one walks over all series
		return nil
	}
	return head.Truncate(oldest)
}
