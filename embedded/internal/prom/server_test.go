package prom

import (
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"
)

const cpuRules = `
groups:
  - name: host
    rules:
      - record: job:cpu:max
        expr: max by (job) (cpu_percent)
      - alert: CPUHigh
        expr: job:cpu:max > 80
        labels: {severity: page}
        annotations: {summary: 'CPU at {{ $value | printf "%.0f" }} % in {{ $labels.job }}', home: '{{ externalURL }}'}
`

func TestFiresAndResolves(t *testing.T) {
	t.Parallel()
	svc, box := newService(), &inbox{}
	svc.set("cpu_percent", 95)
	svc.set("orders_total", 3)
	s := start(t, Config{Metrics: svc, Job: "tienda-api", Instance: "127.0.0.1:9464", Rules: []byte(cpuRules), Notify: box.notify, ExternalURL: "http://x/"})
	eventually(t, "CPUHigh fires", func() bool { return box.firing("CPUHigh") })
	a := box.of("CPUHigh")[0]
	if a.Annotations["summary"] != "CPU at 95 % in tienda-api" || a.Annotations["home"] != "http://x/" || a.Labels["severity"] != "page" || a.Value != 95 {
		t.Errorf("got %+v", a)
	}
	if a.StartsAt.IsZero() || a.GeneratorURL != "http://x/graph?g0.expr=job%3Acpu%3Amax+%3E+80&g0.tab=1" {
		t.Errorf("got %+v", a)
	}
	svc.set("cpu_percent", 10)
	eventually(t, "CPUHigh is resolved", func() bool { return box.resolved("CPUHigh") })

	if v, ok := value(t, s, `up{job="tienda-api",instance="127.0.0.1:9464"}`); !ok || v != 1 {
		t.Errorf("up is %v, %v", v, ok)
	}
	if got := get[struct{ Result []any }](t, s, "/api/v1/query", url.Values{"query": {"cpu_percent"}}); len(got.Result) != 1 {
		t.Errorf("query: %+v", got)
	}
	groups := get[struct {
		Groups []struct{ Rules []struct{ Health string } }
	}](t, s, "/api/v1/rules", nil)
	if len(groups.Groups) != 1 || groups.Groups[0].Rules[1].Health != "ok" {
		t.Errorf("rules: %+v", groups)
	}
	targets := get[struct{ ActiveTargets []struct{ Health string } }](t, s, "/api/v1/targets", nil)
	if len(targets.ActiveTargets) != 1 || targets.ActiveTargets[0].Health != "up" {
		t.Errorf("targets: %+v", targets)
	}
	for _, path := range []string{"/api/v1/status/buildinfo", "/api/v1/status/runtimeinfo", "/api/v1/status/tsdb", "/api/v1/status/config", "/api/v1/status/flags", "/api/v1/metadata", "/api/v1/alerts", "/api/v1/alertmanagers", "/api/v1/labels", "/api/v1/label/job/values"} {
		get[any](t, s, path, nil)
	}
	get[any](t, s, "/api/v1/series", url.Values{"match[]": {"up"}})
	found, err := s.Exemplars(t.Context(), "orders_total", time.Now().Add(-time.Minute), time.Now())
	if err != nil || len(found) == 0 || found[0].TraceID != "abc" {
		t.Errorf("exemplars: %+v, %v", found, err)
	}
}

// A service that is slower than the scrapes is asked once at a time.
func TestSlowService(t *testing.T) {
	t.Parallel()
	var atOnce, most, asked atomic.Int64
	slow := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if n := atOnce.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer atOnce.Add(-1)
		select {
		case <-time.After(200 * time.Millisecond): // it does not notice that nobody waits any more
		case <-t.Context().Done():
		}
	})
	// As Latido's /metrics is: it returns when nobody waits, and slow goes on.
	start(t, Config{Metrics: http.TimeoutHandler(slow, time.Minute, ""), ScrapeInterval: 20 * time.Millisecond})
	eventually(t, "some scrapes", func() bool { return asked.Load() > 4 })
	if most.Load() != 1 {
		t.Errorf("%d scrapes at once", most.Load())
	}
}
