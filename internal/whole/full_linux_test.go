package whole

import (
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/latido-dev/latido/internal/testkit"
)

// TestFull: what finds no room is an error, what was stays, and no half is left.
// The limit of how large a file may be holds for a whole process, so that one of
// its own has it.
func TestFull(t *testing.T) {
	t.Parallel()
	const folder = "LATIDO_TEST_FULL"
	if dir := os.Getenv(folder); dir != "" {
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4096, Max: 4096}); err != nil {
			t.Fatal(err)
		}
		if err := Write(filepath.Join(dir, "state"), []byte(strings.Repeat("new", 4096))); !errors.Is(err, syscall.EFBIG) {
			t.Errorf("where there is no room: %v", err)
		}
		return
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	if err := Write(path, []byte("what was")); err != nil {
		t.Fatal(err)
	}
	testkit.Again(t, folder+"="+dir)
	if got, err := Read(path); err != nil || string(got) != "what was" {
		t.Errorf("afterwards it is %.20q, %v", got, err)
	}
	if got := names(t, dir); got != "state" {
		t.Errorf("the folder has %s", got)
	}
}
