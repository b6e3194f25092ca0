package prom

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/fileutil"
)

// The reserve is a file that takes room on disk. tsdb ends the process where it
// cannot write while it opens, and leaves a goroutine behind where it cannot
// write while it closes, so the file makes room for both.
const (
	reserveName  = "reserve"
	reserveBytes = 256 << 10
)

// maxFuture is how far ahead of the clock stored samples may be. Beyond that it
// is they who are wrong.
const maxFuture = 2 * time.Hour

// lock makes the folder this process's.
func (s *store) lock() error {
	err := os.MkdirAll(s.cfg.Dir, 0o700)
	if err == nil {
		var lock fileutil.Releaser
		if lock, _, err = fileutil.Flock(filepath.Join(s.cfg.Dir, "lock")); err == nil {
			s.unlock = lock.Release
			return nil
		}
		if !errors.Is(err, os.ErrPermission) && !isDiskError(err) {
			err = fmt.Errorf("%s is in use by another process: %w", s.cfg.Dir, err)
			s.faults.add(faultLocked, "samples are kept in memory", err)
			return err
		}
	}
	s.faults.add(faultDisk, "the folder cannot be used, samples are kept in memory", err)
	return err
}

// room tells whether there is enough space for what is written before it is
// looked at the next time.
func (s *store) room() error {
	free, err := s.cfg.free(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("free space of %s: %w", s.cfg.Dir, err)
	}
	if least := uint64(min(s.cfg.MaxBytes/4, 16<<20)); free < least {
		return fmt.Errorf("%s has %d KiB left, at least %d are needed", s.cfg.Dir, free>>10, least>>10)
	}
	return nil
}

// reserve sets the size of the reserve.
func (s *store) reserve(size int64) error {
	f, err := os.Create(filepath.Join(s.cfg.Dir, reserveName))
	if err != nil {
		return err
	}
	return errors.Join(fileutil.Preallocate(f, size, true), f.Close())
}

// unreserve frees the room of the reserve.
func (s *store) unreserve() {
	err := os.Remove(filepath.Join(s.cfg.Dir, reserveName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.faults.add(faultDisk, "the reserve cannot be removed", err)
	}
}

// toDisk opens the database of the folder, anew if it is open: a full disk may
// have left half a record in its log, and tsdb repairs a log where it opens it.
// The caller holds the lock, or nobody else has the store.
func (s *store) toDisk() error {
	s.away = time.Now()
	if err := s.room(); err != nil {
		return err
	}
	log, err := fileutil.DirSize(filepath.Join(s.cfg.Dir, "wal"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	// What is read again is written as chunks, which are smaller.
	if err := errors.Join(s.reserve(2*log+2*reserveBytes), s.reserve(reserveBytes)); err != nil {
		return err
	}
	if s.disk != nil {
		if err := s.closeDisk(); err != nil {
			s.faults.add(faultDisk, "the store could not be closed", err)
		}
		s.disk = nil
	}
	s.checkBlocks()
	d, err := s.open(s.cfg.Dir, true)
	if err == nil && d.ahead(time.Now()) > maxFuture {
		s.faults.add(faultClock, "samples are from the future: what is stored is moved aside", d.close())
		err = errFuture
	}
	if err != nil && !isDiskError(err) {
		if !errors.Is(err, errFuture) {
			s.faults.add(faultCorrupt, "the log cannot be read and is moved aside", err)
		}
		s.moveAside("wal")
		if err := os.RemoveAll(filepath.Join(s.cfg.Dir, "chunks_head")); err != nil {
			return err
		}
		d, err = s.open(s.cfg.Dir, true)
	}
	if err != nil {
		return err
	}
	if n := d.figure("prometheus_tsdb_wal_corruptions_total"); n > 0 {
		s.faults.add(faultCorrupt, "a log could not be read to its end", nil)
	}
	s.disk, s.onDisk, s.why = d, true, ""
	s.faults.over(faultDisk, inMemory)
	return nil
}

var errFuture = errors.New("samples from the future")

// closeDisk closes the database with the room of the reserve.
func (s *store) closeDisk() error {
	s.unreserve()
	return s.disk.close()
}

// checkBlocks moves aside the blocks that cannot be read, or are from the future:
// tsdb opens no database with such a block, or fails every query that reaches it.
func (s *store) checkBlocks() {
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		s.faults.add(faultDisk, "the folder cannot be read", err)
		return
	}
	for _, e := range entries {
		if _, err := ulid.ParseStrict(e.Name()); err != nil {
			continue
		}
		newest := int64(0)
		err := recovered(func() (err error) { // of an index that leads anywhere
			newest, err = readBlock(filepath.Join(s.cfg.Dir, e.Name()))
			return err
		})
		switch {
		case err != nil:
			s.faults.add(faultCorrupt, "a block cannot be read and was moved aside", err, "block", e.Name())
		case time.Until(time.UnixMilli(newest)) > maxFuture:
			s.faults.add(faultClock, "a block is from the future and was moved aside", nil, "block", e.Name())
		default:
			continue
		}
		s.moveAside(e.Name())
	}
}

// readBlock reads every chunk of a block, and returns where it ends.
func readBlock(dir string) (newest int64, err error) {
	b, err := tsdb.OpenBlock(discard, dir, nil, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	q, err := tsdb.NewBlockChunkQuerier(b, b.MinTime(), b.MaxTime())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	found := q.Select(context.Background(), false, nil, labels.MustNewMatcher(labels.MatchNotEqual, model.MetricNameLabel, ""))
	var it chunks.Iterator
	for found.Next() {
		it = found.At().Iterator(it)
		for it.Next() {
		}
		if err := it.Err(); err != nil {
			return 0, err
		}
	}
	return b.MaxTime(), found.Err()
}
