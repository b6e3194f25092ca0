package prom

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	// blockRange is how long a generation on disk takes samples before it is
	// written as a block. What a start has to read again is at most that.
	blockRange = 30 * time.Minute
	// maintenanceInterval is how often the disk and the bounds are looked at.
	maintenanceInterval = 5 * time.Second
	// returnInterval is how often a store that left its folder tries to return.
	returnInterval = time.Minute
)

// logShare is the share of MaxBytes that one log takes before it makes way for
// the next, and maxLogs how many times that it takes at most, when the disk is so
// slow that no block is written meanwhile.
const (
	logShare = 16
	maxLogs  = 4
)

func (s *store) logLimit() int64 { return max(s.cfg.MaxBytes/logShare, segmentBytes/4) }

// blockLimit is what all blocks may take: what the logs leave, and a block that
// is about to be made of one of them. Its chunks are given logLimit beforehand,
// its index is no larger, and the log grows meanwhile. The caller holds the lock.
func (s *store) blockLimit() int64 {
	n := s.cfg.MaxBytes - reserveBytes - 3*s.logLimit() - s.active.bytes()
	for _, g := range s.older {
		n -= g.bytes()
	}
	return n
}

// minFree is the space that has to be left for the folder to be written to.
func (s *store) minFree() uint64 { return uint64(min(s.cfg.MaxBytes/4, 16<<20)) }

// maintain looks after the store until ctx is done. Nothing that goes wrong in
// it is the process's end.
func (s *store) maintain(ctx context.Context) {
	tick := time.NewTicker(maintenanceInterval)
	defer tick.Stop()
	var away time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.wake:
		}
		s.look(&away)
	}
}

// look does what there is to do. away is since when the folder is left.
func (s *store) look(away *time.Time) {
	defer func() {
		if p := recover(); p != nil { // tsdb panics where it does not know better
			s.faults.add(faultDisk, "maintenance failed", fmt.Errorf("%v", p))
		}
	}()
	now := s.clock.Now()
	s.mu.RLock()
	disk, g := s.disk, s.active
	s.mu.RUnlock()
	switch {
	case disk:
		if err := s.room(); err != nil {
			s.faults.add(faultDisk, "the disk is full, samples are kept in memory", err)
			s.mu.Lock()
			s.toMemory(g, err.Error())
			s.mu.Unlock()
			break
		}
		if g.bytes() > s.logLimit() || s.age(g, now) > blockRange {
			s.renew(g)
		}
	case s.cfg.Dir != "" && s.unlock != nil:
		if away.IsZero() {
			*away = time.Now()
		}
		if time.Since(*away) >= returnInterval {
			*away = time.Time{}
			s.toDisk()
		}
	}
	s.expire(now) // first: a block needs room while its log is still there
	s.flush()
	s.expire(now)
}

// age is how old a generation's oldest sample is.
func (s *store) age(g *generation, now time.Time) time.Duration {
	if g.empty() {
		return 0
	}
	return now.Sub(time.UnixMilli(g.head.MinTime()))
}

// room tells whether there is enough space for what is written before it is
// looked at the next time.
func (s *store) room() error {
	free, err := s.cfg.free(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("free space of %s: %w", s.cfg.Dir, err)
	}
	if free < s.minFree() {
		return fmt.Errorf("%s has %d KiB left, at least %d are needed", s.cfg.Dir, free>>10, s.minFree()>>10)
	}
	return nil
}

// toMemory lets a generation without a log take the samples in place of g. What
// g has can be queried as before. The caller holds the lock.
func (s *store) toMemory(g *generation, why string) {
	if s.active != g {
		return
	}
	next, err := newGeneration(s.number+1, "")
	if err != nil {
		s.faults.add(faultDisk, "no other head can be opened", err)
		return
	}
	s.number++
	s.older, s.active = append(s.older[:len(s.older):len(s.older)], g), next
	s.disk, s.why = false, why
	s.poke()
}

// overrun leaves the folder: its disk takes longer to make a block than the log
// takes to grow out of bounds.
func (s *store) overrun(g *generation) {
	const why = "the disk is too slow for the samples, they are kept in memory"
	s.faults.add(faultDisk, why, nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.toMemory(g, why)
}

// toDisk goes back to the folder, once there is room.
func (s *store) toDisk() {
	if err := s.room(); err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reserve(); err != nil {
		return
	}
	next, err := newGeneration(s.number+1, s.logDir(s.number+1))
	if err != nil {
		s.faults.add(faultDisk, "the folder cannot be written to", err)
		return
	}
	s.number++
	s.older, s.active = append(s.older[:len(s.older):len(s.older)], s.active), next
	s.disk, s.why = true, ""
	s.faults.over(faultDisk, "the disk is full, samples are kept in memory")
	s.faults.over(faultDisk, "samples could not be written to disk")
	s.log.Info("embedded store: the disk has room again, samples are kept on it")
}

// renew lets a new generation of the same kind take the samples in place of g.
func (s *store) renew(g *generation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.active != g {
		return
	}
	if !s.disk {
		s.toMemory(g, s.why)
		return
	}
	next, err := newGeneration(s.number+1, s.logDir(s.number+1))
	if err != nil {
		s.faults.add(faultDisk, "a new log cannot be written", err)
		s.toMemory(g, err.Error())
		return
	}
	s.number++
	s.older, s.active = append(s.older[:len(s.older):len(s.older)], g), next
	s.poke()
}

// flush writes the generations that take no more samples as blocks, and then
// their logs are not needed any more.
func (s *store) flush() {
	s.mu.RLock()
	older := s.older
	s.mu.RUnlock()
	for _, g := range older {
		g.appending.Lock() // wait for the transactions that are under way
		g.retired = true
		g.appending.Unlock()
		if err := s.closeLog(g); err != nil {
			s.faults.add(faultDisk, "a log could not be closed", err)
		}
		if g.empty() {
			s.drop(g)
			continue
		}
		s.mu.RLock()
		disk := s.disk
		s.mu.RUnlock()
		if !disk { // it stays as it is, and can be queried
			continue
		}
		b, err := s.write(g)
		if err != nil {
			s.faults.add(faultDisk, "a block could not be written", err)
			s.mu.Lock()
			s.toMemory(s.active, err.Error())
			s.mu.Unlock()
			continue
		}
		s.mu.Lock()
		if b != nil {
			s.blocks = append(s.blocks[:len(s.blocks):len(s.blocks)], b)
		}
		s.mu.Unlock()
		s.drop(g)
	}
}

// drop forgets a generation, and removes its log.
func (s *store) drop(g *generation) {
	s.mu.Lock()
	for i, o := range s.older {
		if o == g {
			s.older = append(s.older[:i:i], s.older[i+1:]...)
			break
		}
	}
	s.mu.Unlock()
	err := s.closeLog(g)
	if g.log != nil {
		err = errors.Join(err, os.RemoveAll(g.dir))
	}
	for _, dir := range g.covers {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		s.faults.add(faultDisk, "a log could not be removed", err)
	}
}

// expire removes what is too old or too much.
func (s *store) expire(now time.Time) {
	oldest := now.Add(-s.cfg.Retention).UnixMilli()
	s.mu.RLock()
	older, active, disk := s.older, s.active, s.disk
	s.mu.RUnlock()
	if !disk { // on disk, the generation is written and replaced
		s.trim(active, oldest)
	}
	for _, g := range older {
		if end(g.head.MinTime(), g.head.MaxTime(), now) < oldest {
			s.drop(g)
		}
	}
	s.expireBlocks(now, oldest)
}

// trim takes the oldest samples out of a head in memory.
func (s *store) trim(g *generation, oldest int64) {
	if g.empty() {
		return
	}
	from, to := g.head.MinTime(), g.head.MaxTime()
	switch {
	case g.memory() > s.cfg.MaxBytes:
		s.faults.add(faultMemory, "there are more samples than MaxBytes holds in memory; the oldest are dropped", nil)
		oldest = max(oldest, from+(to-from)/4)
	case oldest-from < s.cfg.Retention.Milliseconds()/20: // in steps: every one walks over all series
		return
	}
	if err := g.head.Truncate(oldest); err != nil {
		s.faults.add(faultMemory, "old samples could not be dropped", err)
	}
}

func (s *store) logDir(number uint64) string {
	return filepath.Join(s.cfg.Dir, fmt.Sprintf("%s%06d", logPrefix, number))
}
