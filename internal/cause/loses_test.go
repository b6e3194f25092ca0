package cause_test

import (
	"testing"

	"github.com/latido-dev/latido/internal/cause"
)

// lost is an alert on what Latido itself could not do.
func lost(s *service, metric string) cause.Alert {
	return cause.Alert{Name: "Lost", Metric: metric, Op: ">", Bound: 0, Value: 5, Expr: "sum by (job) (increase(" + s.family(metric) + "[15m])) > 0"}
}

var lossFaults = []fault{
	{"a value that the domain does not list", func(s *service) {
		s.count("telemetry_refused", same(0), "reason", "event")
		s.count("telemetry_refused", moved{0, 0.5}, "reason", "value")
		s.alert = lost(s, "telemetry_refused")
	}, "telemetry", "Values are refused: value, ", "en"},
	{"a receiver that is down", func(s *service) {
		s.count("telemetry_alert_deliveries", same(0.2), "receiver", "email/guardia", "outcome", "success")
		s.count("telemetry_alert_deliveries", moved{0, 0.4}, "receiver", "webhook/turnos", "outcome", "failure")
		s.alert = lost(s, "telemetry_alert_deliveries")
	}, "telemetry", "Hay alertas que no se entregan: webhook/turnos", "es"},
	{"two receivers are down, of which one gets more", func(s *service) {
		s.count("telemetry_alert_deliveries", moved{0, 0.2}, "receiver", "email/guardia", "outcome", "failure")
		s.count("telemetry_alert_deliveries", moved{0, 0.4}, "receiver", "webhook/turnos", "outcome", "failure")
		s.alert = lost(s, "telemetry_alert_deliveries")
	}, "telemetry", "Hay alertas que no se entregan: webhook/turnos", "es"},
	// Rivals.
	{"a receiver that is down, and requests that became slow beside it", func(s *service) {
		s.part("POST /citas", "pay").each.after = 0.6
		s.count("telemetry_alert_deliveries", moved{0, 0.4}, "receiver", "webhook/turnos", "outcome", "failure")
		s.alert = slow(s)
	}, "dependency", "pagos.example.com", ""},
}

func TestLoses(t *testing.T) { try(t, lossFaults) }

func TestNothingIsLost(t *testing.T) {
	s := newService(t, "en", false)
	s.count("telemetry_refused", same(0.5), "reason", "value")
	s.alert = lost(s, "telemetry_refused")
	s.alert.Drill = true
	if found := cause.Explain(s.input()).Findings; len(found) > 0 {
		t.Errorf("a drill is explained by %q", found[0].Sentence)
	}
}
