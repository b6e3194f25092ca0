package alerting

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/domain"
)

// TestObjectivesOfVeryMany: the cases that an alert is tried on have as many
// requests as it asks for, however many that is.
func TestObjectivesOfVeryMany(t *testing.T) {
	t.Parallel()
	least := 1_000_000_000
	o := objective{SLO: domain.SLO{Name: "s", Objective: 99.9, MinCount: &least}, window: 30 * 24 * time.Hour, budget: budgetOf(99.9)}
	for _, p := range o.pairs(domain.SeverityPage) {
		for _, c := range o.cases(p) {
			if c.fires && c.requests < float64(least) {
				t.Errorf("%s: fires on %g requests, fewer than min_count", c.name, c.requests)
			}
		}
	}
}

// Where samples are kept for hours, an objective has the windows of hours only,
// and no budget of a month.
func TestWindowsThatAreKept(t *testing.T) {
	t.Parallel()
	d := domain.Domain{
		Prefix: "tienda", DefaultRules: domain.DefaultRules{Disable: []string{"all"}},
		SLOs: []domain.SLO{{Name: "disponibilidad", Objective: 99.9, Good: domain.Good{Status: "!~5.."}}},
	}
	names := func(o Options) (all []string) {
		for _, r := range Rules(d, o) {
			all = append(all, strings.TrimPrefix(r.Alert+r.Record, "tienda:"))
		}
		return all
	}
	whole := names(Options{})
	for kept, lacks := range map[time.Duration][]string{
		31 * 24 * time.Hour: nil,
		7 * 24 * time.Hour:  {"slo_budget_left:ratio"},
		6 * time.Hour:       {"slo_budget_left:ratio", "disponibilidadBurnsSlowly", "slo_requests:increase2h", "slo_requests:increase1d", "slo_requests:increase3d"},
		time.Minute:         whole,
	} {
		got := names(Options{Retention: kept})
		for _, name := range whole {
			if lacking := slices.Contains(lacks, name); lacking && slices.Contains(got, name) {
				t.Errorf("kept for %v: %s is evaluated", kept, name)
			} else if lacks == nil && !slices.Contains(got, name) {
				t.Errorf("kept for %v: %s is left out", kept, name)
			}
		}
	}
	for _, r := range Rules(d, Options{Retention: 6 * time.Hour}) {
		for _, window := range []string{"1d", "3d", "30d"} {
			if strings.Contains(r.Expr, window) {
				t.Errorf("%s%s asks for %s: %s", r.Alert, r.Record, window, r.Expr)
			}
		}
	}
	if fast := names(Options{Fast: true, Retention: 6 * time.Hour}); !slices.Contains(fast, "disponibilidadBurnsSlowly") || slices.Contains(fast, "slo_budget_left:ratio") {
		t.Errorf("a minute in a second: %v", fast) // three days are 72 minutes, a month is twelve hours
	}
}

// A month of every series is not counted anew every 15 seconds: what looks far
// back adds up what was recorded, every few minutes, and what it records is never
// too old for the alerts that read it.
func TestLongWindows(t *testing.T) {
	t.Parallel()
	ranges := regexp.MustCompile(`\[(\w+)(:\w+)?\]`)
	for text, want := range map[string]struct {
		raw     time.Duration // the longest window that is counted from every series
		often   time.Duration // 0 is the server's
		seldom  int           // how many rules are evaluated every two minutes
		longest string
	}{
		"12h":  {time.Hour, 0, 3 + 1 + 1, "12h"}, // three days in a month are 72 minutes
		"7d":   {time.Hour, 0, 3*3 + 1 + 1, "1w"},
		"30d":  {time.Hour, 0, 4*3 + 1 + 1, "30d"},
		"90d":  {3 * time.Hour, 45 * time.Second, 4*3 + 1 + 1, "90d"},
		"365d": {730 * time.Minute, 2 * time.Minute, 4*3 + 1 + 1, "1y"},
	} {
		var window domain.Duration
		if err := window.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		groups := Groups(domain.Domain{
			Prefix: "tienda", DefaultRules: domain.DefaultRules{Disable: []string{"all"}},
			SLOs: []domain.SLO{{Name: "a", Objective: 99.9, Window: window, Good: domain.Good{Status: "!~5.."}}},
		}, Options{})
		if len(groups) != 2 || groups[0].Interval != want.often || groups[1].Interval < time.Minute || groups[1].Interval >= 5*time.Minute || len(groups[1].Rules) != want.seldom {
			t.Errorf("%s: groups are %+v", text, groups)
			continue
		}
		seen := false
		for i, g := range groups {
			for _, r := range g.Rules {
				for _, m := range ranges.FindAllStringSubmatch(r.Expr, -1) {
					var back domain.Duration
					if err := back.UnmarshalText([]byte(m[1])); err != nil {
						t.Fatal(err)
					}
					seen = seen || m[1] == want.longest
					if recorded := i == 1; recorded != (m[2] != "") || !recorded && time.Duration(back) > want.raw {
						t.Errorf("%s: group %s: %s%s looks back %s: %s", text, g.Name, r.Alert, r.Record, m[1], r.Expr)
					}
				}
			}
		}
		if !seen {
			t.Errorf("%s: no rule looks back so far", text)
		}
	}
}
