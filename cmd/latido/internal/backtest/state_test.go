package backtest

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	engine "github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
)

// TestBacktestEpisodes holds the state machine against Prometheus' own, on
// conditions that come and go at random, for each pending time and each time
// of going on.
func TestBacktestEpisodes(t *testing.T) {
	t.Parallel()
	const n = 300
	random := rand.New(rand.NewPCG(1, 2))
	for _, hold := range []time.Duration{0, time.Second, 15 * time.Second, 40 * time.Second, time.Minute} {
		for _, keep := range []time.Duration{0, time.Second, 15 * time.Second, 40 * time.Second, 2 * time.Minute} {
			for _, step := range []time.Duration{time.Second, 15 * time.Second, time.Minute} {
				t.Run(fmt.Sprint("for ", hold, ", keep ", keep, ", every ", step), func(t *testing.T) {
					for range 20 {
						var held []int
						holds, change := false, 1+random.IntN(12)
						for i := range n {
							if random.IntN(change) == 0 {
								holds = !holds
							}
							if holds {
								held = append(held, i)
							}
						}
						got, want := episodes(held, n, step, hold, keep), prometheusEpisodes(t, held, n, step, hold, keep)
						if !slices.Equal(got, want) {
							t.Fatalf("held at %v\ngot  %v\nwant %v", held, got, want)
						}
					}
				})
			}
		}
	}
}

// prometheusEpisodes are those of Prometheus' alerting rule.
func prometheusEpisodes(t *testing.T, held []int, n int, step, hold, keep time.Duration) []episode {
	t.Helper()
	rule := rules.NewAlertingRule("Alert", &parser.NumberLiteral{Val: 1}, hold, keep, labels.EmptyLabels(), labels.EmptyLabels(), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
	var all []episode
	fires := false
	for i := range n {
		query := func(_ context.Context, _ string, at time.Time) (engine.Vector, error) {
			if _, there := slices.BinarySearch(held, i); !there {
				return nil, nil
			}
			return engine.Vector{{T: at.UnixMilli(), F: 1, Metric: labels.FromStrings("job", "tienda-api")}}, nil
		}
		if _, err := rule.Eval(t.Context(), 0, time.Unix(0, 0).Add(time.Duration(i)*step), query, nil, 0); err != nil {
			t.Fatal(err)
		}
		firing := slices.ContainsFunc(rule.ActiveAlerts(), func(a *rules.Alert) bool { return a.State == rules.StateFiring })
		switch {
		case firing && !fires:
			all = append(all, episode{from: i, to: n - 1, going: true})
		case fires && !firing:
			all[len(all)-1].to, all[len(all)-1].going = i, false
		}
		fires = firing
	}
	return all
}
