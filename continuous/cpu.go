package continuous

import (
	"bytes"
	"compress/gzip"
	"io"
	"runtime/pprof"
	"sync"
	"time"
)

// cpuWindow is one CPU profile of ours while it runs.
//
// A process has one CPU profile at a time, and anybody may stop it. So that a
// profile that somebody else started in ours's place is never stopped, the
// window watches what the runtime writes: the end of the gzip stream is the
// end of our profile, whoever asked for it.
type cpuWindow struct {
	from  time.Time
	ended chan struct{} // closed when somebody else stopped the profile

	mu   sync.Mutex
	buf  bytes.Buffer
	to   time.Time // zero while it runs
	ours bool      // we are stopping it
}

// startCPU starts a profile. It returns nil if another one runs.
func startCPU() *cpuWindow {
	w := &cpuWindow{from: time.Now(), ended: make(chan struct{})}
	if err := pprof.StartCPUProfile(w); err != nil {
		return nil
	}
	return w
}

// gzipTrailer is the size of the last write of a gzip stream.
const gzipTrailer = 8

// Write takes the profile from the runtime's goroutine.
func (w *cpuWindow) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Write(b)
	if len(b) == gzipTrailer && !w.ours && w.to.IsZero() && complete(w.buf.Bytes()) {
		w.to = time.Now()
		close(w.ended)
	}
	return len(b), nil
}

// stop ends the profile, unless somebody did before, and returns it. It takes
// up to 0.2 s: the runtime reads its buffer ten times a second.
func (w *cpuWindow) stop() (c capture, ok bool) {
	w.mu.Lock()
	// Until its end a profile is hardly more than a header: this check costs
	// little, and it does not depend on how the trailer is written.
	stopped := !w.to.IsZero() || complete(w.buf.Bytes())
	if w.to.IsZero() {
		w.to = time.Now()
	}
	w.ours = true
	w.mu.Unlock()
	if !stopped {
		pprof.StopCPUProfile()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	data := bytes.Clone(w.buf.Bytes())
	return capture{kindCPU, w.from, w.to, data}, len(data) > 0 && w.to.After(w.from)
}

// complete reports whether a gzip stream has its end.
func complete(data []byte) bool {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, r)
	return err == nil
}
