package cause

import (
	"testing"
	"time"

	"github.com/latido-dev/latido/domain"
)

// TestExcess: of two instances the one that got worse has the excess, whatever
// the alert is about; one that only has more traffic has none of it.
func TestExcess(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_000_000, 0)
	// each is a figure of a time before, of 5 minutes, and of as much after it.
	counter := func(name string, labels map[string]string, before, after float64) Series {
		s := Series{Name: name, Labels: labels}
		v := 0.0
		for i := range 121 {
			s.Points = append(s.Points, Point{start.Add(time.Duration(i) * 5 * time.Second), v})
			if i < 60 {
				v += 5 * before
			} else {
				v += 5 * after
			}
		}
		return s
	}
	gauge := func(name string, before, after float64) Series {
		s := Series{Name: name}
		for i := range 121 {
			v := before
			if i > 60 {
				v = after
			}
			s.Points = append(s.Points, Point{start.Add(time.Duration(i) * 5 * time.Second), v})
		}
		return s
	}
	shop := domain.Domain{Prefix: "tienda", Entity: "pedido", Events: []domain.Event{{Name: "reservas", Attributes: map[string][]string{"canal": {"web", "app"}}}}}
	orders := map[string]string{"method": "GET", "endpoint": "/orders", "status": "200"}
	failed := map[string]string{"method": "GET", "endpoint": "/orders", "status": "500"}
	route := map[string]string{"method": "GET", "endpoint": "/orders"}
	for name, c := range map[string]struct {
		metric, expr string // of an event, the alert is about canal=web
		bad, good    []Series
	}{
		"latency": {"response_duration", "", []Series{counter("tienda_requests_total", orders, 10, 10), counter("tienda_response_duration_seconds_count", route, 10, 10), counter("tienda_response_duration_seconds_sum", route, 0.1, 5)},
			[]Series{counter("tienda_requests_total", orders, 10, 20), counter("tienda_response_duration_seconds_count", route, 10, 20), counter("tienda_response_duration_seconds_sum", route, 0.1, 0.2)}},
		"requests that never end": {"response_duration", "", []Series{gauge("tienda_active_requests", 1, 40)}, []Series{gauge("tienda_active_requests", 1, 1)}},
		"failures": {"requests", `tienda_requests_total{status=~"5.."}`, []Series{counter("tienda_requests_total", orders, 10, 5), counter("tienda_requests_total", failed, 0, 5)},
			[]Series{counter("tienda_requests_total", orders, 10, 30), counter("tienda_requests_total", failed, 0, 0)}},
		"cpu":        {"cpu_usage", "", []Series{counter("tienda_process_cpu_time_seconds_total", nil, 0.1, 1)}, []Series{counter("tienda_process_cpu_time_seconds_total", nil, 0.1, 0.1)}},
		"goroutines": {"go_goroutine_count", "", []Series{gauge("tienda_go_goroutine_count", 10, 5000)}, []Series{gauge("tienda_go_goroutine_count", 10, 10)}},
		"an event": {"reservas", "", []Series{counter("tienda_reservas_total", map[string]string{"canal": "web"}, 10, 0), counter("tienda_reservas_total", map[string]string{"canal": "app"}, 5, 5)},
			[]Series{counter("tienda_reservas_total", map[string]string{"canal": "web"}, 10, 10), counter("tienda_reservas_total", map[string]string{"canal": "app"}, 5, 0)}},
		"traffic": {"requests", "tienda_requests_total", []Series{counter("tienda_requests_total", orders, 10, 0)}, []Series{counter("tienda_requests_total", orders, 10, 10)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			of := func(series []Series) float64 {
				in := Input{Domain: shop, Now: start.Add(10 * time.Minute), Series: series, Alert: Alert{Name: "A", Labels: map[string]string{"canal": "web"}, Metric: c.metric, Expr: c.expr, ActiveAt: start.Add(6 * time.Minute)}}
				in.Times = Times{Range{start, start.Add(5 * time.Minute)}, Range{start.Add(5 * time.Minute), start.Add(10 * time.Minute)}}
				return Excess(in)
			}
			if bad, good := of(c.bad), of(c.good); bad <= 0 || good > bad/100 {
				t.Errorf("%v of the bad one, %v of the good one", bad, good)
			}
		})
	}
}
