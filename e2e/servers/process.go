package servers

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Process says how [Run] starts a server, or any other program that serves.
type Process struct {
	// Name is what failures call the process. It is required.
	Name string

	// Ports is how many free TCP ports the process listens on. It may be 0.
	Ports int

	// Addrs are the addresses that the process listens on, where its own
	// configuration says them: in a network namespace, say, that nobody else
	// is in. Ports is not heeded then.
	Addrs []string

	// Command makes the command to run, with as many addresses as Ports says,
	// such as "127.0.0.1:41234". It is called again, with other addresses, when
	// one of them was taken by somebody else in the meantime, and with the same
	// ones by [Running.Restart]. Its output belongs to Run; a nil Env is the
	// environment of the test. It is required.
	Command func(addrs []string) *exec.Cmd

	// Ready is the path at the first address that answers 200 once the process
	// can be used, such as "/-/ready". With "" the process counts as ready when
	// it runs.
	Ready string

	// Client asks for Ready by HTTPS, for a server with a certificate that only
	// the test knows. With nil it is asked by HTTP.
	Client *http.Client

	// Timeout bounds a start and a stop. 0 is Patience.
	Timeout time.Duration
}

// startTries is how often a process is started when its ports turn out to be
// taken: they were free a moment before, so one clash is rare already.
const startTries = 3

// shownLines is how many of the last lines of its output a failed test shows.
const shownLines = 100

// Running is a process that [Run] started. Its methods are safe for concurrent
// use, except that Stop and Restart are one test's business at a time.
type Running struct {
	process Process
	addrs   []string
	output  output

	mu   sync.Mutex
	life *life // the present one; Restart begins another
}

// life is one run of the process, from its start until it was reaped.
type life struct {
	process *os.Process
	ended   chan struct{} // closed when the process has been reaped
	err     error         // how it ended; to be read when ended is closed
}

// Run starts p and waits until it is ready. The process is killed and reaped
// when the test ends; if the test failed, the end of its output is logged. On
// Linux it does not outlive the test binary either, however that ends.
func Run(t testing.TB, p Process) *Running {
	t.Helper()
	p.Timeout = cmp.Or(p.Timeout, Patience)
	for try := 1; ; try++ {
		r := &Running{process: p, addrs: p.Addrs}
		if r.addrs == nil {
			r.addrs = freeAddrs(t, p.Ports)
		}
		cmd := p.Command(r.addrs)
		// After Command, which may ask for the first t.TempDir: cleanups run in
		// reverse order, and the folder must not go before the process does.
		t.Cleanup(func() { r.end(t) })
		err := r.start(cmd)
		if err == nil {
			return r
		}
		if try == startTries || p.Addrs != nil || !strings.Contains(r.Output(), "address already in use") {
			t.Fatal(err)
		}
		t.Logf("%v: a port was taken, trying again", err)
	}
}

// URL returns the base URL of the first address, without a slash at the end.
func (r *Running) URL() string {
	if r.process.Client != nil {
		return "https://" + r.Addr(0)
	}
	return "http://" + r.Addr(0)
}

// Addr returns the address, host and port, that the process got as number i,
// from 0. It stays the same over a Restart.
func (r *Running) Addr(i int) string { return r.addrs[i] }

// Output returns what the process has written to stdout and stderr so far,
// over all of its runs.
func (r *Running) Output() string { return r.output.String() }

// PID returns the process id of the present run, or of the last one.
func (r *Running) PID() int { return r.now().process.Pid }

// Signal sends a signal to the process and fails the test when it has ended.
func (r *Running) Signal(t testing.TB, signal os.Signal) {
	t.Helper()
	if err := r.now().process.Signal(signal); err != nil {
		t.Fatalf("%s: signal %v: %v", r.process.Name, signal, err)
	}
}

// Wait waits until the process has ended and returns how it did: nil after an
// exit with code 0, else an [*exec.ExitError]. It fails the test when the
// process still runs after timeout.
func (r *Running) Wait(t testing.TB, timeout time.Duration) error {
	t.Helper()
	life := r.now()
	select {
	case <-life.ended:
		return life.err
	case <-time.After(timeout):
		t.Fatalf("%s: still running after %s", r.process.Name, timeout)
		return nil
	}
}

// Stop asks the process to end, with SIGTERM, waits until it has, and returns
// how it ended as Wait does.
func (r *Running) Stop(t testing.TB) error {
	t.Helper()
	r.Signal(t, syscall.SIGTERM)
	return r.Wait(t, r.process.Timeout)
}

// Restart stops the process if it runs, starts it again with the same
// addresses, and waits until it is ready.
func (r *Running) Restart(t testing.TB) {
	t.Helper()
	select {
	case <-r.now().ended:
	default:
		if err := r.Stop(t); err != nil {
			t.Logf("%s: %v", r.process.Name, err)
		}
	}
	if err := r.start(r.process.Command(r.addrs)); err != nil {
		t.Fatal(err)
	}
}

// start begins a life with cmd and waits until it is ready.
func (r *Running) start(cmd *exec.Cmd) error {
	cmd.Stdout, cmd.Stderr = &r.output, &r.output
	cmd.WaitDelay = time.Second // a child of the process may hold its output open
	if err := spawn(cmd); err != nil {
		return fmt.Errorf("%s: %w", r.process.Name, err)
	}
	life := &life{process: cmd.Process, ended: make(chan struct{})}
	go func() {
		life.err = cmd.Wait()
		close(life.ended)
	}()
	r.mu.Lock()
	r.life = life
	r.mu.Unlock()

	if r.process.Ready == "" {
		return nil
	}
	err := poll(life.ended, r.process.Timeout, func() error {
		request, err := http.NewRequest(http.MethodGet, r.URL()+r.process.Ready, nil)
		if err != nil {
			return err
		}
		_, err = doWith(cmp.Or(r.process.Client, client), request)
		return err
	})
	switch {
	case errors.Is(err, errEnded):
		return fmt.Errorf("%s: ended before it was ready (%v)", r.process.Name, exit(life.err))
	case err != nil:
		return fmt.Errorf("%s: ready: %w", r.process.Name, err)
	}
	return nil
}

// end kills the process, reaps it, and shows its output if the test failed.
func (r *Running) end(t testing.TB) {
	life := r.now()
	if life == nil { // it never started
		return
	}
	_ = life.process.Kill() // its only error is that the process has ended
	<-life.ended
	if t.Failed() {
		t.Logf("the last output of %s:\n%s", r.process.Name, lastLines(r.Output(), shownLines))
	}
}

func (r *Running) now() *life {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.life
}

// exit words the result of Wait.
func exit(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// output collects what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// lastLines returns the last n lines of text.
func lastLines(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// client talks to the servers. It keeps no connection open: one to a server
// that was restarted would break the next request, and each idle one has two
// goroutines that would look like a leak of the code under test.
var client = &http.Client{
	Timeout:   2 * time.Minute, // of a machine that does much else
	Transport: &http.Transport{DisableKeepAlives: true},
}

// get returns the body of a page that answers 200; any other status is an
// error with the beginning of the body in it.
func get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return do(request)
}

func do(request *http.Request) ([]byte, error) { return doWith(client, request) }

func doWith(client *http.Client, request *http.Request) ([]byte, error) {
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", request.Method, request.URL, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s: %.200s", request.Method, request.URL, response.Status, bytes.TrimSpace(body))
	}
	return body, nil
}
