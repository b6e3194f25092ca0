package du_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shirou/gopsutil/v4/disk"

	"github.com/latido-dev/latido/internal/du"
)

// sized writes a file of so many bytes, changed at that time.
func sized(t *testing.T, path string, bytes int64, at time.Time) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, bytes); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// TestGrown: of what was written since before, whatever is the most is named, be
// it many files or one that still grows; not what was there, nor what is spread.
func TestGrown(t *testing.T) {
	t.Parallel()
	now := time.Now()
	before := now.Add(-10 * time.Minute)
	old := before.Add(-time.Hour)
	appends := func(name string) func(string) {
		return func(dir string) {
			f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
			if err != nil {
				t.Error(err)
				return
			}
			ctx, stop := context.WithCancel(context.Background())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				defer f.Close()
				for tick := time.Tick(10 * time.Millisecond); ctx.Err() == nil; <-tick {
					_, _ = f.WriteString(strings.Repeat("a line of the log\n", 100))
				}
			}()
			t.Cleanup(func() { stop(); <-ended })
		}
	}
	for name, c := range map[string]struct {
		files map[string]int64 // of now; those that end with ".old" were there before
		while func(dir string)
		want  string
		grows bool
		n     int // of files in it
	}{
		"many files":            {map[string]int64{"archive/a/1": 5000, "archive/b/2": 5000, "log": 100, "data.old": 900_000}, nil, "archive", false, 2},
		"files of one folder":   {map[string]int64{"archive/a/1": 5000, "archive/a/2": 5000, "archive/b/3": 10}, nil, "archive/a", false, 2},
		"one file":              {map[string]int64{"archive/dump": 50_000, "archive/small": 10}, nil, "archive/dump", false, 1},
		"a log that grows":      {map[string]int64{"log/app.log": 900_000, "log/other.log": 900_000, "data.old": 900_000}, appends("log/app.log"), "log/app.log", true, 1},
		"nothing since then":    {map[string]int64{"data.old": 900_000}, nil, "", false, 0},
		"everywhere":            {map[string]int64{"a/1": 5000, "b/2": 5000, "c/3": 5000}, nil, "", false, 0},
		"little of it":          {map[string]int64{"archive/1": 1000}, nil, "", false, 0},
		"a folder that is gone": {nil, func(dir string) { _ = os.RemoveAll(dir) }, "", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, size := range c.files {
				at := now
				if strings.HasSuffix(file, ".old") {
					at = old
				}
				sized(t, filepath.Join(dir, file), size, at)
			}
			if c.while != nil {
				c.while(dir)
			}
			use, err := disk.Usage(dir)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			share := 0.0
			if use != nil {
				share = 12_000 / float64(use.Total) // bytes
			}
			got := du.Grown(t.Context(), dir, before, share)
			want := ""
			if c.want != "" {
				want = filepath.Join(dir, c.want)
			}
			if got.Path != want || (got.PerSecond > 0) != c.grows || want != "" && !c.grows && got.Bytes == 0 || got.Files != c.n {
				t.Errorf("found %+v, want %q", got, want)
			}
			if f := du.Grown(t.Context(), dir, before, 0); f.Path != "" {
				t.Errorf("of a disk that did not fill it finds %+v", f)
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			if f := du.Grown(ended, dir, before, share); f.Path != "" {
				t.Errorf("without time it finds %+v", f)
			}
		})
	}
}
