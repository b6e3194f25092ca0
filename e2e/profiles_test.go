package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/e2e/servers"
)

// TestProfileTypes uploads every kind of profile: Pyroscope has each under the
// name that Grafana's own pages know.
func TestProfileTypes(t *testing.T) { // not in parallel: a process has one CPU profile
	pyroscope := servers.StartPyroscope(t)
	p, err := continuous.Start(continuous.Config{
		Service: "contended", ServerAddress: pyroscope.URL(), Interval: 500 * time.Millisecond, MutexFraction: 1, BlockRate: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"block:contentions:count:contentions:count", "block:delay:nanoseconds:contentions:count",
		"goroutines:goroutine:count:goroutine:count",
		"memory:alloc_objects:count:space:bytes", "memory:alloc_space:bytes:space:bytes",
		"memory:inuse_objects:count:space:bytes", "memory:inuse_space:bytes:space:bytes",
		"mutex:contentions:count:contentions:count", "mutex:delay:nanoseconds:contentions:count",
		"process_cpu:cpu:nanoseconds:cpu:nanoseconds", "process_cpu:samples:count:cpu:nanoseconds",
	}
	servers.WaitFor(t, servers.Patience, "every type of profile", func() error {
		contend()
		runtime.GC() // heap profiles change with it
		if types := pyroscope.ProfileTypes(t); !slices.Equal(types, want) {
			return fmt.Errorf("there are %q, want %q", types, want)
		}
		return nil
	})
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if s := p.Stats(); s.Failed > s.Uploaded || s.Dropped > 0 { // what failed once was sent again
		t.Errorf("%+v", s)
	}
}

// contend has goroutines wait for one mutex, and compute while they hold it.
func contend() {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for end := time.Now().Add(100 * time.Millisecond); time.Now().Before(end); {
				mu.Lock()
				_ = fmt.Sprint(make([]int, 1000))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// TestLeaksOfTheRuntime looks for goroutine leaks as the Go runtime does it,
// which before Go 1.27 is another build of the runtime.
func TestLeaksOfTheRuntime(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "test", "-count=1", "-run", "^TestLeaks$", "./continuous")
	cmd.Dir, cmd.Env = repository, append(os.Environ(), "GOWORK=off")
	if pprof.Lookup("goroutineleak") == nil {
		cmd.Env = append(cmd.Env, "GOEXPERIMENT=goroutineleakprofile")
	}
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", cmd, err, output)
	}
}
