package servers_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/e2e/servers"
)

func TestPrometheus(t *testing.T) {
	t.Parallel()
	prom := servers.StartPrometheus(t, servers.PrometheusConfig{
		ScrapeSelf: true,
		Scrape: []servers.Scrape{{
			Job: "again", Targets: []string{servers.FreeAddr(t)}, Path: "/nobody", Labels: map[string]string{"shop": "tienda"},
		}},
	})

	up := prom.WaitForQuery(t, servers.Patience, `up{job="prometheus"} == 1`)
	if len(up) != 1 || up[0].Value != 1 || up[0].Labels["__name__"] != "up" || time.Since(up[0].Time) > servers.Patience {
		t.Errorf("up of the server itself: %v, want one recent sample of 1", up)
	}
	down := prom.WaitForQuery(t, servers.Patience, `up{job="again"} == 0`)
	if down[0].Labels["shop"] != "tienda" {
		t.Errorf("labels %v, want those of the target", down[0].Labels)
	}
	servers.WaitFor(t, servers.Patience, "one target up, one down", func() error { // a scrape of itself may be late once
		for _, target := range prom.Targets(t) {
			job, self := string(target.Labels["job"]), target.Labels["job"] == "prometheus"
			if healthy := target.Health == "up"; healthy != self {
				return fmt.Errorf("job %s is %s: %s", job, target.Health, target.LastError)
			}
			if want := map[bool]string{true: "/metrics", false: "/nobody"}[self]; !strings.HasSuffix(target.ScrapeURL, want) {
				t.Errorf("job %s is scraped at %s, want %s", job, target.ScrapeURL, want)
			}
		}
		return nil
	})
	if got := prom.Query(t, "6 * 7"); len(got) != 1 || got[0].Value != 42 {
		t.Errorf("a scalar: %v, want one sample of 42", got)
	}
	if got := prom.Query(t, "no_such_series"); len(got) != 0 {
		t.Errorf("a series that does not exist: %v", got)
	}
	end := time.Now()
	series := prom.QueryRange(t, "vector(1)", end.Add(-10*time.Second), end, 5*time.Second)
	if len(series) != 1 || len(series[0].Points) != 3 {
		t.Errorf("a range: %v, want one series of 3 points", series)
	}
	if alerts := prom.Alerts(t); len(alerts) != 0 {
		t.Errorf("alerts without a rule: %v", alerts)
	}
}

// A server that comes back is the same one: its address and its data are kept.
func TestRestart(t *testing.T) {
	t.Parallel()
	prom := servers.StartPrometheus(t, servers.PrometheusConfig{ScrapeSelf: true})
	addr, pid := prom.Addr(0), prom.PID()
	prom.WaitForQuery(t, servers.Patience, `up == 1`)
	end := time.Now()

	prom.Restart(t)

	if prom.Addr(0) != addr || prom.PID() == pid {
		t.Errorf("process %d at %s, want another one than %d at %s", prom.PID(), prom.Addr(0), pid, addr)
	}
	if series := prom.QueryRange(t, "up", end, end, time.Second); len(series) != 1 {
		t.Errorf("what was scraped before the restart: %v, want one series", series)
	}
	if err := prom.Stop(t); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestPyroscope(t *testing.T) {
	t.Parallel()
	from := time.Now().Add(-time.Minute)
	pyroscope := servers.StartPyroscope(t)

	ingest(t, pyroscope, "tienda", cpuProfile(t))

	const cpu = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
	all := pyroscope.WaitForProfile(t, servers.Patience, cpu+`{service_name="tienda"}`, from)
	if all.NumTicks != 50e6 {
		t.Errorf("total %d, want 50 ms", all.NumTicks)
	}
	flame := pyroscope.Render(t, cpu+`{service_name="tienda", endpoint="/orders/{id}"}`, from)
	if self := flame.Self(); len(self) != 2 || self["main.order"] != 10e6 || self["main.load"] != 30e6 {
		t.Errorf("self values of the endpoint: %v, want main.order 10 ms and main.load 30 ms", self)
	}
	if total := flame.Total("main.order"); total != 40e6 {
		t.Errorf("total of main.order, which calls itself: %d, want 40 ms", total)
	}
	if other := pyroscope.Render(t, cpu+`{service_name="tienda", endpoint="/other"}`, from); other.NumTicks != 0 {
		t.Errorf("an endpoint without samples: %v", other)
	}
	if types := pyroscope.ProfileTypes(t); len(types) != 1 || types[0] != cpu {
		t.Errorf("profile types %v, want %s", types, cpu)
	}
	if endpoints := strings.Join(pyroscope.LabelValues(t, "endpoint"), " "); endpoints != "/health /orders/{id}" {
		t.Errorf("endpoints %s, want /health /orders/{id}", endpoints)
	}
}

// cpuProfile makes a CPU profile of two endpoints: 40 ms in /orders/{id}, where
// main.order calls main.load and itself, and 10 ms in /health.
func cpuProfile(t *testing.T) []byte {
	t.Helper()
	nanoseconds := &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}
	p := &profile.Profile{
		SampleType:    []*profile.ValueType{nanoseconds},
		PeriodType:    nanoseconds,
		Period:        10e6,
		TimeNanos:     time.Now().UnixNano(),
		DurationNanos: int64(time.Second),
	}
	locations := map[string]*profile.Location{}
	sample := func(endpoint string, value int64, stack ...string) { // the innermost function first
		s := &profile.Sample{Value: []int64{value}, Label: map[string][]string{"endpoint": {endpoint}}}
		for _, name := range stack {
			location := locations[name]
			if location == nil {
				id := uint64(len(locations) + 1)
				function := &profile.Function{ID: id, Name: name, SystemName: name, Filename: "main.go"}
				location = &profile.Location{ID: id, Line: []profile.Line{{Function: function, Line: 1}}}
				locations[name] = location
				p.Function = append(p.Function, function)
				p.Location = append(p.Location, location)
			}
			s.Location = append(s.Location, location)
		}
		p.Sample = append(p.Sample, s)
	}
	sample("/orders/{id}", 30e6, "main.load", "main.order", "main.order", "main.main")
	sample("/orders/{id}", 10e6, "main.order", "main.main")
	sample("/health", 10e6, "main.health", "main.main")
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func ingest(t *testing.T, pyroscope *servers.Pyroscope, service string, pprof []byte) {
	t.Helper()
	address := pyroscope.URL() + "/ingest?" + url.Values{"name": {service}, "format": {"pprof"}}.Encode()
	response, err := http.Post(address, "application/octet-stream", bytes.NewReader(pprof))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(response.Body)
		t.Fatalf("ingest: %s: %s", response.Status, body)
	}
}

func TestPromtool(t *testing.T) {
	for metrics, want := range map[string]string{ // want: part of the output, "" for nothing wrong
		"# HELP tienda_orders_total Orders.\n# TYPE tienda_orders_total counter\ntienda_orders_total 1\n": "",
		"# TYPE tienda_orders counter\ntienda_orders 1\n":                                                 `should have "_total" suffix`,
	} {
		out, err := servers.Promtool(t, metrics, "check", "metrics")
		var exit *exec.ExitError
		switch {
		case want == "" && (err != nil || out != ""):
			t.Errorf("%s\n%s%v, want nothing wrong", metrics, out, err)
		case want != "" && (!errors.As(err, &exit) || !strings.Contains(out, want)):
			t.Errorf("%s\n%s%v, want %q", metrics, out, err, want)
		}
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	sleep := servers.Run(t, servers.Process{
		Name:    "sleep",
		Command: func([]string) *exec.Cmd { return exec.Command("sleep", "600") },
	})
	sleep.Signal(t, syscall.SIGKILL)
	var exit *exec.ExitError
	if err := sleep.Wait(t, servers.Patience); !errors.As(err, &exit) {
		t.Errorf("a killed process ended with %v, want an exit error", err)
	}
}
