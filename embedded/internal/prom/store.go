package prom

import (
	"context"
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

// store keeps samples: in the generation that takes them, in those before it
// that are not yet blocks, and in blocks. It is a storage of Prometheus, and
// safe for concurrent use.
type store struct {
	cfg       Config
	clock     *clock
	faults    *faults
	fresh     *freshness
	log       *slog.Logger
	exemplars tsdb.ExemplarStorage
	compactor *tsdb.LeveledCompactor
	wake      chan struct{} // something wants maintenance now

	mu     sync.RWMutex
	active *generation
	older  []*generation // oldest first
	blocks []*tsdb.Block // oldest first
	why    string        // why all is in memory although there is a Dir, "" when it is not
	number uint64        // of the newest generation
	disk   bool          // the active generation has a log
	unlock func() error  // of Dir, nil when it is not ours
	newest int64         // time of the newest sample of the runs before
}

// maxExemplars are kept, in memory.
const maxExemplars = 2000

func newStore(cfg Config, f *faults) (*store, error) {
	exemplars, err := tsdb.NewCircularExemplarStorage(maxExemplars, tsdb.NewExemplarMetrics(nil), 0)
	if err != nil {
		return nil, err
	}
	s := &store{cfg: cfg, faults: f, log: cfg.Logger, exemplars: exemplars, wake: make(chan struct{}, 1)}
	s.compactor, err = tsdb.NewLeveledCompactorWithOptions(context.Background(), nil, discard, []int64{headRange.Milliseconds()}, nil, tsdb.LeveledCompactorOptions{
		MaxBlockChunkSegmentSize: s.logLimit(), // it is allocated beforehand, whatever will be in it
	})
	return s, err
}

// parts are what a query reads: what overlaps its time.
func (s *store) parts() ([]*tsdb.Block, []*generation) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	generations := make([]*generation, 0, len(s.older)+1)
	generations = append(generations, s.older...)
	return s.blocks, append(generations, s.active)
}

// Querier implements storage.Queryable.
func (s *store) Querier(mint, maxt int64) (storage.Querier, error) {
	all, err := queriers(s, mint, maxt, tsdb.NewBlockQuerier)
	if err != nil {
		return nil, err
	}
	return storage.NewMergeQuerier(all, nil, storage.ChainedSeriesMerge), nil
}

// ChunkQuerier implements storage.ChunkQueryable.
func (s *store) ChunkQuerier(mint, maxt int64) (storage.ChunkQuerier, error) {
	all, err := queriers(s, mint, maxt, tsdb.NewBlockChunkQuerier)
	if err != nil {
		return nil, err
	}
	return storage.NewMergeChunkQuerier(all, nil, storage.NewCompactingChunkSeriesMerger(storage.ChainedSeriesMerge)), nil
}

// queriers opens one for each part. The lock is held so that no block is closed
// between being found and being opened; an open one waits for its readers.
func queriers[Q interface{ Close() error }](s *store, mint, maxt int64, open func(tsdb.BlockReader, int64, int64) (Q, error)) (all []Q, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	defer func() {
		if err != nil {
			for _, q := range all {
				_ = q.Close()
			}
		}
	}()
	for _, b := range s.blocks {
		if !b.OverlapsClosedInterval(mint, maxt) {
			continue
		}
		q, err := open(b, mint, maxt)
		if err != nil {
			return all, fmt.Errorf("block %s: %w", b.Meta().ULID, err)
		}
		all = append(all, q)
	}
	for _, g := range append(s.older[:len(s.older):len(s.older)], s.active) {
		q, ok, err := querierOf(g, mint, maxt, open)
		if err != nil {
			return all, err
		}
		if ok {
			all = append(all, q)
		}
	}
	return all, nil
}

// ExemplarQuerier implements storage.ExemplarQueryable.
func (s *store) ExemplarQuerier(ctx context.Context) (storage.ExemplarQuerier, error) {
	return s.exemplars.ExemplarQuerier(ctx)
}

// StartTime is the time of the oldest sample in milliseconds, or the largest
// number for none.
func (s *store) StartTime() (int64, error) {
	blocks, generations := s.parts()
	oldest := int64(math.MaxInt64)
	for _, b := range blocks {
		oldest = min(oldest, b.MinTime())
	}
	for _, g := range generations {
		oldest = min(oldest, g.head.MinTime())
	}
	return oldest, nil
}

// Status says how the store is.
type Status struct {
	// Mode is ModeDisk or ModeMemory, and Why says why a store that was given a
	// folder keeps to memory.
	Mode, Why string
	// Bytes are on disk, and Series are those that take samples.
	Bytes, Series int64
	// Oldest is the time of the oldest sample, zero for none.
	Oldest time.Time
	// LastScrape is when a scrape last succeeded, zero for never.
	LastScrape time.Time
}

func (s *store) status() Status {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st := Status{Mode: ModeMemory, Why: s.why, Bytes: s.diskBytes(), Series: int64(s.active.head.NumSeries())}
	if s.disk {
		st.Mode = ModeDisk
	}
	oldest := s.active.head.MinTime()
	for _, g := range s.older {
		oldest = min(oldest, g.head.MinTime())
	}
	for _, b := range s.blocks {
		oldest = min(oldest, b.MinTime())
	}
	if oldest != math.MaxInt64 {
		st.Oldest = time.UnixMilli(oldest)
	}
	return st
}

// diskBytes is what the store takes on disk. The caller holds the lock.
func (s *store) diskBytes() int64 {
	n := s.active.bytes()
	for _, g := range s.older {
		n += g.bytes()
	}
	for _, b := range s.blocks {
		n += b.Size()
	}
	return n
}

// poke asks for maintenance.
func (s *store) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

var _ storage.SampleAndChunkQueryable = (*store)(nil)
