package e2e

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/e2e/servers"
)

// TestReplicas runs the shop twice. Both push their metrics to one Prometheus
// and their profiles to one Pyroscope: what they count adds up to what they
// were asked, and each can be chosen in both, by the same id.
func TestReplicas(t *testing.T) {
	t.Parallel()
	started := time.Now()
	// Without a limit of sessions Pyroscope drops their label.
	pyroscope := servers.StartPyroscope(t, "-validation.max-sessions-per-series=1000000")
	prom := servers.StartPrometheus(t, servers.PrometheusConfig{Flags: []string{"--web.enable-otlp-receiver"}})
	asked := map[string]float64{} // by address
	for range 2 {
		s := startShop(t, []string{
			"PYROSCOPE_SERVER_ADDRESS=" + pyroscope.URL(),
			"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=" + prom.URL() + "/api/v1/otlp/v1/metrics",
			"OTEL_METRIC_EXPORT_INTERVAL=1000",
		}, "-load=false")
		asked[s.API()] = 0
	}
	// The endpoint is bound when it is registered: it is there before it is asked.
	requests := `tienda_requests_total{method="GET", endpoint="` + cheapEndpoint + `", status="200"}`
	prom.WaitForQuery(t, servers.Patience, "count("+requests+" == 0) == 2")

	// The two have different loads, over several exports, in turns.
	total := 0.0
	for round := range 20 {
		for i, api := range slices.Sorted(maps.Keys(asked)) {
			for range 2 + 3*i {
				get(t, api+strings.ReplaceAll(cheapEndpoint, "{id}", "1"))
				asked[api]++
				total++
			}
		}
		prom.WaitForQuery(t, servers.Patience, fmt.Sprintf("sum(%s) == %g", requests, total))
		t.Logf("round %d: %g requests", round, total)
	}
	wanted, counted := slices.Sorted(maps.Values(asked)), []float64{}
	var instances []string
	for _, s := range prom.Query(t, "sum by (instance) ("+requests+")") {
		instances = append(instances, s.Labels["instance"])
		counted = append(counted, s.Value)
	}
	slices.Sort(instances)
	slices.Sort(counted)
	if !slices.Equal(counted, wanted) {
		t.Errorf("Prometheus has %v by instance, they were asked %v", counted, wanted)
	}
	// increase() extrapolates to the ends of its range; a series that goes up
	// and down makes it many times too large.
	for query, want := range map[string]float64{"sum(increase(%s[10m]))": total, "sum(rate(%s[10m])) * 600": total} {
		query = fmt.Sprintf(query, requests)
		servers.WaitFor(t, servers.Patience, query, func() error { // by more where exports come late
			if got := prom.Query(t, query)[0].Value; math.Abs(got-want) > 0.1*want {
				return fmt.Errorf("%g, want about %g", got, want)
			}
			return nil
		})
	}

	types := []string{
		"process_cpu:cpu:nanoseconds:cpu:nanoseconds",
		"memory:inuse_space:bytes:space:bytes",
		"goroutines:goroutine:count:goroutine:count",
	}
	for _, instance := range instances {
		for _, profile := range types {
			pyroscope.WaitForProfile(t, servers.Patience, fmt.Sprintf(`%s{service_name="tienda-api", service_instance_id=%q}`, profile, instance), started)
		}
	}
	if ids := pyroscope.LabelValues(t, "service_instance_id"); !slices.Equal(ids, instances) {
		t.Errorf("Pyroscope's instances are %v, Prometheus' are %v", ids, instances)
	}
	sessions := pyroscope.LabelValues(t, "__session_id__")
	if len(sessions) != 2 {
		t.Errorf("the sessions are %v, want one for each instance", sessions)
	}
	for _, session := range sessions {
		pyroscope.WaitForProfile(t, servers.Patience, fmt.Sprintf(`%s{service_name="tienda-api", __session_id__=%q}`, types[0], session), started)
	}
	t.Logf("profile types: %v", pyroscope.ProfileTypes(t))
}

// get asks a service, which must answer well.
func get(t *testing.T, url string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, response.Status)
	}
}
