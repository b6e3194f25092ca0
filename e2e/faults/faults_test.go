package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/e2e/servers"
)

// What `make causes` says. Without any of it, the cheap faults are run in fast
// pace, and nothing is written.
var (
	pace = os.Getenv("CAUSES") // "fast" or "normal"
	only = os.Getenv("FAULT")  // a list with commas; "" is all
)

// chosen are the faults to run.
func chosen() []scenario {
	var list []scenario
	for _, s := range scenarios() {
		named := only == ""
		for name := range strings.SplitSeq(only, ",") {
			named = named || name == s.name
		}
		if named && (s.cheap || pace != "" || only != "") && (s.able == nil || s.able()) {
			list = append(list, s)
		}
	}
	return list
}

// TestFaults breaks the service in one way after another, and wants the first
// alert to name what is broken.
func TestFaults(t *testing.T) {
	if pace != "" {
		update(t, func(*results) {}) // also where no fault has the name
	}
	all := whole{Date: time.Now().UTC().Format(time.DateOnly)}
	if pace != "" && only == "" {
		t.Cleanup(func() {
			update(t, func(r *results) {
				if r.Whole == nil {
					r.Whole = map[string]whole{}
				}
				r.Whole[pace] = all
			})
		})
	}
	for _, s := range chosen() {
		t.Run(s.name, func(t *testing.T) {
			if pace == "normal" && !s.busy {
				t.Parallel()
			}
			r := runFault(t, s, pace != "normal")
			t.Logf("%-26s %-11s %5.1f s  %s: %s", s.name, r.Verdict, r.Seconds, r.Alert, r.Cause)
			if pace != "" {
				record(t, pace, s.name, r)
				recording.Lock()
				defer recording.Unlock()
				all.Faults++
				if r.Verdict == right {
					all.Right++
				}
				return // the document is the result, good or bad
			}
			if r.Verdict != right && !r.starved {
				t.Errorf("%s: the first alert does not name it", s.what)
			}
		})
	}
}

// run is what came of a fault.
type run struct {
	Alert     string  `json:"alert"`
	Seconds   float64 `json:"seconds"` // from the fault to the notification
	Cause     string  `json:"cause"`
	Also1     string  `json:"also_1,omitempty"`
	Also2     string  `json:"also_2,omitempty"`
	Verdict   verdict `json:"verdict"`
	Hottest   string  `json:"hottest"` // the rule of thumb
	HottestIs verdict `json:"hottest_is"`
	Load      string  `json:"load"` // the machine's, when it came

	starved bool // the machine had no CPU left, whatever the fault is
}

// runFault makes a world of its own, breaks it, and judges the first alert.
func runFault(t *testing.T, s scenario, fast bool) run {
	w := newWorld(t, fast, s.setting)
	w.warmUp()
	w.load.answered()
	before, err := w.query("ALERTS or avg_over_time(parcels_cpu_usage_percent[20s]) > 50")
	if err != nil {
		t.Fatal(err)
	}
	// Where others keep the machine busy, an alert on that is not the fault's.
	busy := len(before) > 0 && !s.host
	start := time.Now()
	s.inject(w)
	r := run{Verdict: noAlert, HottestIs: noAlert}
	timeout := servers.Patience
	if !fast {
		timeout = 20 * time.Minute // HostCPUHigh waits for 15
	}
	var first notification
	for first.Labels == nil && time.Since(start) < timeout {
		for _, n := range w.hook.firing(start) {
			if !busy || !foreign(n.Labels["alertname"]) {
				first = n
				break
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("%s: clients: %v; load %s", s.name, w.load.answered(), loadAverage())
	if first.Labels == nil {
		return r
	}
	r.Alert = strings.TrimSpace(first.Labels["alertname"] + " " + first.Labels["endpoint"])
	r.Seconds = first.at.Sub(start).Seconds()
	r.Cause, r.Also1, r.Also2 = first.Annotations["cause"], first.Annotations["also_1"], first.Annotations["also_2"]
	r.Verdict, r.Load = s.truth.judge(r.Cause), loadAverage()
	last := "20s"
	if !fast {
		last = "5m"
	}
	// Who has no CPU left may not tell it: then the rule of thumb has none either.
	enough := time.Now().Add(time.Minute)
	servers.WaitFor(t, servers.Patience, "the CPU profile", func() error {
		data, err := w.get("/debug/pprof/profile?last=" + last)
		if err == nil {
			r.Hottest, err = hottest(data)
		}
		if err != nil && time.Now().After(enough) {
			t.Logf("%s: %s: %s; no CPU profile: %v", s.name, r.Alert, r.Cause, err)
			return nil
		}
		return err
	})
	r.HottestIs = s.truth.judge(r.Hottest)
	r.starved = w.starved(first.StartsAt)
	w.keep(s.name, first, r)
	return r
}

// keep writes the incident down for whoever works on causes.
func (w *world) keep(name string, n notification, r run) {
	dir := filepath.Join(os.TempDir(), "latido-causes")
	_ = os.MkdirAll(dir, 0o700)
	data, err := w.incident(n.Labels["alertname"])
	if err != nil {
		w.Logf("%s: the incident: %v", name, err)
		return
	}
	_ = os.WriteFile(filepath.Join(dir, name+".json"), data, 0o600)
	var incident struct {
		Findings json.RawMessage `json:"findings"`
	}
	_ = json.Unmarshal(data, &incident)
	w.Logf("%s: %s\n  annotations %v\n  findings %s\n  rule of thumb (%s): %s", name, r.Cause, n.Annotations, incident.Findings, r.HottestIs, r.Hottest)
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	one, _, _ := strings.Cut(string(text), " ")
	return fmt.Sprint(one)
}
