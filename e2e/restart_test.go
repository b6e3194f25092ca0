package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/latido-dev/latido/e2e/servers"
)

// startLevels runs the service of levels/ on a free port. Its command line may
// be wrapped in another one.
func startLevels(t testing.TB, env []string, wrap func(*exec.Cmd) *exec.Cmd, flags ...string) shop {
	t.Helper()
	binary := own(t, "levels")
	return shop{servers.Run(t, servers.Process{
		Name: "levels", Ports: 1, Ready: "/healthz",
		Command: func(addrs []string) *exec.Cmd {
			host, port, _ := strings.Cut(addrs[0], ":")
			cmd := exec.Command(binary, flags...)
			if wrap != nil {
				cmd = wrap(cmd)
			}
			cmd.Env = append(append(os.Environ(), "OTEL_EXPORTER_PROMETHEUS_HOST="+host, "OTEL_EXPORTER_PROMETHEUS_PORT="+port), env...)
			return cmd
		},
	})}
}

// value is an instant query's single value in the process.
func (s shop) value(expr string) (float64, error) {
	answer, err := s.get("/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return 0, err
	}
	var parsed struct {
		Data struct {
			Result []struct {
				Value [2]any
			}
		}
	}
	if err := json.Unmarshal([]byte(answer), &parsed); err != nil {
		return 0, err
	}
	if len(parsed.Data.Result) != 1 {
		return 0, fmt.Errorf("%s: %s", expr, answer)
	}
	text, _ := parsed.Data.Result[0].Value[1].(string)
	return strconv.ParseFloat(text, 64)
}

// active is since when an alert's condition holds, by the process.
func (s shop) active(alert, state string) (time.Time, error) {
	answer, err := s.get("/api/v1/alerts")
	if err != nil {
		return time.Time{}, err
	}
	var parsed struct {
		Data struct {
			Alerts []struct {
				Labels   map[string]string
				State    string
				ActiveAt time.Time
			}
		}
	}
	if err := json.Unmarshal([]byte(answer), &parsed); err != nil {
		return time.Time{}, err
	}
	for _, a := range parsed.Data.Alerts {
		if a.Labels["alertname"] == alert && a.State == state {
			return a.ActiveAt, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s is not %s: %s", alert, state, answer)
}

// A process is killed while one alert fires and another one is pending. After
// the restart the first still fires, and nobody is told again; the second fires
// when it was to fire; and the samples of before are there.
func TestKill(t *testing.T) {
	t.Parallel()
	hook := startWebhook(t)
	s := startLevels(t, []string{"ALERT_WEBHOOK=" + hook.URL}, nil, "-dir", t.TempDir(), "-quick", "10", "-patient", "10")
	all := func(map[string]string) bool { return true }
	servers.WaitFor(t, servers.Patience, "the first alert", func() error {
		if got := hook.names("firing", all); len(got) != 1 || got[0] != "Quick" {
			return fmt.Errorf("told of %v", got)
		}
		return nil
	})
	firingSince, err := s.active("Quick", "firing")
	if err != nil {
		t.Fatal(err)
	}
	pendingSince, err := s.active("Patient", "pending")
	if err != nil {
		t.Fatal(err)
	}

	// A message of the last second before a kill may come twice.
	told := time.Now()
	servers.WaitFor(t, servers.Patience, "the first alert to be told of for a while", func() error {
		if age := time.Since(told); age < 3*time.Second {
			return fmt.Errorf("since %v", age)
		}
		return nil
	})

	// Of ten seconds, up to three before the kill, nothing is lost.
	killed := time.Now()
	samples := fmt.Sprintf("count_over_time(levels_quick[10s] @ %d)", told.Unix())
	before, err := s.value(samples)
	if err != nil {
		t.Fatal(err)
	}
	s.Signal(t, syscall.SIGKILL)
	_ = s.Wait(t, servers.Patience)
	s.Restart(t)
	back := time.Since(killed)
	for alert, want := range map[string]time.Time{"Quick": firingSince, "Patient": pendingSince} {
		servers.WaitFor(t, servers.Patience, alert+" after the restart", func() error {
			got, err := s.active(alert, "firing")
			if err != nil {
				got, err = s.active(alert, "pending")
			}
			if err == nil && got.Sub(want).Abs() > 2*time.Second {
				err = fmt.Errorf("%s is active since %v, was since %v", alert, got, want)
			}
			return err
		})
	}
	if kept, err := s.value(samples); err != nil || kept != before {
		t.Errorf("of %v samples there are %v: %v", before, kept, err)
	}
	due := pendingSince.Add(time.Minute)
	servers.WaitFor(t, servers.Patience, "the second alert", func() error {
		if got := hook.names("firing", all); len(got) != 2 {
			return fmt.Errorf("told of %v", got)
		}
		return nil
	})
	if _, err := s.active("Patient", "firing"); err != nil {
		t.Error(err)
	}
	times := map[string]int{}
	for _, n := range hook.all() {
		times[n.Status+" "+n.Labels["alertname"]]++
		if n.Labels["alertname"] == "Patient" {
			// The seconds without a process count: the condition held before and after.
			if late := n.StartsAt.Sub(due); late.Abs() > 15*time.Second+back {
				t.Errorf("the second alert fires %v after it should", late)
			}
		}
	}
	if times["firing Quick"] != 1 || times["firing Patient"] != 1 || len(times) != 2 {
		t.Errorf("told %v, want each alert once", times)
	}
}

// A process is killed twenty times, at any moment. Of an alert that fires all the
// while somebody is told, and at most twice.
func TestKills(t *testing.T) {
	t.Parallel()
	hook := startWebhook(t)
	s := startLevels(t, []string{"ALERT_WEBHOOK=" + hook.URL}, nil, "-dir", t.TempDir(), "-quick", "10")
	for range 20 {
		time.Sleep(rand.N(3 * time.Second)) // any moment is one to be killed at
		s.Signal(t, syscall.SIGKILL)
		_ = s.Wait(t, servers.Patience)
		s.Restart(t)
	}
	all := func(map[string]string) bool { return true }
	servers.WaitFor(t, servers.Patience, "the alert", func() error {
		_, err := s.active("Quick", "firing")
		if got := hook.names("firing", all); err == nil && len(got) == 0 {
			err = errors.New("nobody was told")
		}
		return err
	})
	// One that is killed between telling and writing that down tells again.
	told, twice := map[string]int{}, 0
	for _, n := range hook.all() {
		if n.Status != "firing" {
			continue
		}
		of := labelSet(n.Labels) + n.StartsAt.String()
		switch told[of]++; told[of] {
		case 1:
		case 2:
			twice++
		default:
			t.Errorf("told %d times of %s", told[of], of)
		}
	}
	t.Logf("told of %d alerts, twice of %d", len(told), twice)
	if twice > 1 {
		t.Errorf("told twice of %d alerts: %v", twice, told)
	}
}

// On a disk of 3 MiB that is nearly full the service lives on, and says that its
// data are in memory.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// In a namespace of mounts of its own, which ends with the process.
	tiny := func(cmd *exec.Cmd) *exec.Cmd {
		script := fmt.Sprintf("mount -t tmpfs -o size=3m tmpfs %q && head -c 2000000 /dev/zero >%q && exec \"$@\"", dir, filepath.Join(dir, "ballast"))
		return exec.Command("unshare", append([]string{"-m", "--propagation", "private", "sh", "-c", script, "sh"}, cmd.Args...)...)
	}
	s := startLevels(t, nil, tiny, "-dir", filepath.Join(dir, "data"), "-quick", "10", "-series", "2000")
	servers.WaitFor(t, servers.Patience, "a store that keeps to memory", func() error {
		faults, err := s.value(`sum(levels_telemetry_store_faults_total{reason="disk"})`)
		if err != nil {
			return err
		}
		if faults == 0 {
			return errors.New("no fault of the disk")
		}
		_, err = s.active("Quick", "firing")
		return err
	})
	if _, err := s.get("/metrics"); err != nil {
		t.Error(err)
	}
}
