package prom

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
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
