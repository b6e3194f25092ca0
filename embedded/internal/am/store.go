package am

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/latido-dev/latido/internal/whole"
)

// store keeps the state of Alertmanager in files, each of them whole. Without a
// folder, or with one that cannot be written to, it keeps nothing.
type store struct {
	dir   string
	log   *slog.Logger
	files []kept
	dirty atomic.Bool // something has changed

	mu  sync.Mutex
	bad bool // the last write failed
}

// kept is one file of state.
type kept struct {
	name string
	save func(io.Writer) (int64, error)
	last [sha256.Size]byte // hash of what was written, to write only what has changed
}

func openStore(dir string, log *slog.Logger) *store {
	s := &store{dir: dir, log: log}
	if dir == "" {
		return s
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		log.Warn("silences and the notification log are kept in memory only", "error", err)
		s.dir = ""
	}
	return s
}

// changed has the state written soon. It does not wait.
func (s *store) changed() { s.dirty.Store(true) }

// load reads a file of state. One that is broken is moved aside; there is none
// then, and no error.
func (s *store) load(name string, read func(io.Reader) error) error {
	if s.dir == "" {
		return nil
	}
	path := filepath.Join(s.dir, name)
	b, err := whole.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = read(bytes.NewReader(b))
	}
	if err == nil {
		return nil
	}
	aside := path + ".broken"
	s.log.Warn("a file of state cannot be read: it is moved aside, and what it had is forgotten", "file", path, "to", aside, "error", err)
	if err := os.Rename(path, aside); err != nil {
		s.log.Warn("a broken file of state stays", "error", err)
	}
	return nil
}

// restore builds something with the state of a file, or without one.
func restore[T any](s *store, name string, build func(io.Reader) (T, error)) (T, error) {
	var built T
	var done bool
	if err := s.load(name, func(r io.Reader) error {
		var err error
		built, err = build(r)
		done = err == nil
		return err
	}); err != nil || done {
		return built, err
	}
	return build(nil)
}

// save writes the files whose content has changed. What cannot be written is
// logged: it is no mistake of the caller's.
func (s *store) save() {
	if s.dir == "" || !s.dirty.Swap(false) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for i := range s.files {
		errs = append(errs, s.files[i].write(s.dir))
	}
	err := errors.Join(errs...)
	if err != nil {
		s.changed() // it is tried again
	}
	if err != nil && !s.bad {
		s.log.Warn("silences and the notification log cannot be written: they are kept in memory", "error", err)
	}
	if err == nil && s.bad {
		s.log.Info("silences and the notification log are written again")
	}
	s.bad = err != nil
}

func (k *kept) write(dir string) error {
	var b bytes.Buffer
	if _, err := k.save(&b); err != nil {
		return fmt.Errorf("%s: %w", k.name, err)
	}
	hash := sha256.Sum256(b.Bytes())
	if hash == k.last {
		return nil
	}
	if err := whole.Write(filepath.Join(dir, k.name), b.Bytes()); err != nil {
		return err
	}
	k.last = hash
	return nil
}
