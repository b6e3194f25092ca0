package prom

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
)

// A log has to write the rest of its page, up to 32 KiB, to be closed; on a full
// disk it cannot, and its goroutine and its file stay. So there is a file that
// takes room for that, and is removed when it is needed.
const (
	reserveName  = "reserve"
	reserveBytes = 128 << 10
)

// reserve makes the file, if it is not there. That it cannot be made means that
// the folder cannot be written to.
func (s *store) reserve() error {
	path := filepath.Join(s.cfg.Dir, reserveName)
	if info, err := os.Stat(path); err == nil && info.Size() == reserveBytes {
		return nil
	}
	content := make([]byte, reserveBytes)
	if _, err := rand.Read(content); err != nil { // random: some file systems store zeros for nothing
		return err
	}
	return writeAtomically(path, content)
}

// closeLog closes the log of a generation that takes no more samples, with the
// room that was kept for it if there is no other. Queries that read the
// generation go on.
func (s *store) closeLog(g *generation) error {
	err := g.close()
	if err == nil || !isDiskError(err) {
		return err
	}
	if err := os.Remove(filepath.Join(s.cfg.Dir, reserveName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return g.close()
}
