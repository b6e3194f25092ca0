package prom

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/fileutil"
	"github.com/prometheus/prometheus/tsdb/index"
)

const (
	logPrefix     = "log-"
	corruptPrefix = "corrupt-"
)

var discard = slog.New(slog.DiscardHandler)

// write makes a block of a generation that is at rest. It returns nil for one
// without samples.
func (s *store) write(g *generation) (*tsdb.Block, error) {
	mint, maxt := g.head.MinTime(), g.head.MaxTime()
	ids, err := s.compactor.Write(s.cfg.Dir, tsdb.NewRangeHeadWithIsolationDisabled(g.head, mint, maxt), mint, maxt+1, nil)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return tsdb.OpenBlock(discard, filepath.Join(s.cfg.Dir, ids[0].String()), nil, nil)
}

// openBlocks opens the blocks of the folder, and moves aside those that cannot
// be read, or are from a future that no clock that is right can have seen.
func (s *store) openBlocks(latest int64) {
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		s.faults.add(faultDisk, "the folder cannot be read", err)
		return
	}
	for _, e := range entries {
		path := filepath.Join(s.cfg.Dir, e.Name())
		if strings.Contains(e.Name(), ".tmp") || strings.HasPrefix(e.Name(), "latido-head-") { // half written when the process ended
			_ = os.RemoveAll(path)
			continue
		}
		if _, err := ulid.ParseStrict(e.Name()); err != nil {
			continue
		}
		b, err := openBlock(path)
		switch {
		case err != nil:
			s.faults.add(faultCorrupt, "a block cannot be read and was moved aside", err, "block", e.Name())
		case b.MinTime() > latest:
			s.faults.add(faultClock, "a block is from the future and was moved aside", b.Close(), "block", e.Name())
		default:
			s.blocks = append(s.blocks, b)
			continue
		}
		s.moveAside(path)
	}
	slices.SortFunc(s.blocks, func(a, b *tsdb.Block) int { return int(a.MinTime() - b.MinTime()) })
}

// openBlock opens a block that can be read to its last chunk. A block that is
// short of a part would fail every query that reaches it.
func openBlock(path string) (b *tsdb.Block, err error) {
	defer func() { // of an index that leads anywhere
		if p := recover(); p != nil {
			b, err = nil, fmt.Errorf("%v", p)
		}
	}()
	b, err = tsdb.OpenBlock(discard, path, nil, nil)
	if err != nil {
		return nil, err
	}
	if err := readAll(b); err != nil {
		return nil, fmt.Errorf("%w%s", err, closing(b.Close()))
	}
	return b, nil
}

func closing(err error) string {
	if err == nil {
		return ""
	}
	return ", and " + err.Error()
}

func readAll(b *tsdb.Block) error {
	ir, err := b.Index()
	if err != nil {
		return err
	}
	defer ir.Close()
	cr, err := b.Chunks()
	if err != nil {
		return err
	}
	defer cr.Close()
	name, value := index.AllPostingsKey()
	p, err := ir.Postings(context.Background(), name, value)
	if err != nil {
		return err
	}
	var builder labels.ScratchBuilder
	var metas []chunks.Meta
	for p.Next() {
		if err := ir.Series(p.At(), &builder, &metas); err != nil {
			return err
		}
		for _, m := range metas {
			if _, _, err := cr.ChunkOrIterable(m); err != nil {
				return err
			}
		}
	}
	return p.Err()
}

// moveAside takes a broken file or folder out of the way, for somebody to look
// at. It is kept until the next one, or until there is no room for it.
func (s *store) moveAside(path string) {
	s.removeAside()
	err := os.Rename(path, filepath.Join(s.cfg.Dir, corruptPrefix+filepath.Base(path)))
	if err != nil {
		s.faults.add(faultCorrupt, "what cannot be read cannot be moved aside either", err)
	}
}

func (s *store) removeAside() {
	old, _ := filepath.Glob(filepath.Join(s.cfg.Dir, corruptPrefix+"*")) // the pattern is right
	for _, path := range old {
		if err := os.RemoveAll(path); err != nil {
			s.faults.add(faultCorrupt, "what was moved aside cannot be removed", err)
		}
	}
}

// expireBlocks removes the blocks that end before oldest, and the oldest ones
// while there are too many bytes.
func (s *store) expireBlocks(now time.Time, oldest int64) {
	s.mu.Lock()
	limit := s.blockLimit()
	var bytes int64
	for _, b := range s.blocks {
		bytes += b.Size()
	}
	aside := asideBytes(s.cfg.Dir)
	drop := 0
	for _, b := range s.blocks {
		expired := endOf(b, now) <= oldest
		if !expired && bytes+aside <= limit {
			break
		}
		if !expired && aside > 0 {
			s.removeAside()
			aside = 0
			if bytes <= limit {
				break
			}
		}
		bytes -= b.Size()
		drop++
	}
	gone := s.blocks[:drop]
	s.blocks = slices.Clone(s.blocks[drop:])
	s.mu.Unlock()
	for _, b := range gone {
		// Close waits for the queries that read it.
		if err := b.Close(); err != nil {
			s.faults.add(faultDisk, "an old block cannot be closed", err)
		}
		if err := os.RemoveAll(b.Dir()); err != nil {
			s.faults.add(faultDisk, "an old block cannot be removed", err)
		}
	}
}

// endOf is when a block ends; see end.
func endOf(b *tsdb.Block, now time.Time) int64 { return end(b.MinTime(), b.MaxTime(), now) }

// end is when samples between two times end. Those with one from a far future
// among them end when the rest does.
func end(mint, maxt int64, now time.Time) int64 {
	if maxt > now.Add(maxFuture).UnixMilli() {
		return mint + blockRange.Milliseconds()
	}
	return maxt
}

func asideBytes(dir string) int64 {
	if dir == "" {
		return 0
	}
	var n int64
	paths, _ := filepath.Glob(filepath.Join(dir, corruptPrefix+"*")) // the pattern is right
	for _, path := range paths {
		if size, err := fileutil.DirSize(path); err == nil {
			n += size
		}
	}
	return n
}
