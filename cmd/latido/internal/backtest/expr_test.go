package backtest

import (
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
)

// TestBacktestExpressions puts recording rules in the place of what they
// record, in whatever expression reads it.
func TestBacktestExpressions(t *testing.T) {
	t.Parallel()
	rules := []alerting.Rule{
		{Record: "tienda:bad:rate", Expr: "sum(rate(tienda_bad_total[5m]))", Labels: map[string]string{"slo": "a"}},
		{Record: "tienda:bad:rate", Expr: "sum(rate(tienda_worse_total[5m]))", Labels: map[string]string{"slo": "b"}},
		{Record: "tienda:bad:ratio", Expr: `tienda:bad:rate{slo="a"} / 2`},
		{Record: "tienda:ever", Expr: "tienda:ever + 1"},
	}
	const a = `(label_replace(sum(rate(tienda_bad_total[5m])), "slo", "a", "", ""))`
	const b = `label_replace(sum(rate(tienda_worse_total[5m])), "slo", "b", "", "")`
	for text, want := range map[string]string{
		`tienda_good > 1`:                                          `tienda_good > 1`,
		`tienda:bad:rate{slo="a"} > 1`:                             a + ` > 1`,
		`sum by (slo) (tienda:bad:rate)`:                           `sum by (slo) ((` + a[1:len(a)-1] + ` or ` + b + `))`,
		`-tienda:bad:rate{slo=~"a|c"}`:                             `-` + a,
		`max_over_time(tienda:bad:rate{slo="a"}[1h])`:              `max_over_time(` + a + `[1h:15s])`,
		`topk(2, (tienda:bad:ratio))`:                              `topk(2, ((` + a + ` / 2)))`,
		`quantile_over_time(0.5, tienda:bad:rate{slo="a"}[1h:1m])`: `quantile_over_time(0.5, ` + a + `[1h:1m])`,
		`tienda:bad:rate{slo="c"}`:                                 `tienda:bad:rate{slo="c"}`, // nobody records it
		`tienda:bad:rate{slo="a",job="x"}`:                         `the filter job="x" is on labels that only the recorded series has`,
		`tienda:bad:rate{slo="a"} offset 5m`:                       `cannot be computed for another time`,
		`tienda:ever`:                                              `recording rules read one another`,
		`tienda:bad:rate{`:                                         `not PromQL`,
	} {
		t.Run(text, func(t *testing.T) {
			p := replay{d: domain.Domain{Prefix: "tienda"}, rules: rules, recorded: map[string]bool{}}
			for _, s := range append(readBy(text), `tienda:bad:rate{slo="a"}`, `tienda:ever`) {
				p.recorded[s] = false
			}
			expr, err := p.withRecords(t.Context(), text, 15*time.Second)
			if err != nil {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %s", err, want)
				}
				return
			}
			if got := expr.String(); got != want {
				t.Errorf("%s\nwant %s", got, want)
			}
		})
	}
}
