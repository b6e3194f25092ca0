package whole

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// names are the files of a folder.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

// TestReplaces: what is read is what was written last, and nothing else is left.
func TestReplaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	for _, text := range []string{"first", "", strings.Repeat("long ", 10_000)} {
		if err := Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(path); err != nil || string(got) != text {
			t.Errorf("%d bytes are read, %v, want %d", len(got), err, len(text))
		}
	}
	if got := names(t, dir); got != "state" {
		t.Errorf("the folder has %s", got)
	}
}

// TestLeavesNothing: what cannot take the place of what was is removed again, and
// what was stays.
func TestLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(taken, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(taken, []byte("x")); err == nil {
		t.Error("a folder is replaced by a file")
	}
	if got := names(t, dir); got != "taken" {
		t.Errorf("the folder has %s", got)
	}
	if err := Write(filepath.Join(dir, "none", "state"), nil); err == nil {
		t.Error("a file is written into a folder that is not there")
	}
}

// TestReadsNoMoreThanWritten: what is no file, or too large for one of ours, is
// not read.
func TestReadsNoMoreThanWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	for size, ok := range map[int64]bool{maxFile: true, maxFile + 1: false} {
		if err := os.WriteFile(large, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(large, size); err != nil { // it takes no space
			t.Fatal(err)
		}
		if _, err := Read(large); (err == nil) != ok {
			t.Errorf("of %d bytes: %v", size, err)
		}
	}
	for _, path := range []string{dir, filepath.Join(dir, "none")} {
		if _, err := Read(path); err == nil {
			t.Errorf("%s is read", path)
		}
	}
}
