package alerting

import (
	"strings"
	"testing"
)

// Whichever way an objective says which requests are good, the bad ones are the
// others.
func TestBadIsWhatIsNotGood(t *testing.T) {
	t.Parallel()
	for good, bad := range map[string]string{
		"200":   `status!="200"`,
		"=200":  `status!="200"`,
		"!=500": `status="500"`,
		"=~2..": `status!~"2.."`,
		"!~5..": `status=~"5.."`,
	} {
		d := parse(t, base+"slos: [{name: a, objective: 99, good: {status: \""+good+"\"}, where: {endpoint: /pay}}]\n")
		seen := 0
		for _, r := range Rules(d, Options{}) {
			if !strings.Contains(r.Record, ":slo_errors:increase") || strings.HasPrefix(r.Expr, "sum_over_time") { // of those that are counted
				continue
			}
			seen++
			counted, _, _ := strings.Cut(r.Expr, " or 0 * ")
			if !strings.Contains(counted, `{endpoint="/pay",`+bad+"}") {
				t.Errorf("good is %s: the bad ones are %s, want %s", good, counted, bad)
			}
		}
		if seen == 0 {
			t.Errorf("good is %s: nothing counts the bad ones", good)
		}
	}
}
