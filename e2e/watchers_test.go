package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latido-dev/latido/e2e/servers"
)

// watcherRules are the rules on the servers themselves.
var watcherRules = filepath.Join(repository, "deploy", "prometheus", "rules", "stack-watchers.rules.yaml")

// What a server says of its own trouble, by the alert that tells it, with the
// labels that it has beside its severity. The metrics are looked for on the real
// servers by TestStack.
var troubles = []struct {
	alert, series, values, severity string
	labels                          map[string]string
}{
	{"StackServerDown", `up{job="alertmanager",instance="alertmanager:9093"}`, "0x20", "ticket", map[string]string{"job": "alertmanager", "instance": "alertmanager:9093"}},
	{"StackServerDown", `up{job="otel-gateway",instance="a"}`, "0x20", "ticket", map[string]string{"job": "otel-gateway", "instance": "a"}},
	{"StackRulesFail", `prometheus_rule_evaluation_failures_total{job="prometheus",instance="p",rule_group="g"}`, "0+1x20", "page", map[string]string{"job": "prometheus", "instance": "p", "rule_group": "g"}},
	{"StackRulesLate", `prometheus_rule_group_iterations_missed_total{job="prometheus",instance="p",rule_group="g"}`, "0+1x20", "ticket", map[string]string{"job": "prometheus", "instance": "p", "rule_group": "g"}},
	{"StackAlertsLost", `prometheus_notifications_dropped_total{job="prometheus",instance="p"}`, "0+1x20", "page", map[string]string{"job": "prometheus", "instance": "p"}},
	{"StackAlertsLost", `prometheus_notifications_errors_total{job="prometheus",instance="p",alertmanager="a"}`, "0+1x20", "page", map[string]string{"job": "prometheus", "instance": "p"}},
	{"StackNotificationsFail", `alertmanager_notifications_failed_total{job="alertmanager",instance="a",integration="email",reason="other"}`, "0+1x20", "page", map[string]string{"job": "alertmanager", "instance": "a", "integration": "email"}},
	{"StackServerDown", `up{job="evidence",instance="e"}`, "0x20", "ticket", map[string]string{"job": "evidence", "instance": "e"}},
	{"StackEvidenceFails", `latido_evidence_request_duration_seconds_count{job="evidence",instance="e",source="pyroscope",outcome="failed"}`, "0+1x20", "ticket", map[string]string{"job": "evidence", "instance": "e"}},
	{"StackEvidenceFails", `latido_evidence_posts_total{job="evidence",instance="e",outcome="failed"}`, "0+1x20", "ticket", map[string]string{"job": "evidence", "instance": "e"}},
	{"StackConfigRefused", `prometheus_config_last_reload_successful{job="prometheus",instance="p"}`, "0x20", "ticket", map[string]string{"job": "prometheus", "instance": "p"}},
	{"StackConfigRefused", `alertmanager_config_last_reload_successful{job="alertmanager",instance="a"}`, "0x20", "ticket", map[string]string{"job": "alertmanager", "instance": "a"}},
	{"StackSpansLost", `otelcol_receiver_refused_spans{job="otel-collector",instance="c",receiver="otlp"}`, "0+1x20", "ticket", map[string]string{"job": "otel-collector", "instance": "c"}},
	{"StackSpansLost", `otelcol_receiver_refused_spans_total{job="otel-collector",instance="c",receiver="otlp"}`, "0+1x20", "ticket", map[string]string{"job": "otel-collector", "instance": "c"}},
	{"StackSpansLost", `otelcol_exporter_send_failed_spans{job="otel-collector",instance="c",exporter="o"}`, "0+1x20", "ticket", map[string]string{"job": "otel-collector", "instance": "c"}},
	{"StackSpansLost", `tempo_discarded_spans_total{job="tempo",instance="t",reason="rate_limited"}`, "0+1x20", "ticket", map[string]string{"job": "tempo", "instance": "t"}},
	{"StackProfilesRefused", `pyroscope_discarded_samples_total{job="pyroscope",instance="p",reason="rate_limited"}`, "0+1x20", "ticket", map[string]string{"job": "pyroscope", "instance": "p"}},
	{"StackProfilesRefused", `pyroscope_request_duration_seconds_count{job="pyroscope",instance="p",route="ingest",status_code="500"}`, "0+1x20", "ticket", map[string]string{"job": "pyroscope", "instance": "p"}},
}

// TestWatchers has promtool try each trouble of a server, and that all is quiet
// where all is well.
func TestWatchers(t *testing.T) {
	t.Parallel()
	if out, err := servers.Promtool(t, "", "check", "rules", "--lint=all", "--lint-fatal", watcherRules); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "rule_files: [%q]\nevaluation_interval: 1m\ntests:\n", watcherRules)
	expect := func(what, series, values, samples string) {
		fmt.Fprintf(&b, "- name: %q\n  interval: 1m\n  input_series: [{series: %q, values: %q}]\n  promql_expr_test:\n  - expr: 'ALERTS{alertstate=\"firing\"}'\n    eval_time: 20m\n    exp_samples: [%s]\n",
			what, series, values, samples)
	}
	alerts := map[string]bool{}
	for _, tr := range troubles {
		alerts[tr.alert] = true
		pairs := []string{`alertname="` + tr.alert + `"`, `alertstate="firing"`, `severity="` + tr.severity + `"`}
		for name, value := range tr.labels {
			pairs = append(pairs, fmt.Sprintf("%s=%q", name, value))
		}
		expect(tr.alert+": "+tr.series, tr.series, tr.values, fmt.Sprintf("{labels: 'ALERTS{%s}', value: 1}", strings.Join(pairs, ",")))
		well := "1x20" // a level is good at 1
		if strings.Contains(tr.values, "+") {
			well = "7x20"
		}
		expect("all is well: "+tr.series, tr.series, well, "")
	}
	for _, at := range []string{"evidence:9466", "tienda-api-evidence.default:9466"} { // people are told without it
		expect("evidence is down: "+at, `prometheus_notifications_errors_total{job="prometheus",instance="p",alertmanager="http://`+at+`/api/v2/alerts"}`, "0+1x20", "")
	}
	if len(alerts) != 9 {
		t.Errorf("%d alerts are tried, want all 9", len(alerts))
	}
	file := filepath.Join(t.TempDir(), "watchers.test.yaml")
	write(t, file, []byte(b.String()))
	if out, err := servers.Promtool(t, "", "test", "rules", file); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
