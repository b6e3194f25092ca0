package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latido-dev/latido/e2e/faults/fault"
	"github.com/latido-dev/latido/e2e/servers"
)

// world is a service, what it depends on, and its clients.
type world struct {
	testing.TB
	fast            bool
	dir, spool      string
	service         *servers.Running
	rates, geo, dns *servers.Running
	hook            *hook
	load            *load
	version, on     atomic.Pointer[string] // of the next start
	log             string                 // file of the log
	drilled         int                    // alerts that were fired by hand
}

// built is the program and a database, made once for all tests.
var built = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("latido-faults-%d", os.Getpid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "parcels")
	for _, cmd := range []*exec.Cmd{
		exec.Command("go", "build", "-o", binary, "./cmd"),
		exec.Command(binary, "seed", "-data", dir),
	} {
		cmd.Env = append(os.Environ(), "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	undo := first()
	code := m.Run()
	undo()
	_ = os.RemoveAll(filepath.Join(os.TempDir(), fmt.Sprintf("latido-faults-%d", os.Getpid())))
	os.Exit(code)
}

// setting is what a world starts with.
type setting struct {
	env   []string
	limit bool // a control group with a limit on CPU time
	pipe  bool // the log is a pipe, which the test reads
}

func newWorld(t testing.TB, fast bool, s setting) *world {
	t.Helper()
	base, err := built()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, fast: fast, dir: t.TempDir(), spool: t.TempDir(), hook: startHook(t)}
	for _, p := range []*atomic.Pointer[string]{&w.version, &w.on} {
		p.Store(new(string))
	}
	*w.version.Load() = "1.0.0"
	mountSpool(t, w.spool)
	copyFile(t, filepath.Join(base, "parcels.db"), filepath.Join(w.dir, "parcels.db"))
	w.log = filepath.Join(w.dir, "parcels.log")
	if s.pipe {
		makePipe(t, w.log)
	}
	binary := filepath.Join(base, "parcels")
	start := func(name string, ports int, ready string, args func(addrs []string) []string, env func(addrs []string) []string) *servers.Running {
		return servers.Run(t, servers.Process{Name: name, Ports: ports, Ready: ready, Command: func(addrs []string) *exec.Cmd {
			_ = os.Remove(w.socket(name)) // of the run before
			cmd := exec.Command(binary, append(args(addrs), "-control", w.socket(name))...)
			if env != nil {
				cmd.Env = append(os.Environ(), env(addrs)...)
			}
			return cmd
		}})
	}
	w.dns = start("dns", 1, "", func(addrs []string) []string { return []string{"dns", "-addr", addrs[0]} }, nil)
	w.rates = start("rates", 1, "/healthz", func(addrs []string) []string { return []string{"peer", "-name", "rates", "-addr", addrs[0]} }, nil)
	w.geo = start("geo", 1, "/healthz", func(addrs []string) []string { return []string{"peer", "-name", "geo", "-addr", addrs[0]} }, nil)
	named := func(host string, r *servers.Running) string {
		_, port, _ := strings.Cut(r.Addr(0), ":")
		return "http://" + host + ":" + port
	}
	w.service = start("parcel-api", 2, "/healthz", func(addrs []string) []string {
		return []string{"serve", "-addr", addrs[1], "-data", w.dir, "-spool", w.spool, "-log", w.log, "-dns", w.dns.Addr(0),
			"-rates", named("rates.internal", w.rates), "-geo", named("geo.internal", w.geo),
			"-version", *w.version.Load(), "-on", *w.on.Load(), fmt.Sprintf("-fast=%t", fast)}
	}, func(addrs []string) []string {
		host, port, _ := strings.Cut(addrs[0], ":")
		return append(s.env, "OTEL_EXPORTER_PROMETHEUS_HOST="+host, "OTEL_EXPORTER_PROMETHEUS_PORT="+port, "PARCELS_WEBHOOK="+w.hook.URL)
	})
	if s.limit {
		limitCPU(t, w.service.PID(), 200)
	}
	w.load = startLoad(t, "http://"+w.service.Addr(1))
	return w
}

// socket is that of a process's switch. Its path must be short.
func (w *world) socket(name string) string { return filepath.Join(w.dir, name+".s") }

// breaks turns faults of a process on: "parcel-api", "rates", "geo" or "dns".
func (w *world) breaks(name, faults string) {
	w.Helper()
	servers.WaitFor(w, servers.Patience, "the switch of "+name, func() error { return fault.Tell(w.socket(name), faults) })
}

// release restarts the service with another version, and faults.
func (w *world) release(version, faults string) {
	w.version.Store(&version)
	w.on.Store(&faults)
	w.service.Restart(w)
}

// set changes a setting of the running service.
func (w *world) set(name, value string) {
	data, err := json.Marshal(map[string]string{name: value})
	if err == nil {
		err = os.WriteFile(filepath.Join(w.dir, "settings.json"), data, 0o600)
	}
	if err != nil {
		w.Fatal(err)
	}
}

// get asks the service's admin listener.
func (w *world) get(path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.service.URL()+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %.300s", path, response.Status, body)
	}
	return body, err
}

// incident is the newest one of an alert: its message has no link to it, as
// nobody says where the service's pages are reached.
func (w *world) incident(alert string) ([]byte, error) {
	body, err := w.get("/api/incidents?alert=" + alert)
	if err != nil {
		return nil, err
	}
	var list struct {
		Incidents []struct{ ID string }
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, err
	}
	if len(list.Incidents) == 0 {
		return nil, fmt.Errorf("no incident of %s: %s", alert, body)
	}
	return w.get("/api/incidents/" + list.Incidents[0].ID)
}

// query asks the service's store, and returns the values of the series.
func (w *world) query(expr string) ([]string, error) {
	body, err := w.get("/api/v1/query?query=" + strings.NewReplacer(" ", "%20", "+", "%2B", "{", "%7B", "}", "%7D", `"`, "%22").Replace(expr))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	var values []string
	for _, r := range answer.Data.Result {
		values = append(values, fmt.Sprint(r.Value[1], " ", r.Metric["alertname"], r.Metric["endpoint"]))
	}
	return values, nil
}

// warmUp waits until there is a healthy time to compare with.
func (w *world) warmUp() {
	w.Helper()
	scrapes, timeout := 25, 2*servers.Patience // others may keep the machine busy for a while
	if !w.fast {
		scrapes, timeout = 80, 15*time.Minute // of 5 s: the window of the rules, and some more
	}
	quiet := time.Now()
	servers.WaitFor(w, timeout, "a baseline", func() error {
		time.Sleep(200 * time.Millisecond) // the queries are not to be the load
		pending, err := w.query(`ALERTS`)
		if err != nil {
			return err
		}
		pending = slices.DeleteFunc(pending, foreign)
		if len(pending) > 0 {
			quiet = time.Now()
			return fmt.Errorf("alerts in a healthy time: %v", pending)
		}
		values, err := w.query("min(count_over_time(parcels_requests_total[1h]))")
		if err != nil {
			return err
		}
		var n int
		if len(values) > 0 {
			_, _ = fmt.Sscan(values[0], &n)
		}
		if n < scrapes {
			return fmt.Errorf("%d scrapes of %d", n, scrapes)
		}
		if w.fast && time.Since(quiet) < 15*time.Second {
			return fmt.Errorf("quiet for %v", time.Since(quiet))
		}
		return nil
	})
}

// foreign tells whether an alert of a healthy time is about what else this
// machine does.
func foreign(alert string) bool { return strings.Contains(alert, "HostCPUHigh") }

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
