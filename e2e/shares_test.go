package e2e

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latido-dev/latido/e2e/servers"
)

// shares are the rules that every domain gets on a share of its requests: with the
// status that counts, and how many of 100 requests have it when something is wrong,
// 0 for a status of which no share is wrong.
var shares = []struct {
	alert, status string
	slo           bool // of a domain with an objective
	of100         int
}{
	{"HighErrorRatio", "503", false, 20},
	{"ClientsGiveUp", "499", false, 20},
	{"RequestsRefused", "401", false, 90}, // most of an endpoint's: more than 80 %
	{"RequestsRefused", "403", false, 90},
	{"RequestsRefused", "404", false, 0},
	{"RequestsRefused", "429", false, 0},
	{"RequestsRefused", "499", false, 0},
	{"availabilityBurnsFast", "503", true, 20},
	{"availabilityBurnsSlowly", "503", true, 20},
}

// TestSharesOfRequests: one request at night, which is all of them, wakes nobody
// up, nor do three in an hour; 20 of 100 do. promtool evaluates the rules that
// every domain gets.
func TestSharesOfRequests(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, slo := range []bool{false, true} {
		source, rules := filepath.Join(dir, fmt.Sprintf("%v.yaml", slo)), filepath.Join(dir, fmt.Sprintf("%v.rules.yaml", slo))
		text := "prefix: tienda\napp: tienda-api\nentity: pedido\nnotify: [{webhook: {url: \"https://a.example.com\"}}]\n"
		if slo {
			text += "slos: [{name: availability, objective: 99.9, good: {status: \"!~5..\"}}]\n"
		}
		write(t, source, []byte(text))
		latido(t, "generate", "rules", "-domain", source, "-out", rules)
		var b strings.Builder
		fmt.Fprintf(&b, "rule_files: [%q]\nevaluation_interval: 1m\ntests:\n", rules)
		for _, s := range shares {
			if s.slo != slo {
				continue
			}
			of100 := cmp.Or(s.of100, 90)
			bad, good := of100/5, (100-of100)/5 // a minute, so many in five
			for what, values := range map[string][2]string{
				"one request at night":  {"0x30 1x60", "0x90"},
				"three in an hour":      {"0x30 1x20 2x20 3x20", "0x90"},
				"as many as are wrong":  {fmt.Sprintf("0+%dx90", bad), fmt.Sprintf("0+%dx90", good)},
				"as many, and all well": {"0x90", fmt.Sprintf("0+%dx90", bad+good)},
			} {
				want := 0
				if what == "as many as are wrong" && s.of100 > 0 {
					want = 1
				}
				const labels = `job="tienda-api",instance="a",endpoint="/x",method="GET"`
				fmt.Fprintf(&b, "- name: %q\n  interval: 1m\n  input_series:\n", s.alert+": "+s.status+": "+what)
				for status, v := range map[string]string{s.status: values[0], "200": values[1]} {
					fmt.Fprintf(&b, "  - {series: 'tienda_requests_total{%s,status=%q}', values: %q}\n", labels, status, v)
				}
				fmt.Fprintf(&b, "  promql_expr_test:\n  - expr: 'count(max_over_time(ALERTS{alertname=%q,alertstate=\"firing\"}[90m])) or vector(0)'\n    eval_time: 90m\n    exp_samples: [{labels: '{}', value: %d}]\n",
					s.alert, want)
			}
		}
		file := filepath.Join(dir, fmt.Sprintf("%v.test.yaml", slo))
		write(t, file, []byte(b.String()))
		if out, err := servers.Promtool(t, "", "test", "rules", file); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}
