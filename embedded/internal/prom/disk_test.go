package prom

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/fileutil"
)

func TestSecondProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	svc := newService()
	svc.set("x", 1)
	first := start(t, Config{Dir: dir, Metrics: svc})
	second := start(t, Config{Dir: dir, Metrics: svc})
	if st := first.store.status(); st.Mode != ModeDisk || st.Why != "" {
		t.Errorf("first: %+v", st)
	}
	if st := second.store.status(); st.Mode != ModeMemory || st.Why == "" || second.store.faults.of(faultLocked) != 1 {
		t.Errorf("second: %+v", st)
	}
	for _, s := range []*Server{first, second} {
		eventually(t, "samples", func() bool { v, ok := value(t, s, "x"); return ok && v == 1 })
	}
}

func TestUnusableFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	svc := newService()
	svc.set("x", 1)
	s := start(t, Config{Dir: filepath.Join(file, "below"), Metrics: svc})
	if st := s.store.status(); st.Mode != ModeMemory || st.Why == "" {
		t.Errorf("%+v", st)
	}
	eventually(t, "samples", func() bool { _, ok := value(t, s, "x"); return ok })
}

// block makes s write a block of what it has, and returns its folder.
func block(t *testing.T, s *Server) string {
	t.Helper()
	d := s.store.onDiskNow()
	n := len(d.Blocks())
	if err := cut(d); err != nil {
		t.Fatal(err)
	}
	if len(d.Blocks()) == n {
		t.Fatal("no block was written")
	}
	return d.Blocks()[n].Dir()
}

// cut makes a block of all but the newest samples of a database.
func cut(d *database) error {
	h := d.Head()
	return recovered(func() error {
		return d.CompactHead(tsdb.NewRangeHead(h, h.MinTime(), time.Now().Add(-100*time.Millisecond).UnixMilli()))
	})
}

func TestCorruptBlocks(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(dir string) error{
		"meta.json":       func(dir string) error { return os.WriteFile(filepath.Join(dir, "meta.json"), []byte("{"), 0o600) },
		"no meta.json":    func(dir string) error { return os.Remove(filepath.Join(dir, "meta.json")) },
		"truncated index": func(dir string) error { return os.Truncate(filepath.Join(dir, "index"), 100) },
		"truncated chunk": func(dir string) error { return os.Truncate(filepath.Join(dir, "chunks", "000001"), 20) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			svc := newService()
			svc.set("x", 1)
			s := start(t, Config{Dir: dir, Metrics: svc})
			more := func() {
				n, _ := value(t, s, "count_over_time(x[1h])")
				eventually(t, "samples", func() bool { m, _ := value(t, s, "count_over_time(x[1h])"); return m > n+3 })
			}
			more()
			broken := block(t, s)
			more()
			block(t, s)
			more()
			stop(t, s)
			if err := spoil(broken); err != nil {
				t.Fatal(err)
			}
			s = start(t, Config{Dir: dir})
			if n, _ := value(t, s, "count_over_time(x[1h])"); n < 7 {
				t.Errorf("%v samples: what is in the other block and in the log is lost", n)
			}
			if st := s.store.status(); st.Mode != ModeDisk || s.store.faults.of(faultCorrupt) != 1 {
				t.Errorf("%+v, %d faults", st, s.store.faults.of(faultCorrupt))
			}
			if _, err := os.Stat(filepath.Join(dir, corruptPrefix+filepath.Base(broken))); err != nil {
				t.Error(err)
			}
		})
	}
}

// What was moved aside takes room: the newest is kept, for somebody to look at.
func TestNewestAside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for n := range 3 {
		broken := filepath.Join(dir, fmt.Sprintf("01ARZ3NDEKTSV4RRFFQ69G5FA%d", n))
		if err := os.Mkdir(broken, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(broken, "meta.json"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := start(t, Config{Dir: dir})
		want := filepath.Join(dir, corruptPrefix+filepath.Base(broken))
		if got := s.store.aside(); !slices.Equal(got, []string{want}) {
			t.Errorf("moved aside: %v, want %s", got, want)
		}
		stop(t, s)
	}
}

func TestLeavesAFullDiskAndReturns(t *testing.T) {
	t.Parallel()
	var full atomic.Bool
	dir := t.TempDir()
	svc := newService()
	svc.set("x", 1)
	s := start(t, Config{Dir: dir, Metrics: svc, free: func(string) (uint64, error) {
		if full.Load() {
			return 1 << 10, nil
		}
		return 1 << 40, nil
	}})
	count := func() float64 { n, _ := value(t, s, "count_over_time(x[1h])"); return n }
	eventually(t, "samples", func() bool { return count() > 5 })
	full.Store(true)
	s.store.poke()
	eventually(t, "memory", func() bool { st := s.store.status(); return st.Mode == ModeMemory && st.Why != "" })
	onDisk := count()
	eventually(t, "more samples, and none lost", func() bool { return count() > onDisk+5 })
	full.Store(false)
	s.store.giveBack()
	if st := s.store.status(); st.Mode != ModeDisk || st.Why != "" {
		t.Errorf("%+v", st)
	}
	n := count()
	if n <= onDisk+5 {
		t.Errorf("%v samples, those of the disk were %v: what was in memory is gone", n, onDisk)
	}
	eventually(t, "samples on disk", func() bool { return count() > n+5 })
	n = count()
	full.Store(true)
	s.store.poke()
	eventually(t, "memory again", func() bool { return s.store.status().Mode == ModeMemory })
	if got := count(); got < n {
		t.Errorf("%v samples of %v: what memory had of the first time is gone", got, n)
	}
	stop(t, s)
	s = start(t, Config{Dir: dir})
	if got := count(); got < onDisk+5 { // what was in memory ended with the process
		t.Errorf("%v samples are left after a restart of %v before the disk was full and 5 since", got, onDisk)
	}
}

func TestBoundOnDisk(t *testing.T) {
	t.Parallel()
	const limit = 2 << 20
	dir := t.TempDir()
	svc := newService()
	for i := range 1500 {
		svc.set(fmt.Sprintf("x{i=\"%d\"}", i), float64(i))
	}
	s := start(t, Config{Dir: dir, Metrics: svc, MaxBytes: limit})
	var most int64
	stopAt := time.Now().Add(4 * time.Second)
	blocks := false
	eventually(t, "blocks are written and removed", func() bool {
		if n, err := fileutil.DirSize(dir); err == nil {
			most = max(most, n)
		}
		blocks = blocks || len(s.store.onDiskNow().Blocks()) > 0
		for i := range 50 {
			svc.set(fmt.Sprintf("x{i=\"%d\"}", i*30), float64(time.Now().UnixNano()))
		}
		return blocks && time.Now().After(stopAt)
	})
	if most > limit {
		t.Errorf("%d bytes on disk, the limit is %d", most, limit)
	}
	eventually(t, "all series", func() bool { v, _ := value(t, s, `count(x)`); return v == 1500 })
}

func TestSeriesLimit(t *testing.T) {
	t.Parallel()
	svc, box := newService(), &inbox{}
	svc.set("cpu_percent", 95)
	s := start(t, Config{Metrics: svc, MaxSeries: 20, Rules: []byte(cpuRules), Notify: box.notify})
	eventually(t, "a scrape", func() bool { _, ok := value(t, s, "cpu_percent"); return ok })
	for i := range 500 {
		svc.set(fmt.Sprintf("y{i=\"%d\"}", i), 1)
	}
	eventually(t, "they are dropped", func() bool { return s.store.faults.of(faultSeries) > 1000 })
	if n, _ := value(t, s, `count({__name__=~".+"})`); n > 20+10 {
		t.Errorf("%v series", n)
	}
	eventually(t, "up, and fresh data", func() bool { up, ok := value(t, s, "up"); return ok && up == 1 && fresh(s) })
	eventually(t, "rules go on", func() bool { return box.firing("CPUHigh") })
}

func TestSampleFromTheFuture(t *testing.T) {
	t.Parallel()
	svc := newService()
	svc.set("x", 1)
	s := start(t, Config{Metrics: svc})
	eventually(t, "samples", func() bool { _, ok := value(t, s, "x"); return ok })
	wild(t, s, 30*24*time.Hour)
	n, _ := value(t, s, "count_over_time(x[1h])")
	eventually(t, "samples go on", func() bool { m, _ := value(t, s, "count_over_time(x[1h])"); return m > n+5 })
	if s.store.faults.of(faultClock) == 0 {
		t.Error("not counted")
	}
}

// wild stores a sample that is so far ahead of the clock.
func wild(t *testing.T, s *Server, ahead time.Duration) {
	t.Helper()
	app := s.store.taker().AppenderV2(t.Context())
	_, err := app.Append(0, labels.FromStrings("__name__", "wild"), 0, time.Now().Add(ahead).UnixMilli(), 1, nil, nil, storage.AppendV2Options{})
	if err := errors.Join(err, app.Commit()); err != nil {
		t.Fatal(err)
	}
}

func TestStoredSamplesFromTheFuture(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ahead  time.Duration
		block  bool
		mode   string
		faults int
	}{
		"a log":                {30 * 24 * time.Hour, false, ModeDisk, 1},
		"a block":              {30 * 24 * time.Hour, true, ModeDisk, 2},
		"a clock that is late": {time.Hour, false, ModeMemory, 1}, // until it is an hour later
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := start(t, Config{Dir: dir})
			wild(t, s, c.ahead)
			if c.block {
				h := s.store.disk.Head()
				if err := s.store.disk.CompactHead(tsdb.NewRangeHead(h, h.MinTime(), h.MaxTime())); err != nil {
					t.Fatal(err)
				}
				wild(t, s, c.ahead+time.Minute)
			}
			stop(t, s)
			svc := newService()
			svc.set("x", 1)
			s = start(t, Config{Dir: dir, Metrics: svc})
			eventually(t, "samples", func() bool { _, ok := value(t, s, "x"); return ok })
			if st := s.store.status(); st.Mode != c.mode || s.store.faults.of(faultClock) != c.faults {
				t.Errorf("%+v, %d faults", st, s.store.faults.of(faultClock))
			}
		})
	}
}

// fillHead stores n samples up to now, so long apart, of so many series.
func fillHead(t *testing.T, s *Server, series, n int, apart time.Duration) {
	t.Helper()
	from := time.Now().Add(-time.Duration(n) * apart)
	for i := range n {
		app := s.store.taker().AppenderV2(t.Context())
		for j := range series {
			l := labels.FromStrings("__name__", "y", "j", fmt.Sprint(j))
			v := math.Sin(float64(i * j)) // which takes room
			_, err := app.Append(0, l, 0, from.Add(time.Duration(i)*apart).UnixMilli(), v, nil, nil, storage.AppendV2Options{})
			if err != nil && !errors.Is(err, storage.ErrOutOfBounds) { // maintenance has been here meanwhile
				t.Fatal(err)
			}
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRetentionInMemory(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Retention: 2 * time.Hour})
	fillHead(t, s, 2, 4*60, time.Minute)
	if err := s.store.trim(s.store.memory); err != nil {
		t.Fatal(err)
	}
	if age := time.Since(s.store.status().Oldest); age > 2*time.Hour+10*time.Minute || age < 2*time.Hour-10*time.Minute {
		t.Errorf("the oldest sample is of %v ago", age)
	}
	if n, _ := value(t, s, "count(y)"); n != 2 {
		t.Errorf("%v series", n)
	}
}

func TestBoundInMemory(t *testing.T) {
	t.Parallel()
	s := start(t, Config{MaxBytes: 1 << 20})
	fillHead(t, s, 1500, 75, 4*time.Minute) // a chunk ends after two hours at the latest
	for range 20 {
		if err := s.store.trim(s.store.memory); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.store.memory.figure("prometheus_tsdb_head_chunks") * chunkBytes; n > 1<<20 || n < 1<<19 { // a quarter goes at a time
		t.Errorf("%v bytes", n)
	}
	if n, _ := value(t, s, "count(y)"); n != 1500 || s.store.faults.of(faultMemory) == 0 {
		t.Errorf("%v series, %d faults", n, s.store.faults.of(faultMemory))
	}
}

func TestRetentionOnDisk(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Dir: t.TempDir(), Retention: 2 * time.Hour})
	fillHead(t, s, 2, 5*60, time.Minute)
	s.store.poke()
	// Blocks go as a whole, and the newest of them is up to 45 minutes old.
	eventually(t, "the oldest samples are gone", func() bool { return time.Since(s.store.status().Oldest) < 4*time.Hour })
	if age := time.Since(s.store.status().Oldest); age < 2*time.Hour {
		t.Errorf("the oldest sample is of %v ago", age)
	}
	if n, _ := value(t, s, "count_over_time(y{j=\"1\"}[2h])"); n < 115 {
		t.Errorf("%v samples of 120", n)
	}
}
