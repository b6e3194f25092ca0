package prom

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/latido-dev/latido/embedded/alert"
)

// The test binary runs itself as a child to be killed, or to live on a disk of
// its own. childEnv says as what, childDir where.
const (
	childEnv   = "LATIDO_PROM_CHILD"
	childDir   = "LATIDO_PROM_CHILD_DIR"
	childFlash = "LATIDO_PROM_CHILD_FLASH" // the rule Kept has what it fires for
)

// children are the things that a child can be.
var children = map[string]func(dir string) error{
	"serve":     childServe,
	"full disk": childFullDisk,
}

// child does what the environment says, and tells whether it said anything.
func child() bool {
	f := children[os.Getenv(childEnv)]
	if f == nil {
		return false
	}
	if err := f(os.Getenv(childDir)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

// report is a line that a child writes.
type report struct {
	Alert *alert.Alert
	Store *storeReport
}

type storeReport struct {
	Now     time.Time
	Status  status
	Samples float64 // of ticks_total in the last minute
	Oldest  float64 // its first value there
}

func childCommand(t *testing.T, what, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "-test.run=^$")
	c.Env = append(os.Environ(), childEnv+"="+what, childDir+"="+dir)
	c.Stderr = os.Stderr
	return c
}

// running is a child that serves.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan report
}

func serveChild(t *testing.T, dir string, env ...string) *running {
	t.Helper()
	c := childCommand(t, "serve", dir)
	c.Env = append(c.Env, env...)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, cmd: c, lines: make(chan report, 1000)}
	go r.read(out)
	t.Cleanup(r.kill)
	return r
}

func (r *running) read(out io.Reader) {
	defer close(r.lines)
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		var line report
		if err := json.Unmarshal(scanner.Bytes(), &line); err == nil {
			r.lines <- line
		}
	}
}

// until returns the first line that f accepts.
func (r *running) until(what string, f func(report) bool) report {
	r.t.Helper()
	timeout := time.After(3 * time.Minute)
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				r.t.Fatalf("the child ended before: %s", what)
			}
			if f(line) {
				return line
			}
		case <-timeout:
			r.t.Fatalf("not within 3 minutes: %s", what)
		}
	}
}

// alert waits for a message about an alert.
func (r *running) alert(name string) alert.Alert {
	r.t.Helper()
	return *r.until(name, func(l report) bool { return l.Alert != nil && l.Alert.Name() == name }).Alert
}

// kill ends the child as kill -9 does, and waits until it is gone.
func (r *running) kill() {
	_ = r.cmd.Process.Kill() // it may be gone
	_ = r.cmd.Wait()
	for range r.lines { // until its output is read
	}
}

const childRules = `
groups:
  - name: restart
    rules:
      - {alert: Firing, expr: cpu_percent > 80}
      - {alert: Pending, expr: cpu_percent > 80, for: 4s}
      - {alert: Started, expr: 'ticks_total >= 0', for: 300ms}
      - {alert: Kept, expr: 'flash > 0', keep_firing_for: 1h}
`

// childServe runs a server on a folder until it is killed.
func childServe(dir string) error {
	out := json.NewEncoder(os.Stdout)
	lines := make(chan report, 100)
	svc := newService()
	svc.set("cpu_percent", 95)
	svc.set("ticks_total", 0)
	if os.Getenv(childFlash) != "" {
		svc.set("flash", 1)
	} else {
		svc.set("flash", 0)
	}
	s, err := Start(context.Background(), Config{Dir: dir, Metrics: svc, Rules: []byte(childRules), ScrapeInterval: 50 * time.Millisecond, EvaluationInterval: 100 * time.Millisecond,
		free: plenty, Notify: func(alerts []alert.Alert) {
			for _, a := range alerts {
				lines <- report{Alert: &a}
			}
		}})
	if err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	for n := 0; ; {
		select {
		case line := <-lines:
			if err := out.Encode(line); err != nil {
				return err
			}
		case <-tick.C:
			n++
			svc.set("ticks_total", float64(n))
			r := storeReport{Now: time.Now(), Status: s.store.status()}
			for expr, to := range map[string]*float64{"count_over_time(ticks_total[1h])": &r.Samples, "min_over_time(ticks_total[1h])": &r.Oldest} {
				if found, err := s.Query(context.Background(), expr, time.Now()); err == nil && len(found) > 0 {
					*to = found[0].Value
				}
			}
			if err := out.Encode(report{Store: &r}); err != nil {
				return err
			}
		}
	}
}

func plenty(string) (uint64, error) { return 1 << 40, nil }
