package prom

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/prometheus/tsdb/fileutil"
)

// openStore opens the store. What the folder cannot do costs a warning: then
// all is kept in memory. The error is one of memory itself.
func openStore(cfg Config, f *faults) (*store, error) {
	s, err := newStore(cfg, f)
	if err != nil {
		return nil, err
	}
	if cfg.Dir == "" {
		return s, s.begin("", nil)
	}
	if err := s.lock(); err != nil {
		return s, s.begin(err.Error(), nil)
	}
	latest := cfg.time.Wall().Add(maxFuture).UnixMilli()
	s.openBlocks(latest)
	logs := logDirs(cfg.Dir)
	for _, dir := range logs {
		var n uint64
		if _, err := fmt.Sscanf(filepath.Base(dir), logPrefix+"%d", &n); err == nil {
			s.number = max(s.number, n)
		}
	}
	why := ""
	if err := s.room(); err != nil {
		why = err.Error()
		s.faults.add(faultDisk, "the disk is full, samples are kept in memory", err)
	}
	return s, s.begin(why, logs)
}

// lock makes the folder this process's.
func (s *store) lock() error {
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		s.faults.add(faultDisk, "the folder cannot be made, samples are kept in memory", err)
		return err
	}
	lock, _, err := fileutil.Flock(filepath.Join(s.cfg.Dir, "lock"))
	switch {
	case err == nil:
		s.unlock = lock.Release
		return nil
	case errors.Is(err, os.ErrPermission), isDiskError(err):
		s.faults.add(faultDisk, "the folder cannot be written to, samples are kept in memory", err)
		return err
	default:
		err = fmt.Errorf("%s is in use by another process: %w", s.cfg.Dir, err)
		s.faults.add(faultLocked, "samples are kept in memory", err)
		return err
	}
}

// begin opens the first generation and fills it with what is in the logs of the
// runs before. why is the reason to keep to memory, "" for none.
func (s *store) begin(why string, logs []string) error {
	if s.cfg.Dir != "" && why == "" {
		if err := s.beginAt(s.logDir(s.number+1), logs); err == nil {
			return nil
		} else {
			why = err.Error()
			s.faults.add(faultDisk, "the folder cannot be written to, samples are kept in memory", err)
		}
	}
	s.why = why
	return s.beginAt("", logs)
}

// beginAt opens a generation whose log is in dir, "" for memory. The old logs
// are removed once all of them is in the new one.
func (s *store) beginAt(dir string, logs []string) error {
	if dir != "" {
		if err := s.reserve(); err != nil {
			return err
		}
	}
	g, err := newGeneration(s.number+1, dir)
	if err != nil {
		return err
	}
	wall := s.cfg.time.Wall()
	r := newReplay(g, wall.Add(-s.cfg.Retention).UnixMilli(), wall.Add(maxFuture).UnixMilli())
	for _, old := range logs {
		if err := r.dir(old); err != nil {
			if dir != "" && isDiskError(err) {
				return errors.Join(err, s.closeLog(g), os.RemoveAll(dir))
			}
			s.faults.add(faultCorrupt, "a log could not be read to its end", err)
		}
	}
	if r.future > 0 {
		s.faults.add(faultClock, "samples from the future were left out", nil, "samples", r.future)
	}
	newest := r.newest
	for _, b := range s.blocks {
		newest = max(newest, endOf(b, wall))
	}
	s.number++
	s.active, s.disk = g, dir != ""
	s.newest = newest
	s.clock = newClock(s.cfg.time, time.UnixMilli(newest+2))                   // the millisecond between is for what end writes
	s.fresh = newFreshness(s.cfg.ScrapeInterval, s.cfg.maxLate, s.clock.Now()) // what is restored began before that
	s.clock.jumps = func() { s.faults.add(faultClock, "the clock was ahead for a while, and is followed", nil) }
	if dir != "" {
		for _, old := range logs {
			if err := os.RemoveAll(old); err != nil {
				s.faults.add(faultDisk, "an old log cannot be removed", err)
			}
		}
	} else {
		g.covers = logs
	}
	return nil
}

// close ends the store. What is in memory is gone, what is in a log or a block
// is not.
func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, g := range append(s.older, s.active) {
		errs = append(errs, s.closeLog(g))
	}
	for _, b := range s.blocks {
		errs = append(errs, b.Close())
	}
	if s.unlock != nil {
		errs = append(errs, s.unlock())
	}
	return errors.Join(errs...)
}
