package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/e2e/servers"
)

// slothWindows are those of Sloth (https://github.com/slok/sloth, v0.16) for an
// objective over 30 days, from its internal/alert/windows/google-30d.yaml: the
// share of the error budget in percent, and the two windows. Its
// internal/alert/window.go makes the burn rate of them: the share of the 30
// days, over the long window.
var slothWindows = []struct {
	severity    string
	share       float64
	short, long time.Duration
}{
	{"page", 2, 5 * time.Minute, time.Hour},
	{"page", 5, 30 * time.Minute, 6 * time.Hour},
	{"ticket", 10, 2 * time.Hour, 24 * time.Hour},
	{"ticket", 10, 6 * time.Hour, 3 * 24 * time.Hour},
}

// objective is 99.9 % of requests that do not fail.
var objective = domain.Domain{
	Prefix: "tienda", Entity: "pedido", DefaultRules: domain.DefaultRules{Disable: []string{"all"}},
	SLOs: []domain.SLO{{Name: "availability", Objective: 99.9, Good: domain.Good{Status: "!~5.."}}},
}

// TestAlertingObjectiveWindows holds the windows and the limits of our alerts
// against Sloth's.
func TestAlertingObjectiveWindows(t *testing.T) {
	t.Parallel()
	exprs := map[string]string{}
	for _, r := range alerting.Rules(objective, alerting.Options{}) {
		if r.Alert != "" {
			exprs[string(r.Severity)] = r.Expr
		}
	}
	for _, w := range slothWindows {
		factor := w.share / 100 * (30 * 24 * time.Hour).Hours() / w.long.Hours()
		limit := strings.TrimRight(fmt.Sprintf("%.6f", factor*0.001), "0")
		for _, window := range []time.Duration{w.long, w.short} {
			want := fmt.Sprintf(`tienda:slo_errors:ratio_rate%s{slo="availability"} > %s`, domain.Duration(window), limit)
			if n := strings.Count(exprs[w.severity]+"\n", want+"\n"); n != 1 {
				t.Errorf("%s has %d times %s:\n%s", w.severity, n, want, exprs[w.severity])
			}
		}
	}
	for severity, expr := range exprs {
		if n := strings.Count(expr, "ratio_rate"); n != 4 {
			t.Errorf("%s compares %d ratios, want 4: %s", severity, n, expr)
		}
	}
}

// slothRules are recording rules and alerts that decide as those which Sloth
// generates: the ratio of errors of each window, and the pairs of windows with
// "and" in them and "or" between (its plugins sli_rules_v1 and alert_rules_v1).
func slothRules() string {
	var b strings.Builder
	b.WriteString("groups:\n- name: sloth\n  rules:\n")
	seen := map[time.Duration]bool{}
	pairs := map[string][]string{}
	for _, w := range slothWindows {
		factor := w.share / 100 * (30 * 24 * time.Hour).Hours() / w.long.Hours()
		for _, window := range []time.Duration{w.short, w.long} {
			d := domain.Duration(window)
			if !seen[window] {
				fmt.Fprintf(&b, "  - record: sloth:ratio_rate%s\n    expr: (sum(rate(tienda_requests_total{status=~\"5..\"}[%s]))) / (sum(rate(tienda_requests_total[%s])))\n", d, d, d)
			}
			seen[window] = true
		}
		pairs[w.severity] = append(pairs[w.severity], fmt.Sprintf("(sloth:ratio_rate%s > (%g * 0.001) and sloth:ratio_rate%s > (%g * 0.001))",
			domain.Duration(w.short), factor, domain.Duration(w.long), factor))
	}
	for _, severity := range []string{"page", "ticket"} {
		fmt.Fprintf(&b, "  - alert: sloth_%s\n    expr: %s\n", severity, strings.Join(pairs[severity], " or "))
	}
	return b.String()
}

// phase is a while with so many good and bad requests a minute.
type phase struct {
	minutes   int
	good, bad float64
}

// burn is a phase in which the budget burns so many times as fast as allowed.
func burn(minutes int, factor float64) phase {
	return phase{minutes, 1000 - factor, factor}
}

// behaviours are those of services, each with what fires at some time: nothing,
// "page", "ticket" or both.
var behaviours = []struct {
	name   string
	phases []phase
	fires  string
}{
	{"constant good traffic", []phase{burn(360, 0)}, ""},
	{"total outage", []phase{burn(360, 0), burn(30, 1000)}, "page ticket"},
	{"just below the slowest burn, for 3 days", []phase{burn(3*1440, 0.95)}, ""},
	{"just above the slowest burn, for 3 days", []phase{burn(3*1440, 1.05)}, "ticket"},
	{"just below the burn of a day", []phase{burn(2*1440, 0), burn(1440, 2.9)}, ""},
	{"just above the burn of a day", []phase{burn(2*1440, 0), burn(1440, 3.1)}, "ticket"},
	{"just below the burn of 6 hours", []phase{burn(3*1440, 0), burn(360, 5.9)}, ""},
	{"just above the burn of 6 hours", []phase{burn(3*1440, 0), burn(362, 6.1)}, "page"},
	{"just below the burn of an hour", []phase{burn(1440, 0), burn(60, 14.3)}, ""},
	{"just above the burn of an hour", []phase{burn(1440, 0), burn(61, 14.5)}, "page"},
	{"a spike that is short enough", []phase{burn(1440, 0), burn(1, 800), burn(60, 0)}, ""},
	{"a spike that is not", []phase{burn(1440, 0), burn(1, 950), burn(60, 0)}, "page"},
	{"an outage, and all well again", []phase{burn(1440, 0), burn(10, 1000), burn(720, 0)}, "page ticket"},
	{"flapping, 20 times too fast half of the time", flapping(36), "page ticket"},
	{"a counter reset while all is well", []phase{burn(120, 0), {0, -1, -1}, burn(120, 0)}, ""},
	{"a counter reset in an outage", []phase{burn(1440, 0), burn(20, 500), {0, -1, -1}, burn(20, 500)}, "page ticket"},
	{"no request ever failed, nor has a series", []phase{{120, 1000, -1}}, ""},
	{"no request ever succeeded, nor has a series", []phase{{30, -1, 1000}}, "page ticket"},
	{"no traffic", []phase{{120, 0, 0}}, ""},
	{"the service disappears in an outage", []phase{burn(1440, 0), burn(20, 1000), {60, -1, -1}}, "page ticket"},
}

// flapping are ten bad minutes and ten good ones, again and again.
func flapping(times int) []phase {
	phases := []phase{burn(1440, 0)}
	for range times {
		phases = append(phases, burn(10, 20), burn(10, 0))
	}
	return phases
}

// values are a counter's in promtool's notation, one a minute. A phase of no
// minutes sets it back to 0, a negative number leaves it out.
func values(phases []phase, of func(phase) float64) (text string, minutes int) {
	total := 0.0
	var parts []string
	for i, p := range phases {
		n := of(p)
		switch {
		case p.minutes == 0:
			total = 0
			continue
		case n < 0 && i > 0:
			parts = append(parts, "stale", fmt.Sprintf("_x%d", p.minutes-1))
		case n < 0:
			parts = append(parts, fmt.Sprintf("_x%d", p.minutes))
		default:
			parts = append(parts, fmt.Sprintf("%.6g+%.6gx%d", total+n, n, p.minutes-1))
			total += n * float64(p.minutes)
		}
		minutes += p.minutes
	}
	return strings.Join(parts, " "), minutes
}

// behaviourTest is a test of promtool: the two sides decide the same for either
// severity, and these severities fire at some time. Ours add up long windows in
// steps of 5 minutes, and so decide as much later.
func behaviourTest(name string, phases []phase, fires string, same bool) string {
	var b strings.Builder
	good, minutes := values(phases, func(p phase) float64 { return p.good })
	bad, _ := values(phases, func(p phase) float64 { return p.bad })
	fmt.Fprintf(&b, "- name: %q\n  interval: 1m\n  input_series:\n", name)
	for status, text := range map[string]string{"200": good, "500": bad} {
		if strings.Trim(text, "_x0123456789") != "" {
			fmt.Fprintf(&b, "  - series: tienda_requests_total{job=\"tienda-api\",status=%q}\n    values: %q\n", status, text)
		}
	}
	b.WriteString("  promql_expr_test:\n")
	expect := func(expr string, value int) {
		fmt.Fprintf(&b, "  - expr: '%s'\n    eval_time: %dm\n    exp_samples: [{labels: '{}', value: %d}]\n", expr, minutes, value)
	}
	for severity, ours := range map[string]string{"page": "availabilityBurnsFast", "ticket": "availabilityBurnsSlowly"} {
		fired := func(alert string) string {
			return fmt.Sprintf(`(count(ALERTS{alertname="%s",alertstate="firing"}) or vector(0))`, alert)
		}
		history := fmt.Sprintf("[%dm:2m]", minutes)
		does := 0
		if strings.Contains(fires, severity) {
			does = 1
		}
		expect(fmt.Sprintf("max_over_time(%s%s)", fired(ours), history), does)
		differ := 1
		if same {
			differ = 0
		}
		expect(fmt.Sprintf("max_over_time(min_over_time((%s != bool %s)[10m:2m])%s)", fired(ours), fired("sloth_"+severity), history), differ)
	}
	return b.String()
}

// TestAlertingObjectiveDecisions has our rules and Sloth's decide side by side
// on 20 behaviours of a service: for no ten minutes does one fire and not the other.
//
// In one thing they differ on purpose: where hardly anyone comes by, Sloth's
// page on a single request that fails, and ours do not.
func TestAlertingObjectiveDecisions(t *testing.T) {
	t.Parallel()
	if len(behaviours) != 20 {
		t.Errorf("%d behaviours, want 20", len(behaviours))
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "ours.yaml"), must(alerting.RuleFile(objective, alerting.Options{}))(t))
	write(t, filepath.Join(dir, "sloth.yaml"), []byte(slothRules()))
	var order []string
	for _, g := range alerting.Groups(objective, alerting.Options{}) {
		order = append(order, g.Name)
	}
	run := func(t *testing.T, name, test string) {
		t.Helper()
		file := filepath.Join(dir, strings.ReplaceAll(name, " ", "_")+".test.yaml")
		write(t, file, []byte("rule_files: [ours.yaml, sloth.yaml]\nevaluation_interval: 2m\ngroup_eval_order: ["+strings.Join(order, ", ")+"]\ntests:\n"+test))
		if out, err := servers.Promtool(t, "", "test", "rules", file); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	for _, behaviour := range behaviours {
		t.Run(behaviour.name, func(t *testing.T) {
			t.Parallel()
			run(t, behaviour.name, behaviourTest(behaviour.name, behaviour.phases, behaviour.fires, true))
		})
	}
	t.Run("one of a few fails at night", func(t *testing.T) {
		t.Parallel()
		night := []phase{{600, 0.05, 0}, {1, 0, 1}, {90, 0.05, 0}}
		run(t, "night", behaviourTest("night", night, "", false))
	})
}
