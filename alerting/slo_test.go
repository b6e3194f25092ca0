package alerting

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/domain"
)

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
