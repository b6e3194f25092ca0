package alerting

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/domain"
)

// base is a domain without rules of its own or of everybody's.
const base = `
prefix: tienda
entity: pedido
events:
  - name: pedidos
    attributes: {canal: [web, tienda]}
  - name: carritos
    kind: updown
  - name: valor
    kind: histogram
    unit: COP
    buckets: [10, 100]
  - name: nivel
    kind: gauge
    unit: "%"
    attributes: {tanque: [norte, sur]}
default_rules: {disable: [all]}
`

func parse(t *testing.T, text string) domain.Domain {
	t.Helper()
	d, err := domain.Parse("domain.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// rule is the only alert of a domain with one threshold.
func rule(t *testing.T, o Options, threshold string) Rule {
	t.Helper()
	rules := Rules(parse(t, base+"thresholds: ["+threshold+"]\n"), o)
	if len(rules) != 1 {
		t.Fatalf("%s: %d rules", threshold, len(rules))
	}
	return rules[0]
}

func TestThreshold(t *testing.T) {
	t.Parallel()
	const rates = "sum by (job, endpoint) (rate(tienda_response_duration_seconds_count[5m]))"
	for threshold, want := range map[string]string{
		// A quantile of no traffic would be NaN, which no comparison is true for.
		"{name: a, metric: response_duration, by: endpoint, above: 2s}":             "(histogram_quantile(0.95, sum by (job, endpoint, le) (rate(tienda_response_duration_seconds_bucket[5m]))) and " + rates + " > 0) > 2\nand sum by (job, endpoint) (increase(tienda_response_duration_seconds_count[5m])) >= 20",
		"{name: a, metric: response_duration, stat: mean, by: endpoint, above: 2s}": "sum by (job, endpoint) (rate(tienda_response_duration_seconds_sum[5m])) / (" + rates + " > 0) > 2\nand sum by (job, endpoint) (increase(tienda_response_duration_seconds_count[5m])) >= 20",
		"{name: a, event: valor, stat: p50, window: 1h, below: 50}":                 "(histogram_quantile(0.5, sum by (job, le) (rate(tienda_valor_COP_bucket[1h]))) and sum by (job) (rate(tienda_valor_COP_count[1h])) > 0) < 50\nand sum by (job) (increase(tienda_valor_COP_count[1h])) >= 20",
		// No series at all is too few of them, and so is none of the service.
		"{name: a, event: pedidos, stat: increase, below: 1}":                           `(sum by (job) (increase(tienda_pedidos_total[5m])) or on () label_replace(vector(0), "job", "tienda-api", "", "")) < 1`,
		"{name: a, event: pedidos, stat: rate, equals: 0}":                              `(sum by (job) (rate(tienda_pedidos_total[5m])) or on () label_replace(vector(0), "job", "tienda-api", "", "")) == 0`,
		"{name: a, event: pedidos, stat: rate, per: 1h, where: {canal: web}, above: 9}": `sum by (job) (rate(tienda_pedidos_total{canal="web"}[5m])) * 3600 > 9`,
		// No failure is 0 %, where a missing series would be no answer.
		`{name: a, metric: requests, stat: ratio, where: {status: "=~5.."}, above: 5%}`:                 `100 * (sum by (job) (rate(tienda_requests_total{status=~"5.."}[5m])) or 0 * sum by (job) (rate(tienda_requests_total[5m]))) / (sum by (job) (rate(tienda_requests_total[5m])) > 0) > 5` + "\nand sum by (job) (increase(tienda_requests_total[5m])) >= 20",
		`{name: a, metric: requests, stat: ratio, where: {status: "=~5..", endpoint: /pay}, above: 5%}`: `100 * (sum by (job) (rate(tienda_requests_total{endpoint="/pay",status=~"5.."}[5m])) or 0 * sum by (job) (rate(tienda_requests_total{endpoint="/pay"}[5m]))) / (sum by (job) (rate(tienda_requests_total{endpoint="/pay"}[5m])) > 0) > 5` + "\nand sum by (job) (increase(tienda_requests_total{endpoint=\"/pay\"}[5m])) >= 20",
		// How many are enough is the domain's to say, and 0 is any number.
		"{name: a, metric: response_duration, stat: mean, above: 2s, min_count: 3}": "sum by (job) (rate(tienda_response_duration_seconds_sum[5m])) / (sum by (job) (rate(tienda_response_duration_seconds_count[5m])) > 0) > 2\nand sum by (job) (increase(tienda_response_duration_seconds_count[5m])) >= 3",
		"{name: a, metric: response_duration, stat: mean, above: 2s, min_count: 0}": "sum by (job) (rate(tienda_response_duration_seconds_sum[5m])) / (sum by (job) (rate(tienda_response_duration_seconds_count[5m])) > 0) > 2",
		// What a host says of itself is not added up with what another says.
		"{name: a, metric: cpu_usage, above: 80%}":                         "max by (job, instance) (tienda_cpu_usage_percent) > 80",
		"{name: a, metric: cpu_usage, stat: mean, window: 1m, above: 80%}": "max by (job, instance) (avg_over_time(tienda_cpu_usage_percent[1m])) > 80",
		"{name: a, event: carritos, equals: 0}":                            "sum by (job) (tienda_carritos) == 0",
		// Of a gauge, the series that is nearest to what is feared.
		"{name: a, event: nivel, above: 90%}":                                    "max by (job) (tienda_nivel_percent) > 90",
		"{name: a, event: nivel, below: 10%}":                                    "min by (job) (tienda_nivel_percent) < 10",
		"{name: a, event: nivel, stat: min, window: 1h, by: tanque, below: 10%}": "min by (job, tanque) (min_over_time(tienda_nivel_percent[1h])) < 10",
		"{name: a, event: nivel, stat: max, where: {tanque: norte}, above: 90%}": `max by (job) (max_over_time(tienda_nivel_percent{tanque="norte"}[5m])) > 90`,
		"{name: a, event: carritos, stat: max, window: 10m, above: 50}":          "sum by (job) (max_over_time(tienda_carritos[10m])) > 50",
		"{name: a, expr: up == 0}":                                               "up == 0",
		"{name: a, expr: sum(up), below: 3}":                                     "(sum(up)) < 3",
		`{name: a, expr: "sum(up) # all", below: 3}`:                             "(\nsum(up) # all\n) < 3",
		"{name: a, heartbeat: true}":                                             "vector(1)",
	} {
		if got := rule(t, Options{}, threshold).Expr; got != want {
			t.Errorf("%s\ngot  %s\nwant %s", threshold, got, want)
		}
	}
}

// TestTrialsOfAnyLimit makes up series on both sides of limits wherever they lie
// in a histogram.
func TestTrialsOfAnyLimit(t *testing.T) {
	t.Parallel()
	for threshold, want := range map[string]int{
		"{name: a, metric: response_duration, above: 12s}":              3,
		"{name: a, metric: response_duration, above: 1h}":               3,
		"{name: a, metric: response_duration, above: 0.2ms}":            3,
		"{name: a, metric: function_duration, stat: p50, below: 1.5ms}": 3,
		"{name: a, event: valor, above: 100000}":                        3,
		"{name: a, event: nivel, below: 5}":                             2,
		"{name: a, metric: go_schedule_duration, above: 50ms}":          3,
		// What is computed is met exactly only where it cannot be less, or more.
		"{name: a, event: carritos, equals: 7}":                                           2,
		"{name: a, event: pedidos, stat: rate, equals: 0}":                                3,
		`{name: a, metric: requests, stat: ratio, where: {status: "=~5.."}, equals: 100}`: 3,
		`{name: a, metric: requests, stat: ratio, where: {status: "=~5.."}, equals: 0}`:   3,
	} {
		if r := rule(t, Options{}, threshold); len(r.trialsOf()) != want {
			t.Errorf("%s: %d trials, want %d", threshold, len(r.trialsOf()), want)
		}
	}
}

func TestThresholdTimes(t *testing.T) {
	t.Parallel()
	const text = "{name: a, event: pedidos, stat: increase, window: 30m, below: 1, for: 90s, keep_firing: 2h}"
	normal, fast := rule(t, Options{}, text), rule(t, Options{Fast: true}, text)
	for _, c := range []struct {
		what      string
		got, want time.Duration
	}{
		{"window", normal.Window, 30 * time.Minute}, {"for", normal.For, 90 * time.Second}, {"keep firing", normal.KeepFiring, 2 * time.Hour},
		// A minute in a second, in whole ones, and a window of ten scrapes at least.
		{"fast window", fast.Window, 30 * time.Second}, {"fast for", fast.For, 2 * time.Second}, {"fast keep firing", fast.KeepFiring, 2 * time.Minute},
		{"least window", rule(t, Options{Fast: true}, "{name: a, event: pedidos, window: 1m, above: 1}").Window, 10 * time.Second},
		{"no for", rule(t, Options{Fast: true}, "{name: a, event: pedidos, above: 1}").For, 0},
	} {
		if c.got != c.want {
			t.Errorf("%s is %v, want %v", c.what, c.got, c.want)
		}
	}
	if !strings.Contains(fast.Expr, "[30s]") {
		t.Errorf("fast: %s", fast.Expr)
	}
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	for threshold, want := range map[string]Evidence{
		"{name: a, metric: response_duration, above: 2s}":                 EvidenceLatency,
		"{name: a, metric: cpu_usage, above: 80%}":                        EvidenceCPU,
		"{name: a, metric: go_memory_used, above: 1GiB}":                  EvidenceMemory,
		"{name: a, metric: go_goroutine_count, above: 1000}":              EvidenceGoroutines,
		`{name: a, metric: requests, where: {status: "=~5.."}, above: 1}`: EvidenceErrors,
		"{name: a, metric: api_errors, above: 1}":                         EvidenceErrors,
		"{name: a, event: pedidos, stat: increase, below: 1}":             EvidenceEvents,
		"{name: a, expr: up == 0}":                                        EvidenceLatency,
		"{name: a, heartbeat: true}":                                      "",
	} {
		if got := rule(t, Options{}, threshold).Evidence; got != want {
			t.Errorf("%s: %q, want %q", threshold, got, want)
		}
	}
}

// Rules that every domain gets give way to its own about the same.
func TestDefaultRules(t *testing.T) {
	t.Parallel()
	all := []string{
		"HighErrorRatio", "SlowResponses", "HostCPUHigh", "MemoryNearLimit", "DiskAlmostFull", "GoroutineLeak",
		"RequestsStuck", "ClientsGiveUp", "RequestsRefused", "ConnectionPoolWaits",
		"ContainerCPUThrottled", "ContainerMemoryNearLimit", "FileDescriptorsNearLimit", "ServiceDown", "ScrapeFailing",
		"TelemetryRefused", "TelemetryCollectErrors", "TelemetryExportsFail", "TelemetryProfilesDropped", "TelemetryProfilesGaps", "TelemetrySpansLost", "TelemetryStoreFaults", "AlertDeliveriesFail",
	}
	for text, without := range map[string][]string{
		"": nil,
		"default_rules: {disable: [disk, goroutines]}":                                                  {"DiskAlmostFull", "GoroutineLeak"},
		"default_rules: {disable: [all]}":                                                               all,
		"thresholds: [{name: a, metric: response_duration, above: 2s}]":                                 {"SlowResponses"},
		"thresholds: [{name: a, metric: response_duration, where: {endpoint: /x}, above: 2s}]":          nil, // of one endpoint only
		"thresholds: [{name: a, metric: response_duration, stat: p99, above: 2s}]":                      nil, // of another statistic
		`thresholds: [{name: a, metric: requests, stat: ratio, where: {status: "=~5.."}, above: 1%}]`:   {"HighErrorRatio"},
		`thresholds: [{name: a, metric: requests, stat: ratio, where: {status: "499"}, above: 1%}]`:     {"ClientsGiveUp"},
		`thresholds: [{name: a, metric: requests, stat: ratio, where: {status: "=~4.."}, above: 1%}]`:   {"ClientsGiveUp", "RequestsRefused"},
		"slos: [{name: a, objective: 99, good: {status: \"!~5..\"}}]":                                   {"HighErrorRatio"},
		"slos: [{name: a, objective: 99, good: {faster_than: 1s}, where: {endpoint: \"!=unmatched\"}}]": {"SlowResponses"},
		"slos: [{name: a, objective: 99, good: {faster_than: 1s}, where: {endpoint: /x}}]":              nil,
		"thresholds: [{name: GoroutineLeak, metric: go_goroutine_count, above: 10}]":                    {"GoroutineLeak"},
	} {
		var got []string
		for _, r := range Rules(parse(t, "prefix: tienda\nentity: pedido\n"+text), Options{}) {
			if r.Source == SourceDefault {
				got = append(got, r.Alert)
			}
		}
		want := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(without, name) })
		if !slices.Equal(got, want) {
			t.Errorf("%s\ngot  %v\nwant %v", text, got, want)
		}
	}
}

// Every alert has what people and routes need.
func TestEveryAlert(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"full", "shop_en", "tienda"} {
		d, err := domain.Load("../domain/testdata/" + file + ".good.yaml")
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		published := Options{RunbookURL: "https://wiki.example.com"}
		runbook := string(Runbook(d, published))
		for _, r := range Rules(d, published) {
			if r.Record != "" {
				continue
			}
			if seen[r.Alert] {
				t.Errorf("%s: %s is there twice", file, r.Alert)
			}
			seen[r.Alert] = true
			if r.Labels["severity"] != string(r.Severity) || r.Severity == "" || r.Labels["domain"] != d.Prefix {
				t.Errorf("%s: %s has the labels %v", file, r.Alert, r.Labels)
			}
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s: %s has the annotations %v", file, r.Alert, r.Annotations)
			}
			_, section, _ := strings.Cut(runbook, "\n## "+r.Alert+"\n")
			section, _, _ = strings.Cut(section, "\n## ")
			if !regexp.MustCompile(`\*\*(Diagnosis|Diagnóstico)\*\*\n\n- .`).MatchString(section) {
				t.Errorf("%s: the section of %s does not say where to look:\n%s", file, r.Alert, section)
			}
			if !strings.Contains(runbook, "\n## "+r.Alert+"\n") || !strings.HasSuffix(r.Annotations["runbook_url"], "#"+strings.ToLower(r.Alert)) {
				t.Errorf("%s: the runbook has no section for %s, to which %s leads", file, r.Alert, r.Annotations["runbook_url"])
			}
		}
	}
}

func TestReceiverNames(t *testing.T) {
	t.Parallel()
	d := parse(t, base+`
notify:
  - log: {}
  - email: {to: [a@example.com], smtp: "mail:25", password_env: SMTP_PASSWORD}
  - email: {to: [b@example.com], smtp: "mail:25", password_env: SMTP_PASSWORD}
  - webhook: {url_env: HOOK}
  - action: {name: restart}
`)
	var names []string
	for _, r := range Receivers(d) {
		names = append(names, r.Name)
	}
	if want := []string{"log", "email", "email-2", "webhook", "action/restart"}; !slices.Equal(names, want) {
		t.Errorf("receivers %v, want %v", names, want)
	}
	want := []Secret{{secretsFolder + "SMTP_PASSWORD", "SMTP_PASSWORD"}, {secretsFolder + "HOOK", "HOOK"}}
	if got := Secrets(d); !slices.Equal(got, want) {
		t.Errorf("secrets %v, want %v", got, want)
	}
}

// TestEveryMetric makes a rule of each statistic of each metric of the contract
// and of the events, as any domain may.
func TestEveryMetric(t *testing.T) {
	t.Parallel()
	d := parse(t, base)
	d.Events[0].Endpoint = "/pedidos" // whose cost is known
	for _, m := range d.Metrics() {
		for _, stat := range m.Kind.Stats() {
			if stat == domain.StatRatio || m.Key == "build_info" {
				continue // one needs a filter of its own, the other is always 1
			}
			limit := domain.Quantity(0.005)
			if m.Unit == "COP" {
				limit = 50
			}
			one := d
			one.Thresholds = []domain.Threshold{{Name: "Limit", Event: m.Key, Stat: stat, Above: &limit}}
			if m.Event == nil {
				one.Thresholds[0].Event, one.Thresholds[0].Metric = "", m.Key
			}
			if _, err := RuleFile(one, Options{}); err != nil {
				t.Errorf("%s of %s: %v", stat, m.Key, err)
			}
		}
	}
}

// TestFieldsOfARule: what a rule has not is not in its file.
func TestFieldsOfARule(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]Rule{
		"record expr": {Record: "a:b", Expr: "1"},
		"alert expr":  {Alert: "A", Expr: "1", Labels: map[string]string{}, Annotations: map[string]string{}},
		"alert expr for keep_firing_for labels annotations": {Alert: "A", Expr: "1", For: 1, KeepFiring: 1, Labels: map[string]string{"a": ""}, Annotations: map[string]string{"b": ""}},
	} {
		var keys []string
		for _, f := range r.fields() {
			keys = append(keys, f.key)
		}
		if got := strings.Join(keys, " "); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
