package servers_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/e2e/servers"
)

// What a test says when its server cannot run is all that its reader has.
func TestFailures(t *testing.T) {
	t.Setenv("LATIDO_SERVERS_DIR", t.TempDir())
	sh := func(script string) func([]string) *exec.Cmd {
		return func([]string) *exec.Cmd { return exec.Command("sh", "-c", script) }
	}
	for want, test := range map[string]func(testing.TB){
		"run e2e/servers/build.sh prometheus": func(t testing.TB) {
			servers.StartPrometheus(t, servers.PrometheusConfig{})
		},
		"shop: ended before it was ready (exit status 3)": func(t testing.TB) {
			servers.Run(t, servers.Process{Name: "shop", Ports: 1, Ready: "/", Command: sh("exit 3")})
		},
		"the last output of shop:\nno such flag\n": func(t testing.TB) {
			servers.Run(t, servers.Process{Name: "shop", Ports: 1, Ready: "/", Command: sh("echo no such flag >&2")})
		},
		"shop: ready: not within 1ms": func(t testing.TB) {
			servers.Run(t, servers.Process{Name: "shop", Ports: 1, Ready: "/", Timeout: time.Millisecond, Command: sh("exec sleep 600")})
		},
		"executable file not found": func(t testing.TB) {
			servers.Run(t, servers.Process{Name: "shop", Command: func([]string) *exec.Cmd { return exec.Command("no-such-program") }})
		},
		"shop: still running after 1ms": func(t testing.TB) {
			_ = servers.Run(t, servers.Process{Name: "shop", Command: sh("exec sleep 600")}).Wait(t, time.Millisecond)
		},
		"waiting for the alert to fire: not within 1ms: still pending": func(t testing.TB) {
			servers.WaitFor(t, time.Millisecond, "the alert to fire", func() error { return errors.New("still pending") })
		},
	} {
		t.Run(want, func(t *testing.T) {
			if got := failure(t, test); !strings.Contains(got, want) {
				t.Errorf("the test says %q, want %q", got, want)
			}
		})
	}
}

// A port that somebody takes at the last moment costs a second try.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	prometheus, dir, starts := servers.Path(t, "prometheus"), t.TempDir(), 0

	servers.Run(t, servers.Process{
		Name: "prometheus", Ports: 1, Ready: "/-/ready",
		Command: func(addrs []string) *exec.Cmd {
			starts++
			addr := addrs[0]
			if starts == 1 {
				addr = taken.Addr().String()
			}
			return exec.Command(prometheus, "--config.file=/dev/null", "--storage.tsdb.path="+dir, "--web.listen-address="+addr)
		},
	})

	if starts != 2 {
		t.Errorf("started %d times, want 2", starts)
	}
}

// An address is given once, and is none that a connection may get meanwhile.
func TestFreeAddr(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		addr := servers.FreeAddr(t)
		if seen[addr] {
			t.Fatalf("%s is given twice", addr)
		}
		seen[addr] = true
	}
	var least int
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, _ = fmt.Sscan(string(text), &least)
	}
	for addr := range seen {
		if port := netip.MustParseAddrPort(addr).Port(); least == 32768 && int(port) >= least {
			t.Fatalf("%s is one that the kernel gives to anybody", addr)
		}
	}
}

// failure returns what a test logs if it fails, and fails t if it does not.
func failure(t *testing.T, test func(testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		test(r)
	}()
	<-ended
	for i := range r.cleanups {
		r.cleanups[len(r.cleanups)-1-i]()
	}
	if !r.failed {
		t.Errorf("the test passed")
	}
	return r.log.String()
}

// recorder is a test whose failure is looked at instead of reported.
type recorder struct {
	testing.TB
	failed   bool
	log      strings.Builder
	cleanups []func()
}

func (r *recorder) Cleanup(f func())             { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Failed() bool                 { return r.failed }
func (r *recorder) Logf(format string, a ...any) { fmt.Fprintf(&r.log, format+"\n", a...) }
func (r *recorder) Fatal(a ...any)               { r.Fatalf("%s", fmt.Sprint(a...)) }
func (r *recorder) Fatalf(format string, a ...any) {
	r.Logf(format, a...)
	r.failed = true
	runtime.Goexit()
}
