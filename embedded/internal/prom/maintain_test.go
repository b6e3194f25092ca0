package prom

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// opened is a store on disk whose maintenance does not run.
func opened(t *testing.T) *store {
	t.Helper()
	cfg, err := Config{Dir: t.TempDir()}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	f, err := newFaults(cfg.Meter, cfg.Logger)
	if err != nil {
		t.Fatal(err)
	}
	s, err := openStore(cfg, f, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// A disk with as much room as is needed, and no more, is used.
func TestLeastRoom(t *testing.T) {
	t.Parallel()
	var free uint64
	s := start(t, Config{}).store
	s.cfg.free = func(string) (uint64, error) { return free, nil }
	for _, row := range []struct{ maxBytes, least int64 }{{1 << 20, 256 << 10}, {64 << 20, 16 << 20}, {1 << 30, 16 << 20}} {
		s.cfg.MaxBytes, free = row.maxBytes, uint64(row.least)
		if err := s.room(); err != nil {
			t.Errorf("of %d bytes: %v", row.maxBytes, err)
		}
		if free--; s.room() == nil {
			t.Errorf("of %d bytes, %d are enough", row.maxBytes, free)
		}
	}
}

// Nothing is wrong where a disk is as it should be: chunks are written, and the
// reserve is there again.
func TestKeepOnDisk(t *testing.T) {
	t.Parallel()
	s := opened(t)
	for _, ready := range []func(){func() {}, s.unreserve} {
		ready()
		s.disk.mapped = time.Time{}
		if err := s.keep(t.Context(), s.disk); err != nil {
			t.Error(err)
		}
		if file, err := os.Stat(filepath.Join(s.cfg.Dir, reserveName)); err != nil || file.Size() != reserveBytes {
			t.Errorf("the reserve: %v", err)
		}
	}
	if n := s.faults.of(faultDisk); n != 0 {
		t.Errorf("%d faults of the disk", n)
	}
}

// What is older than a block and a half becomes a block: the log, which a start
// reads again, is no longer.
func TestBlockOfWhatIsOld(t *testing.T) {
	t.Parallel()
	for age, want := range map[time.Duration]int{blockRange*3/2 - time.Minute: 0, blockRange*3/2 + blockRange: 1} {
		s := opened(t)
		app := s.disk.Appender(t.Context())
		for at := time.Now().Add(-age); !at.After(time.Now()); at = at.Add(time.Minute) {
			if _, err := app.Append(0, labels.FromStrings("__name__", "x"), at.UnixMilli(), 1); err != nil {
				t.Fatal(err)
			}
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := s.keep(t.Context(), s.disk); err != nil {
			t.Error(err)
		}
		if n := len(s.disk.Blocks()); min(n, 1) != want {
			t.Errorf("%d blocks of %v", n, age)
		}
	}
}

// tsdb's own loop does nothing for a year, and what may be on disk at once is
// MaxBytes: blocks, three times a log, the reserve and what was moved aside.
func TestOptions(t *testing.T) {
	t.Parallel()
	s := opened(t)
	for _, maxBytes := range []int64{minMaxBytes, defaultMaxBytes, 1 << 30} {
		s.cfg.MaxBytes = maxBytes
		limit := s.cfg.logLimit()
		if want := max(maxBytes/16, 256<<10); limit != want {
			t.Errorf("of %d bytes the log takes %d, want %d", maxBytes, limit, want)
		}
		o := s.options(true)
		if want := max(maxBytes-reserveBytes-3*limit, maxBytes/4); o.MaxBytes != want {
			t.Errorf("of %d bytes blocks take %d, want %d", maxBytes, o.MaxBytes, want)
		}
		if o.WALSegmentSize < pageBytes || int64(o.WALSegmentSize) > limit/8 || o.WALSegmentSize%pageBytes != 0 {
			t.Errorf("of %d bytes a segment of the log takes %d", maxBytes, o.WALSegmentSize)
		}
	}
	before := s.options(true).MaxBytes
	if err := os.WriteFile(filepath.Join(s.cfg.Dir, corruptPrefix+"x"), make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	o := s.options(false)
	if o.MaxBytes != before-1000 {
		t.Errorf("beside 1000 bytes that were moved aside blocks take %d, before %d", o.MaxBytes, before)
	}
	if o.BlockReloadInterval != 365*24*time.Hour || o.WALSegmentSize != -1 || o.RetentionDuration != (6*time.Hour).Milliseconds() {
		t.Errorf("%+v", o)
	}
	s.cfg.Retention = 10 * 24 * time.Hour
	if o := s.options(true); o.MaxBlockDuration != (24 * time.Hour).Milliseconds() {
		t.Errorf("a block of %d ms at most", o.MaxBlockDuration)
	}
}

// TestSizeOf adds up all that is in some folders.
func TestSizeOf(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	var dirs []string
	for i, name := range []string{"a", "b", "c/d"} {
		dir := filepath.Join(top, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "x"), make([]byte, 100<<i), 0o600); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	if got := sizeOf(dirs); got < 700 {
		t.Errorf("%d bytes of 700", got)
	}
	if got := sizeOf([]string{filepath.Join(top, "gone")}); got != 0 {
		t.Errorf("%d bytes of nothing", got)
	}
}
