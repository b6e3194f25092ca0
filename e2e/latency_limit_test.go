package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/e2e/servers"
	"github.com/latido-dev/latido/telemetry"
)

// TestLimitsMeanWhatTheySay has a real Prometheus judge durations close to
// limits, on both sides: limits among the default bounds, far above and far
// below them. A threshold of 2 s neither fires at 1.3 s nor is silent at 2.1 s,
// which the default bounds do not tell apart; a busy machine may add to either.
func TestLimitsMeanWhatTheySay(t *testing.T) {
	t.Parallel()
	limits := map[string]float64{"ms1": 0.0015, "ms3": 0.003, "s2": 2, "s12": 12, "s90": 90, "h1": 3600}
	d := domain.Domain{
		Prefix: "limits", Entity: "limit", DefaultRules: domain.DefaultRules{Disable: []string{"all"}},
		Events: []domain.Event{
			{Name: "wait", Kind: domain.KindHistogram, Unit: "s", Attributes: map[string][]string{"limit": slices.Sorted(maps.Keys(limits)), "side": {"near", "over"}}},
			{Name: "tank", Kind: domain.KindGauge, Attributes: map[string][]string{"side": {"low", "high"}}},
		},
		Thresholds: []domain.Threshold{
			{Name: "Slow", Metric: "response_duration", Stat: domain.StatP95, By: "endpoint", Above: new(domain.Quantity(2))},
			{Name: "NotSlow", Metric: "response_duration", Stat: domain.StatP95, By: "endpoint", Below: new(domain.Quantity(2))},
			{Name: "TankLow", Event: "tank", Below: new(domain.Quantity(10))},
			{Name: "TankHigh", Event: "tank", By: "side", Above: new(domain.Quantity(90))},
			{Name: "TankVeryHigh", Event: "tank", Stat: domain.StatMax, Above: new(domain.Quantity(100))},
		},
	}
	for name, limit := range limits {
		where := map[string]string{"limit": name}
		d.Thresholds = append(d.Thresholds,
			domain.Threshold{Name: "Above_" + name, Event: "wait", By: "side", Where: where, Above: new(domain.Quantity(limit))},
			domain.Threshold{Name: "Below_" + name, Event: "wait", Stat: domain.StatP50, By: "side", Where: where, Below: new(domain.Quantity(limit))})
	}
	want := map[string]bool{"Slow /over": true, "NotSlow /near": true, "NotSlow /quick": true, "TankLow ": true, "TankHigh high": true}
	for name := range limits {
		want["Above_"+name+" over"], want["Below_"+name+" near"] = true, true
	}

	tel, err := telemetry.Init(t.Context(), telemetry.Config{
		Domain: d, KeepGlobals: true, Logger: slog.New(slog.DiscardHandler),
		Admin: telemetry.AdminConfig{Disabled: true}, Profiling: continuous.Config{Disabled: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tel.Shutdown(context.Background()) }()
	mux := tel.NewServeMux()
	for path, took := range map[string]time.Duration{"/near": 1300 * time.Millisecond, "/over": 2100 * time.Millisecond} {
		mux.HandleFunc("GET "+path, func(http.ResponseWriter, *http.Request) { time.Sleep(took) })
	}
	mux.HandleFunc("GET /quick", func(http.ResponseWriter, *http.Request) {
		for began := time.Now(); time.Since(began) < 400*time.Microsecond; { // a sleep may take more than twice that
		}
	})
	service, admin := httptest.NewServer(mux), httptest.NewServer(tel.Admin().Handler())
	defer service.Close()
	defer admin.Close()
	tel.Gauge("tank").With("side", "low").Set(5)
	tel.Gauge("tank").With("side", "high").Observe(func(context.Context) float64 { return 95 })

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for range 4 {
		for _, path := range []string{"/near", "/over"} {
			go func() {
				for ctx.Err() == nil {
					ask(ctx, service.URL+path)
				}
			}()
		}
	}
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			for name, limit := range limits {
				tel.Histogram("wait").With("limit", name, "side", "near").Record(ctx, limit*0.95)
				tel.Histogram("wait").With("limit", name, "side", "over").Record(ctx, limit*1.05)
			}
			ask(ctx, service.URL+"/quick")
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}()

	rules := filepath.Join(t.TempDir(), "limits.rules.yaml")
	write(t, rules, must(alerting.RuleFile(d, alerting.Options{Fast: true}))(t))
	prom := servers.StartPrometheus(t, servers.PrometheusConfig{
		Scrape: []servers.Scrape{{Job: d.Service(), Targets: []string{strings.TrimPrefix(admin.URL, "http://")}}}, Rules: []string{rules},
	})
	firing := func() map[string]bool { // ever since
		got := map[string]bool{}
		for _, s := range prom.Query(t, `max_over_time(ALERTS{alertstate="firing"}[10m])`) {
			got[s.Labels["alertname"]+" "+s.Labels["endpoint"]+s.Labels["side"]] = true
		}
		return got
	}
	servers.WaitFor(t, servers.Patience, "all alerts", func() error {
		got := firing()
		for alert := range want {
			if !got[alert] {
				return fmt.Errorf("%q does not fire; %v do", alert, slices.Sorted(maps.Keys(got)))
			}
		}
		return nil
	})
	// A few more evaluations with full windows.
	prom.WaitForQuery(t, servers.Patience, `min(increase(limits_response_duration_seconds_count{endpoint=~"/over|/near"}[30s])) > 20`)
	for alert := range firing() {
		if !want[alert] {
			t.Errorf("%q fires", alert)
		}
	}
	const quick = `histogram_quantile(0.5, sum by (le) (rate(limits_response_duration_seconds_bucket{endpoint="/quick"}[1m])))`
	t.Logf("a route of 0.4 ms reads %v", prom.Query(t, quick))
	prom.WaitForQuery(t, servers.Patience, quick+" < 0.001")
}

func ask(ctx context.Context, url string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return
	}
	if response, err := http.DefaultClient.Do(r); err == nil {
		_ = response.Body.Close()
	}
}
