package servers

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// Patience is how long a test waits for what merely has to happen, and takes some
// seconds on a machine with nothing else to do: not a limit that is tried, but the
// end of a test that would wait for ever.
const Patience = 5 * time.Minute

// pollInterval is the least rest between two tries: short beside what a server
// takes to start. After a try that took long, such as a command that was run, it
// is three times as long, to longest: what is waited for needs the machine, too.
const (
	pollInterval = 50 * time.Millisecond
	longest      = 3 * time.Second
)

// WaitFor calls cond until it returns nil. It fails the test when that has not
// happened within timeout, with what, a phrase such as "the alert to fire",
// and cond's last error. cond is called at least once, never concurrently, and
// has to return by itself.
func WaitFor(t testing.TB, timeout time.Duration, what string, cond func() error) {
	t.Helper()
	if err := poll(nil, timeout, cond); err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}

// errEnded is returned by poll when there is nothing left to wait for.
var errEnded = errors.New("ended")

// poll is WaitFor that returns its error, and that returns errEnded as soon as
// ended is closed. A nil ended never is.
func poll(ended <-chan struct{}, timeout time.Duration, cond func() error) error {
	start := time.Now()
	for {
		asked := time.Now()
		err := cond()
		if err == nil {
			return nil
		}
		if time.Since(start) >= timeout {
			return fmt.Errorf("not within %s: %w", timeout, err)
		}
		select {
		case <-ended:
			return errEnded
		case <-time.After(min(max(pollInterval, 3*time.Since(asked)), longest)):
		}
	}
}
