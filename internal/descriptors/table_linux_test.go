package descriptors_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/latido-dev/latido/internal/descriptors"
)

// TestMostly: one file that is opened often, or one folder with many, is named;
// files of many folders are not, nor connections.
func TestMostly(t *testing.T) {
	for name, c := range map[string]struct {
		path func(dir string, i int) string
		want string
	}{
		"a file":       {func(dir string, _ int) string { return filepath.Join(dir, "photo.jpg") }, "photo.jpg"},
		"a folder":     {func(dir string, i int) string { return filepath.Join(dir, fmt.Sprint(i)) }, "."},
		"many folders": {func(dir string, i int) string { return filepath.Join(dir, fmt.Sprint(i), "a") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			const n = 100
			dir, table := t.TempDir(), descriptors.OpenTable()
			defer table.Close()
			for i := range n {
				path := c.path(dir, i)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				f, err := os.Create(path)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
			}
			for range 2 { // it can be read again
				got, count := table.Mostly()
				if c.want == "" && got != "" || c.want != "" && (got != filepath.Join(dir, c.want) || count != n) {
					t.Errorf("mostly %q, %d times, want %q", got, count, c.want)
				}
			}
		})
	}
	closed := descriptors.OpenTable()
	closed.Close()
	for name, table := range map[string]*descriptors.Table{"no table": nil, "a closed one": closed} {
		if path, n := table.Mostly(); path != "" || n != 0 {
			t.Errorf("%s: %q, %d", name, path, n)
		}
		table.Close()
	}
}
