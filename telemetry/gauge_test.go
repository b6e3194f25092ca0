package telemetry

import (
	"context"
	"fmt"
	"math"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/latido-dev/latido/domain"
)

// withGauges is the shop with two gauges.
func withGauges(c *Config) {
	c.Domain.Events = append(c.Domain.Events,
		domain.Event{Name: "nivel_tanque", Kind: domain.KindGauge, Unit: "%", Attributes: map[string][]string{"tanque": {"norte", "sur"}}},
		domain.Event{Name: "cola", Kind: domain.KindGauge, Unit: "{pedido}"})
}

// TestGauge sets levels. A series that was never set is not there: what is not
// known is not 0.
func TestGauge(t *testing.T) {
	t.Parallel()
	tel := start(t, withGauges)
	north, south := tel.Gauge("nivel_tanque").With("tanque", "norte"), tel.Gauge("nivel_tanque").With("tanque", "sur")
	scrape(t, tel).of("tienda_nivel_tanque_percent").wantOnly(t, series{})
	north.Set(81.5)
	north.Set(-3.25)
	scrape(t, tel).of("tienda_nivel_tanque_percent").wantOnly(t, series{`tienda_nivel_tanque_percent{tanque="norte"}`: -3.25})
	south.Set(0)
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		north.Set(v)
	}
	tel.Gauge("nivel_tanque").With("tanque", "este").Set(7) // undeclared
	tel.Gauge("cola").With().Set(math.MaxFloat64)
	all := scrape(t, tel)
	all.of("tienda_nivel_tanque_percent").wantOnly(t, series{
		`tienda_nivel_tanque_percent{tanque="norte"}`: -3.25, `tienda_nivel_tanque_percent{tanque="sur"}`: 0, `tienda_nivel_tanque_percent{tanque="_other"}`: 7,
	})
	all.want(t, series{"tienda_cola": math.MaxFloat64, refused("number"): 3, refused("value"): 1})

	tel.Count("cola") // needs a value
	tel.UpDown("cola").With().Add(1)
	tel.Gauge("carritos_activos").With().Set(1)
	scrape(t, tel).want(t, series{refused("event"): 3, "tienda_cola": math.MaxFloat64})
	wantTold(t, journalOf(tel), "event=carritos_activos declared=updown used=gauge")

	for _, nothing := range []*Gauge{nil, {}, (*Telemetry)(nil).Gauge("cola"), new(Telemetry).Gauge("cola"), tel.Gauge("ninguno")} {
		nothing.With("a", "b").Set(1)
		nothing.With().Observe(func(context.Context) float64 { return 1 })
	}
}

// TestGaugePushed gives gauges to OTLP as to /metrics.
func TestGaugePushed(t *testing.T) {
	t.Parallel()
	tel := start(t, withGauges)
	tel.Gauge("nivel_tanque").With("tanque", "norte").Set(40)
	tel.Gauge("cola").With().Observe(func(context.Context) float64 { return 12 })
	p := &producer{families: tel.families}
	scopes, err := p.Produce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, m := range scopes[0].Metrics {
		got[m.Name] = fmt.Sprintf("%T %s %d", m.Data, m.Unit, points(m.Data))
	}
	const gauge = "metricdata.Gauge[float64]"
	if got["tienda.nivel_tanque"] != gauge+" % 1" || got["tienda.cola"] != gauge+" {pedido} 1" {
		t.Errorf("got %q and %q", got["tienda.nivel_tanque"], got["tienda.cola"])
	}
}

// TestObservedGauge has callbacks tell the level, of which some are bad: each
// costs its own series and nothing else.
func TestObservedGauge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tel := start(t, withGauges)
		north, south, other := tel.Gauge("nivel_tanque").With("tanque", "norte"), tel.Gauge("nivel_tanque").With("tanque", "sur"), tel.Gauge("nivel_tanque").With()
		queue := tel.Gauge("cola").With()
		level, hang, ended := 5.0, make(chan struct{}), make(chan struct{})
		north.Observe(func(context.Context) float64 { return level })
		south.Set(1)
		south.Observe(func(context.Context) float64 { panic("no sensor") })
		other.Observe(func(context.Context) float64 { return math.NaN() })
		queue.Observe(func(ctx context.Context) float64 {
			defer close(ended)
			<-ctx.Done() // it ends with the time that there is
			<-hang
			return 99
		})
		scrape(t, tel).want(t, series{
			`tienda_nivel_tanque_percent{tanque="norte"}`: 5, refused("number"): 1,
			`tienda_telemetry_collect_errors_total{reason="panic"}`: 1, `tienda_telemetry_collect_errors_total{reason="timeout"}`: 1,
		})
		level = 6
		all := scrape(t, tel) // does not wait again
		all.of("tienda_nivel_tanque_percent").wantOnly(t, series{`tienda_nivel_tanque_percent{tanque="norte"}`: 6})
		all.of("tienda_cola").wantOnly(t, series{})
		wantTold(t, journalOf(tel), "no sensor")

		close(hang)
		<-ended
		scrape(t, tel).of("tienda_cola").wantOnly(t, series{}) // what came too late is no level of now

		south.Observe(nil)
		scrape(t, tel).of("tienda_nivel_tanque_percent").wantOnly(t, series{`tienda_nivel_tanque_percent{tanque="norte"}`: 6})
		south.Set(2)
		north.Observe(nil)
		scrape(t, tel).of("tienda_nivel_tanque_percent").wantOnly(t, series{`tienda_nivel_tanque_percent{tanque="sur"}`: 2})
	})
}

// TestObservedGaugesAreFew bounds the goroutines of a collection.
func TestObservedGaugesAreFew(t *testing.T) {
	t.Parallel()
	values := make([]string, maxObserved+10)
	for i := range values {
		values[i] = fmt.Sprint("v", i)
	}
	tel := start(t, func(c *Config) {
		c.Domain.Events = []domain.Event{{Name: "cola", Kind: domain.KindGauge, Attributes: map[string][]string{"a": values}}}
	})
	for _, v := range values {
		tel.Gauge("cola").With("a", v).Observe(func(context.Context) float64 { return 1 })
	}
	tel.Gauge("cola").With("a", "v3").Observe(func(context.Context) float64 { return 2 }) // takes the place of one
	all := scrape(t, tel)
	if n := len(all.of("tienda_cola")); n != maxObserved {
		t.Errorf("%d series, want %d", n, maxObserved)
	}
	all.want(t, series{`tienda_cola{a="v3"}`: 2, refused("number"): 10})
	wantTold(t, journalOf(tel), "too many observed gauges")
}

// TestGaugeAllocates nothing where the series is known.
func TestGaugeAllocates(t *testing.T) {
	tel := start(t, withGauges)
	north := tel.Gauge("nivel_tanque").With("tanque", "norte")
	if n := testing.AllocsPerRun(100, func() { north.Set(3) }); n != 0 {
		t.Errorf("Set allocates %v times", n)
	}
}

// points is how many series a metric has.
func points(data metricdata.Aggregation) int {
	if g, ok := data.(metricdata.Gauge[float64]); ok {
		return len(g.DataPoints)
	}
	return -1
}
