package am

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// saveInterval is the least time between two writes of the state.
	saveInterval = time.Second
	// saveDelay lets changes that come together be written together.
	saveDelay = 50 * time.Millisecond
	// maxState is the largest file of state that is read.
	maxState = 64 << 20
)

// store keeps the state of Alertmanager in files: written after each change,
// since a process may be killed, and by renaming, so that each is whole.
// Without a folder, or with one that cannot be written to, it keeps nothing.
type store struct {
	dir  string
	log  *slog.Logger
	wake chan struct{}

	mu    sync.Mutex
	files []kept
	bad   bool // the last write failed
}

// kept is one file of state.
type kept struct {
	name string
	save func(io.Writer) (int64, error)
	last [sha256.Size]byte // hash of what was written, to write only what has changed
}

func openStore(dir string, log *slog.Logger) *store {
	s := &store{dir: dir, log: log, wake: make(chan struct{}, 1)}
	if dir == "" {
		return s
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		log.Warn("silences and the notification log are kept in memory only", "error", err)
		s.dir = ""
	}
	return s
}

// keep has save write a file whenever changed is called. subscribe, if not nil,
// is given a function that does so.
func (s *store) keep(name string, save func(io.Writer) (int64, error), subscribe func(func([]byte))) {
	s.mu.Lock()
	s.files = append(s.files, kept{name: name, save: save})
	s.mu.Unlock()
	if subscribe != nil {
		subscribe(func([]byte) { s.changed() })
	}
}

// changed has the state written soon. It does not wait.
func (s *store) changed() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// load reads a file of state. One that is broken is moved aside; there is none
// then, and no error.
func (s *store) load(name string, read func(reader) error) error {
	if s.dir == "" {
		return nil
	}
	path := filepath.Join(s.dir, name)
	b, err := readBounded(path)
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

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err == nil && len(b) > maxState {
		err = fmt.Errorf("it is larger than %d bytes", maxState)
	}
	return b, err
}

// restore builds something with the state of a file, or without one.
func restore[T any](s *store, name string, build func(reader) (T, error)) (T, error) {
	var built T
	var done bool
	if err := s.load(name, func(r reader) error {
		var err error
		built, err = build(r)
		done = err == nil
		return err
	}); err != nil || done {
		return built, err
	}
	return build(nil)
}

// run writes what has changed, until ctx is done.
func (s *store) run(ctx context.Context) {
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
		if !pause(ctx, saveDelay) {
			return
		}
		s.save()
		if !pause(ctx, saveInterval-saveDelay) {
			return
		}
	}
}

// pause waits, and says whether ctx let it.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// save writes the files whose content has changed.
func (s *store) save() {
	if s.dir == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for i := range s.files {
		errs = append(errs, s.files[i].write(s.dir))
	}
	err := errors.Join(errs...)
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
	if err := replaceFile(filepath.Join(dir, k.name), b.Bytes()); err != nil {
		return err
	}
	k.last = hash
	return nil
}

// replaceFile puts content in the place of a file, whole or not at all.
func replaceFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

// close writes what has changed for the last time. What cannot be written is
// logged: it is no mistake of the caller's.
func (s *store) close() {
	if s != nil {
		s.save()
	}
}

// persistent tells whether the state outlives the process.
func (s *store) persistent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dir != "" && !s.bad
}
