package doctor

import (
	"strings"
	"testing"

	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/domain"
)

// TestAmount: of each kind of metric it is what was counted.
func TestAmount(t *testing.T) {
	t.Parallel()
	all, err := remote.Families([]byte(`# TYPE a counter
a 1
# TYPE b gauge
b 2
c 3
# TYPE d histogram
d_bucket{le="1"} 3
d_bucket{le="+Inf"} 4
d_sum 7
d_count 4
`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{"a": 1, "b": 2, "c": 3, "d": 4} {
		if got := amount(all[name].GetMetric()[0]); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// TestBudgetOfSeries: a budget is one series at least, and none is a wrong call.
func TestBudgetOfSeries(t *testing.T) {
	t.Parallel()
	for budget, want := range map[string]int{"-1": 2, "0": 2, "1": 0} {
		args := []string{"doctor", "-max-series", budget}
		for name := range newParts() {
			args = append(args, "-"+name, "none")
		}
		code, _, stderr := latido(append(args, doctorFile)...)
		if code != want || strings.Contains(stderr, "-max-series is positive") != (want == 2) {
			t.Errorf("-max-series %s: exit %d, %s", budget, code, stderr)
		}
	}
}

// TestDeliveries: a receiver that got nothing is a problem, one that missed some is
// worth knowing, and one that got all is neither.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	all, err := remote.Families([]byte(`# TYPE tienda_telemetry_alert_deliveries_total counter
tienda_telemetry_alert_deliveries_total{receiver="email",outcome="failed"} 4
tienda_telemetry_alert_deliveries_total{receiver="hook",outcome="failed"} 2
tienda_telemetry_alert_deliveries_total{receiver="hook",outcome="timeout"} 1
tienda_telemetry_alert_deliveries_total{receiver="hook",outcome="success"} 7
tienda_telemetry_alert_deliveries_total{receiver="log",outcome="success"} 5
`))
	if err != nil {
		t.Fatal(err)
	}
	x := &examination{d: domain.Domain{Prefix: "tienda"}, families: all}
	var f result.Check
	x.tellDeliveries(&f)
	if len(f.Problems) != 1 || !strings.Contains(f.Problems[0].Message, "no alert to email: 4 tries failed") {
		t.Errorf("problems: %v", f.Problems)
	}
	if len(f.Notes) != 1 || f.Notes[0] != "3 of 10 tries to deliver an alert to hook failed" {
		t.Errorf("notes: %q", f.Notes)
	}
}
