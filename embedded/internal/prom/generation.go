package prom

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"
)

const (
	// headRange only decides when a head refuses samples as too old, half of it
	// behind the newest, and where chunks end. No head lives as long as that on
	// disk.
	headRange = 2 * time.Hour
	// segmentBytes is the size of a log's files. What a corrupt record costs is
	// the rest of one.
	segmentBytes = 1 << 20
	// headStripes is enough for 20,000 series; tsdb's own number takes
	// megabytes.
	headStripes = 256
	// chunkBytes is about what a chunk of 120 samples takes in memory.
	chunkBytes = 300
)

// generation is a head that takes samples, and the log that brings them back
// after a crash. A head in memory has no log.
//
// The head never writes chunks: tsdb panics where it cannot. Its folder for
// them is removed as soon as it is open, and its Close, which would write them,
// is never called: it holds nothing else but that folder's descriptor, which goes
// with the garbage.
type generation struct {
	number uint64
	head   *tsdb.Head
	log    *wlog.WL // nil for memory
	dir    string   // of the log
	covers []string // logs of runs before that are in it, and go when it goes
	reg    *prometheus.Registry

	// appending is held for reading from the first sample of a transaction to
	// its end. Whoever holds it for writing knows that the head is at rest.
	appending sync.RWMutex
	retired   bool // takes no more samples; guarded by appending
	closed    bool // the log is
}

// newGeneration opens a head. dir is the folder of its log, "" for none.
func newGeneration(number uint64, dir string) (g *generation, err error) {
	g = &generation{number: number, dir: dir, reg: prometheus.NewRegistry()}
	defer func() {
		if err != nil && g.log != nil {
			err = errors.Join(err, g.log.Close())
		}
	}()
	if dir != "" {
		if g.log, err = wlog.NewSize(nil, g.reg, dir, segmentBytes, compression.Snappy); err != nil {
			return nil, err
		}
	}
	chunkRoot, err := scratch(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(chunkRoot)) }()
	o := tsdb.DefaultHeadOptions()
	o.ChunkRange = headRange.Milliseconds()
	o.ChunkDirRoot = chunkRoot
	o.ChunkWriteBufferSize = chunks.MinWriteBufferSize
	o.ChunkWriteQueueSize = 0 // no goroutine
	o.StripeSize = headStripes
	if g.head, err = tsdb.NewHead(g.reg, nil, g.log, nil, o, nil); err != nil {
		return nil, err
	}
	return g, nil
}

// scratch makes a folder that a head can be opened with. It may be anywhere:
// nothing is ever written to it.
func scratch(dir string) (string, error) {
	parents := []string{os.TempDir(), "/dev/shm", "."}
	if dir != "" {
		parents = append([]string{filepath.Dir(dir)}, parents...)
	}
	var errs []error
	for _, parent := range parents {
		made, err := os.MkdirTemp(parent, "latido-head-")
		if err == nil {
			return made, nil
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("a head needs a folder to be opened, even one in memory: %w", errors.Join(errs...))
}

// close closes the log; see store.closeLog. Only maintenance and the end of the
// store do so.
func (g *generation) close() error {
	if g.log == nil || g.closed {
		return nil
	}
	err := g.log.Close()
	g.closed = err == nil
	return err
}

// bytes is what its log takes on disk.
func (g *generation) bytes() int64 {
	if g.log == nil {
		return 0
	}
	n, err := g.log.Size()
	if err != nil {
		return 0
	}
	return n
}

// memory is about what its samples take.
func (g *generation) memory() int64 {
	families, err := g.reg.Gather()
	if err != nil {
		return 0
	}
	for _, f := range families {
		if f.GetName() == "prometheus_tsdb_head_chunks" {
			return int64(f.GetMetric()[0].GetGauge().GetValue()) * chunkBytes
		}
	}
	return 0
}

// empty tells whether it has no samples.
func (g *generation) empty() bool { return g.head.NumSeries() == 0 }

// querier reads the head. A truncation that goes on at the same time is told of
// readers by the querier being open, so it is opened first and looked at then.
func querierOf[Q interface{ Close() error }](g *generation, mint, maxt int64, open func(tsdb.BlockReader, int64, int64) (Q, error)) (q Q, ok bool, err error) {
	if !g.head.OverlapsClosedInterval(mint, maxt) {
		return q, false, nil
	}
	q, err = open(tsdb.NewRangeHead(g.head, mint, maxt), mint, maxt)
	if err != nil {
		return q, false, err
	}
	closeIt, again, from := g.head.IsQuerierCollidingWithTruncation(mint, maxt)
	if closeIt {
		if err := q.Close(); err != nil {
			return q, false, err
		}
	}
	if again {
		q, err = open(tsdb.NewRangeHead(g.head, from, maxt), from, maxt)
		return q, err == nil, err
	}
	return q, !closeIt, nil
}

// refBits is how many bits of a series' reference are the head's. Those above
// say which generation it belongs to: scrapes keep references, and a head takes
// one that it is given for its own.
const refBits = 40

func (g *generation) out(ref storage.SeriesRef) storage.SeriesRef {
	if ref == 0 {
		return 0
	}
	return storage.SeriesRef(g.number<<refBits) | ref
}

func (g *generation) in(ref storage.SeriesRef) storage.SeriesRef {
	if uint64(ref)>>refBits != g.number {
		return 0
	}
	return ref & (1<<refBits - 1)
}
