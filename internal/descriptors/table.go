package descriptors

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

const (
	// maxRead bounds how many descriptors are looked at.
	maxRead = 20_000
	// mostly is the part of the open files that must be of one path, or below one
	// folder, for it to be said of all.
	mostly = 0.5
)

// Table is the process's table of open files, as Linux shows it in /proc. It
// stays open, so that it can be read when nothing more can be opened. The nil
// Table, which other systems have, has nothing to read. It is safe for
// concurrent use.
type Table struct {
	mu  sync.Mutex
	dir *os.File
}

// OpenTable opens the table, nil where there is none.
func OpenTable() *Table {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return nil
	}
	return &Table{dir: dir}
}

// Close closes it.
func (t *Table) Close() {
	if t != nil {
		_ = t.dir.Close()
	}
}

// Mostly is the file that most of the open files are, or the folder that they are
// in, and how many that is. It is "" where they are of many; connections and
// pipes are no files.
func (t *Table) Mostly() (path string, n int) {
	if t == nil {
		return "", 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := t.dir.Seek(0, io.SeekStart); err != nil {
		return "", 0
	}
	names, _ := t.dir.Readdirnames(maxRead)
	files, all := map[string]int{}, 0
	for _, name := range names {
		if _, err := strconv.Atoi(name); err != nil {
			continue
		}
		if path, err := os.Readlink(filepath.Join(t.dir.Name(), name)); err == nil && filepath.IsAbs(path) {
			files[path]++
			all++
		}
	}
	folders := map[string]int{}
	for path, n := range files {
		folders[filepath.Dir(path)] += n
	}
	for _, of := range []map[string]int{files, folders} {
		for path, n := range of {
			if float64(n) > mostly*float64(all) {
				return path, n
			}
		}
	}
	return "", 0
}
