package prom

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
)

// How far back a rule looks is the longest of its windows, through the series that
// other rules record, of which only so many may build on one another.
func TestWindow(t *testing.T) {
	t.Parallel()
	records := map[string]parser.Expr{}
	parse := func(expr string) parser.Expr {
		e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	records["of_itself"] = parse("of_itself + rate(x[7m])")
	for i := range maxRecordDepth + 2 {
		records[fmt.Sprintf("chain%d", i)] = parse(fmt.Sprintf("chain%d + rate(x[%dm])", i+1, i+1))
	}
	for expr, want := range map[string]time.Duration{
		"x > 1":                             0,
		"rate(x[3m]) > rate(y[5m])":         5 * time.Minute,
		"rate(y[5m]) > rate(x[3m])":         5 * time.Minute,
		"max_over_time(rate(x[1m])[9m:1m])": 9 * time.Minute,
		"of_itself":                         7 * time.Minute,
		"chain0":                            maxRecordDepth * time.Minute,
		"chain0 + rate(x[1h])":              time.Hour,
	} {
		if got := window(parse(expr), records, 0); got != want {
			t.Errorf("%s looks back %v, want %v", expr, got, want)
		}
	}
}

// TestWatch: each alerting rule looks back two of the longest evaluations at least,
// and further with what it reads; what scrapes report of themselves is no scrape.
func TestWatch(t *testing.T) {
	t.Parallel()
	file, err := parseRules([]byte(`groups:
- name: a
  interval: 10s
  rules:
  - {record: "a:rate", expr: "rate(x[7m])"}
  - {alert: Level, expr: x > 1}
  - {alert: Rate, expr: "rate(x[5m]) > 1"}
  - {alert: Record, expr: "a:rate > 1"}
  - {alert: Down, expr: up == 0}
  - {alert: Always, expr: vector(1)}
- name: b
  interval: 40s
  rules:
  - {alert: Slow, expr: y > 1}
`))
	if err != nil {
		t.Fatal(err)
	}
	manager := rules.NewManager(&rules.ManagerOptions{Context: t.Context(), GroupLoader: parsed{file}, Logger: slog.New(slog.DiscardHandler), Parser: promQL})
	groups, errs := manager.LoadGroups(time.Second, labels.EmptyLabels(), "", nil, false, rulesName)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	got := map[string]string{}
	for _, w := range watch(slices.Collect(maps.Values(groups))) {
		got[w.rule.Name()] = fmt.Sprint(w.window, " ", w.scraped)
	}
	want := map[string]string{"Level": "1m20s true", "Rate": "5m0s true", "Record": "7m0s true", "Down": "1m20s false", "Always": "1m20s false", "Slow": "1m20s true"}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
