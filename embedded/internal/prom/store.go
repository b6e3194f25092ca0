package prom

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// Modes of the store.
const (
	ModeDisk   = "disk"
	ModeMemory = "memory"
)

// store keeps samples in a database on disk. One in memory stands beside it: it
// takes the samples while the disk takes none. A query reads both. A store is a
// storage of Prometheus and safe for concurrent use.
type store struct {
	cfg      Config
	faults   *faults
	fresh    *freshness
	log      *slog.Logger
	recorded map[string]bool // names of the series that rules write
	wake     chan struct{}   // something wants maintenance now
	unlock   func() error    // of Dir, nil when it is not ours

	mu     sync.RWMutex
	disk   *database // nil for none
	memory *database
	onDisk bool      // whether disk takes the samples
	why    string    // why it does not although there is a Dir
	away   time.Time // when disk was last tried and took none
}

// openStore opens the store. What the folder cannot do costs a warning: then
// samples are kept in memory. The error is one of memory itself.
func openStore(cfg Config, f *faults, recorded map[string]bool) (*store, error) {
	s := &store{cfg: cfg, faults: f, log: cfg.Logger, recorded: recorded, wake: make(chan struct{}, 1),
		fresh: newFreshness(cfg.ScrapeInterval, cfg.maxLate, time.Now())}
	var err error
	if s.memory, err = s.openMemory(); err != nil || cfg.Dir == "" {
		return s, err
	}
	s.away = time.Now()
	if err := s.lock(); err != nil {
		s.why = err.Error()
		return s, nil //nolint:nilerr // samples are in memory then, and status says why
	}
	if err := recovered(s.toDisk); err != nil {
		s.why = err.Error()
		s.faults.add(faultDisk, inMemory, err)
	}
	return s, nil
}

const inMemory = "the disk cannot be written to, samples are kept in memory"

// taker is the database that takes samples now.
func (s *store) taker() *database {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.current()
}

// onDiskNow is the database on disk, nil while it takes no samples.
func (s *store) onDiskNow() *database {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.onDisk {
		return nil
	}
	return s.disk
}

// current is taker for a caller that holds the lock.
func (s *store) current() *database {
	if s.onDisk {
		return s.disk
	}
	return s.memory
}

// Querier implements storage.Queryable.
func (s *store) Querier(mint, maxt int64) (storage.Querier, error) {
	all, err := queriers(s, func(d *database) (storage.Querier, error) { return d.Querier(mint, maxt) })
	if err != nil || len(all) == 1 {
		return all[0], err
	}
	return storage.NewMergeQuerier(all, nil, storage.ChainedSeriesMerge), nil
}

// ChunkQuerier implements storage.ChunkQueryable.
func (s *store) ChunkQuerier(mint, maxt int64) (storage.ChunkQuerier, error) {
	all, err := queriers(s, func(d *database) (storage.ChunkQuerier, error) { return d.ChunkQuerier(mint, maxt) })
	if err != nil || len(all) == 1 {
		return all[0], err
	}
	return storage.NewMergeChunkQuerier(all, nil, storage.NewCompactingChunkSeriesMerger(storage.ChainedSeriesMerge)), nil
}

// queriers opens one for each database that has samples. There is at least one,
// nil with an error.
func queriers[Q interface{ Close() error }](s *store, open func(*database) (Q, error)) ([]Q, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []Q
	for _, d := range []*database{s.disk, s.memory} {
		if d == nil || d != s.current() && d == s.memory && d.Head().NumSeries() == 0 {
			continue
		}
		q, err := open(d)
		if err != nil {
			for _, q := range all {
				err = errors.Join(err, q.Close())
			}
			return make([]Q, 1), err
		}
		all = append(all, q)
	}
	return all, nil
}

// recorder implements storage.AppendableV2, for what rules record.
type recorder struct{ *store }

// AppenderV2 implements storage.AppendableV2.
func (r recorder) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return r.taker().AppenderV2(ctx)
}

// ExemplarQuerier implements storage.ExemplarQueryable.
func (s *store) ExemplarQuerier(ctx context.Context) (storage.ExemplarQuerier, error) {
	return s.taker().ExemplarQuerier(ctx)
}

// StartTime is the time of the oldest sample in milliseconds, or the largest
// number for none.
func (s *store) StartTime() (int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	oldest, err := s.memory.StartTime()
	if s.disk != nil {
		onDisk, diskErr := s.disk.StartTime()
		return min(oldest, onDisk), errors.Join(err, diskErr)
	}
	return oldest, err
}

// status says how the store is.
type status struct {
	// Mode is ModeDisk or ModeMemory, and Why says why a store that was given a
	// folder keeps to memory.
	Mode, Why string
	// Bytes are on disk, and Series are those that take samples.
	Bytes, Series int64
	// Oldest is the time of the oldest sample, zero for none.
	Oldest time.Time
}

func (s *store) status() status {
	oldest, _ := s.StartTime() // it has no other error than none
	s.mu.RLock()
	defer s.mu.RUnlock()
	st := status{Mode: ModeMemory, Why: s.why, Series: int64(s.current().Head().NumSeries())}
	if s.onDisk {
		st.Mode = ModeDisk
	}
	if s.disk != nil {
		st.Bytes = s.disk.size()
	}
	if oldest != math.MaxInt64 {
		st.Oldest = time.UnixMilli(oldest)
	}
	return st
}

// leave has the memory take the samples in place of a database that takes none:
// its disk is full, or its newest sample is ahead of the clock. What d has can be
// queried as before.
func (s *store) leave(d *database, kind fault, what string, err error) {
	s.faults.add(kind, what, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current() != d {
		return
	}
	if d == s.memory || s.memory.ahead(time.Now()) > 0 {
		next, err := s.openMemory()
		if err != nil {
			s.faults.add(faultMemory, "no database in memory can be opened", err)
			return
		}
		_ = s.memory.close()
		s.memory = next
	}
	if s.onDisk {
		s.onDisk, s.why, s.away = false, what, time.Now()
		if err != nil {
			s.why = err.Error()
		}
	}
}

// close ends the store. What is in memory is gone, what is on disk is not.
func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	_ = s.memory.close() // it cannot write its chunks, and need not
	if s.disk != nil {
		if err := s.closeDisk(); err != nil {
			s.faults.add(faultDisk, "the store could not be closed; what it had not written yet is read from its log at the next start", err)
		}
	}
	if s.unlock != nil {
		errs = append(errs, s.unlock())
	}
	return errors.Join(errs...)
}

// poke asks for maintenance.
func (s *store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// recovered calls f and returns what it panicked with as an error.
func recovered(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}

var (
	_ storage.SampleAndChunkQueryable = (*store)(nil)
	_ tsdb.SeriesLifecycleCallback    = (*database)(nil)
)
