package am

import (
	"os"
	"sync"

	"github.com/latido-dev/latido/internal/descriptors"
)

// spare are file descriptors that are kept for deliveries: a process that has
// used up its own has something to tell, and could tell nobody.
type spare struct {
	mu    sync.Mutex
	files []*os.File
}

// spares is what a delivery opens at a time, and what looking the address up does.
const spares = 6

// keep opens what is not open yet, as far as there are descriptors.
func (s *spare) keep() {
	for len(s.files) < spares {
		f, err := os.Open(os.DevNull)
		if err != nil {
			return
		}
		s.files = append(s.files, f)
	}
}

func (s *spare) release() {
	for _, f := range s.files {
		_ = f.Close()
	}
	s.files = nil
}

// lend calls deliver, and once more with the spare descriptors where there are
// no others: whoever else waits for some asks less often. It waits for nobody: while
// another delivery has them, this one comes back as it is, and is tried again later.
func (s *spare) lend(deliver func() (retry bool, err error)) (retry bool, err error) {
	retry, err = deliver()
	if !s.mu.TryLock() {
		return retry, err
	}
	defer s.mu.Unlock()
	if err != nil && len(s.files) > 0 && descriptors.None() {
		s.release()
		retry, err = deliver()
	}
	s.keep()
	return retry, err
}

// close gives them back.
func (s *spare) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release()
}
