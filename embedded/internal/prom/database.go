package prom

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/fileutil"
	"github.com/prometheus/prometheus/util/compression"
)

const (
	// blockRange is how long the samples of a block are. The head holds up to
	// one and a half times that, which is what a start reads again.
	blockRange = 30 * time.Minute
	// reservedSeries are kept for what the rules record and for what a scrape
	// says of itself, which come after what was scraped.
	reservedSeries = 2000
	maxExemplars   = 2000
	// headStripes is enough for 20,000 series; tsdb's own number takes megabytes.
	headStripes = 256
	// chunkBytes is about what a chunk of 120 samples takes in memory.
	chunkBytes = 300
	// pageBytes is the least that a log is written by.
	pageBytes = 32 << 10
)

// database is a tsdb.DB whose own loop writes nothing: tsdb panics in that loop
// where it cannot write. See store.maintain for what it would do.
type database struct {
	*tsdb.DB // nil while it is opened
	reg      *prometheus.Registry
	cfg      Config
	faults   *faults
	recorded map[string]bool
	mapped   time.Time // when complete chunks were last written; only the maintenance's
}

// logLimit is how many bytes the log takes before its samples become a block.
func (c Config) logLimit() int64 { return max(c.MaxBytes/16, 8*pageBytes) }

// options are those of a database: nothing is done by tsdb's own loop, and all that
// is on disk stays within MaxBytes. One without a log keeps to memory.
func (s *store) options(log bool) *tsdb.Options {
	o := tsdb.DefaultOptions()
	o.NoLockfile = true // see lock
	o.BlockReloadInterval = 365 * 24 * time.Hour
	o.MinBlockDuration = blockRange.Milliseconds()
	o.MaxBlockDuration = max(blockRange, s.cfg.Retention/10).Milliseconds()
	o.RetentionDuration = s.cfg.Retention.Milliseconds()
	// What the log grows by meanwhile, a block that is being written, the reserve
	// and what was moved aside are not in tsdb's sum.
	o.MaxBytes = max(s.cfg.MaxBytes-reserveBytes-3*s.cfg.logLimit()-sizeOf(s.aside()), s.cfg.MaxBytes/4)
	o.MaxBlockChunkSegmentSize = s.cfg.logLimit() // it is allocated beforehand, whatever will be in it
	o.WALCompression = compression.Snappy
	o.WALSegmentSize = -1
	if log {
		o.WALSegmentSize = int(s.cfg.logLimit() / 8 / pageBytes * pageBytes)
	}
	o.StripeSize = headStripes
	o.HeadChunksWriteBufferSize = chunks.MinWriteBufferSize
	o.EnableExemplarStorage, o.MaxExemplars = true, maxExemplars
	return o
}

// open opens a database in dir. One without a log keeps to memory.
func (s *store) open(dir string, log bool) (*database, error) {
	d := &database{reg: prometheus.NewRegistry(), cfg: s.cfg, faults: s.faults, recorded: s.recorded}
	o := s.options(log)
	o.SeriesLifecycleCallback = d
	var err error
	if d.DB, err = tsdb.Open(dir, quietly(s.log), d.reg, o, nil); err != nil {
		return nil, err
	}
	d.DisableCompactions()
	return d, nil
}

// openMemory opens a database without a log. It needs a folder to be opened, and
// writes nothing to it: the folder may be anywhere, and is removed at once.
func (s *store) openMemory() (*database, error) {
	var errs []error
	for _, parent := range []string{os.TempDir(), "/dev/shm", ".", s.cfg.Dir} {
		dir, err := os.MkdirTemp(parent, "latido-head-")
		if err != nil {
			errs = append(errs, err)
			continue
		}
		d, err := s.open(dir, false)
		_ = os.RemoveAll(dir) // an empty folder
		return d, err
	}
	return nil, fmt.Errorf("a database needs a folder to be opened, even one in memory: %w", errors.Join(errs...))
}

// errSeriesLimit says that a series is one too many.
var errSeriesLimit = errors.New("there are more series than the store takes")

// PreCreation implements tsdb.SeriesLifecycleCallback: it bounds the series.
func (d *database) PreCreation(l labels.Labels) error {
	if d.DB == nil { // those that are read again were taken before
		return nil
	}
	limit := d.cfg.MaxSeries
	if name := l.Get(model.MetricNameLabel); reported[name] || d.recorded[name] {
		limit += reservedSeries
	}
	if d.Head().NumSeries() < uint64(limit) {
		return nil
	}
	d.faults.count(faultSeries, 1)
	return errSeriesLimit
}

// PostCreation implements tsdb.SeriesLifecycleCallback.
func (*database) PostCreation(labels.Labels) {}

// PostDeletion implements tsdb.SeriesLifecycleCallback.
func (*database) PostDeletion(map[chunks.HeadSeriesRef]labels.Labels) {}

// ahead is how far the newest sample is after a time, at most 0 for none.
func (d *database) ahead(of time.Time) time.Duration {
	if d.Head().NumSeries() == 0 {
		return 0
	}
	return time.UnixMilli(d.Head().MaxTime()).Sub(of)
}

// size is what is on disk.
func (d *database) size() int64 {
	n := d.Head().Size()
	for _, b := range d.Blocks() {
		n += b.Size()
	}
	return n
}

// figure is the value of one of tsdb's own metrics that has no labels.
func (d *database) figure(name string) float64 {
	families, _ := d.reg.Gather() // those that could be gathered
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return 0
}

// close closes it. tsdb panics where it cannot write the chunks that are
// complete; they are in the log too.
func (d *database) close() error { return recovered(d.Close) }

var discard = slog.New(slog.DiscardHandler)

const corruptPrefix = "corrupt-"

// moveAside takes a broken file or folder out of the way, for somebody to look
// at. It is kept until the next one.
func (s *store) moveAside(name string) {
	for _, path := range s.aside() {
		if err := os.RemoveAll(path); err != nil {
			s.faults.add(faultCorrupt, "what was moved aside cannot be removed", err)
		}
	}
	err := os.Rename(filepath.Join(s.cfg.Dir, name), filepath.Join(s.cfg.Dir, corruptPrefix+name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.faults.add(faultCorrupt, "what cannot be read cannot be moved aside either", err)
	}
}

// aside is what was moved aside.
func (s *store) aside() []string {
	if s.cfg.Dir == "" {
		return nil
	}
	paths, _ := filepath.Glob(filepath.Join(s.cfg.Dir, corruptPrefix+"*")) // the pattern is right
	return paths
}

func sizeOf(paths []string) (n int64) {
	for _, path := range paths {
		size, _ := fileutil.DirSize(path) // of what can be read
		n += size
	}
	return n
}
