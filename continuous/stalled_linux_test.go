package continuous_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/latido-dev/latido/continuous"
)

// TestStalled: a process that is stopped for two seconds knows that it did not run for
// about that long.
func TestStalled(t *testing.T) {
	const variable, stopped = "STALLS", 2 * time.Second
	if os.Getenv(variable) != "" {
		p, err := continuous.Start(continuous.Config{Interval: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = p.Stop(t.Context()) }()
		for tick := time.Tick(10 * time.Millisecond); p.Stats().RingBytes == 0; { // it runs
			<-tick
		}
		for asked := bufio.NewScanner(os.Stdin); asked.Scan(); {
			fmt.Println("stalled", p.Stats().Stalled)
		}
		return
	}
	t.Parallel()
	other := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestStalled$", "-test.timeout=1m")
	other.Env = append(os.Environ(), variable+"=1")
	ask, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(out)
	stalled := func() time.Duration {
		if _, err := io.WriteString(ask, "\n"); err != nil {
			t.Fatal(err)
		}
		for {
			line, err := answers.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if text, ok := strings.CutPrefix(strings.TrimSpace(line), "stalled "); ok {
				d, err := time.ParseDuration(text)
				if err != nil {
					t.Fatal(err)
				}
				return d
			}
		}
	}
	before := stalled()
	signal := func(s syscall.Signal) {
		if err := other.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	<-time.After(stopped)
	signal(syscall.SIGCONT)
	var after time.Duration
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if after = stalled(); after > before {
			break
		}
	}
	// The stop begins up to a tick after the last one, and ends as long before the next.
	if grew := after - before; grew < stopped/2 {
		t.Errorf("after a stop of %v it says %v", stopped, grew)
	}
	if err := ask.Close(); err != nil {
		t.Fatal(err)
	}
	if err := other.Wait(); err != nil {
		t.Fatal(err)
	}
}
