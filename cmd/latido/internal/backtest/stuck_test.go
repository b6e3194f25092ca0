package backtest

import (
	"slices"
	"testing"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
)

// TestAFigureOfHowManyIsNeverNegative has requests come and go: the lowest number
// in flight is then below what the durations add up to.
func TestAFigureOfHowManyIsNeverNegative(t *testing.T) {
	t.Parallel()
	p := newPast(t, 10*time.Second, 10*time.Minute, `  tienda_active_requests{job="tienda-api",instance="a"} 0 4 2 0 4 2 0 4 2 0+0x60
  tienda_response_duration_seconds_sum{job="tienda-api",instance="a",method="GET",endpoint="/x"} 0+20x69
`)
	all := alerting.Rules(domain.Domain{Prefix: "tienda", App: "tienda-api"}, alerting.Options{})
	i := slices.IndexFunc(all, func(r alerting.Rule) bool { return r.Alert == "RequestsStuck" })
	if i < 0 {
		t.Fatal("there is no rule RequestsStuck")
	}
	q, err := p.engine.NewInstantQuery(t.Context(), p.storage, nil, all[i].Value, p.now)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	answer, err := q.Exec(t.Context()).Vector()
	if err != nil || len(answer) != 1 || answer[0].F != 0 {
		t.Errorf("%s says %v, %v; want 0", all[i].Value, answer, err)
	}
}
