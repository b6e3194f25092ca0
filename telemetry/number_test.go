package telemetry

import (
	"math"
	"sync"
	"testing"

	"github.com/latido-dev/latido/domain"
)

// TestSumsDoNotOverflow adds up more than 64 bits hold: a counter never falls,
// and what is left out is counted.
func TestSumsDoNotOverflow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		add     []int64
		want    float64
		refused float64
	}{
		"twice the most":      {[]int64{math.MaxInt64, math.MaxInt64}, math.MaxInt64, 1},
		"three times":         {[]int64{math.MaxInt64, math.MaxInt64, math.MaxInt64}, math.MaxInt64, 2},
		"one beyond":          {[]int64{math.MaxInt64, 1}, math.MaxInt64, 0},
		"a crazy one":         {[]int64{7, math.MaxInt64, 5}, 12, 1},
		"just fits":           {[]int64{1 << 62, 1<<62 - 1}, math.MaxInt64, 0},
		"large ones that fit": {[]int64{1 << 40, 1 << 24, 1<<24 - 1}, 1<<40 + 1<<25 - 1, 0},
		"negative":            {[]int64{3, -1, math.MinInt64}, 3, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tel := start(t)
			web := tel.Counter("pedidos_procesados").With("canal", "web")
			for _, n := range c.add {
				web.Add(n)
			}
			scrape(t, tel).want(t, series{`tienda_pedidos_procesados_total{canal="web"}`: c.want, refused("number"): c.refused})
		})
	}
	for name, c := range map[string]struct {
		add     []int64
		want    float64
		refused float64
	}{
		"up and up":     {[]int64{math.MaxInt64, math.MaxInt64}, 0, 2},
		"down and down": {[]int64{math.MinInt64, -1, math.MinInt64}, -1, 2},
		"large":         {[]int64{1 << 60, 1 << 60, 1 << 60}, 1 << 61, 1},
		"the most":      {[]int64{maxLevel, 1 << 32}, maxLevel, 1},
		"the least":     {[]int64{-maxLevel, -1 << 32}, -maxLevel, 1},
		"back again":    {[]int64{1 << 60, -1 << 60, -1 << 31, 5}, 5 - 1<<31, 0},
	} {
		t.Run("updown "+name, func(t *testing.T) {
			t.Parallel()
			tel := start(t)
			web := tel.UpDown("carritos_activos").With("canal", "web")
			for _, n := range c.add {
				web.Add(n)
			}
			scrape(t, tel).want(t, series{`tienda_carritos_activos{canal="web"}`: c.want, refused("number"): c.refused})
		})
	}
}

// TestLargeNumbersTogether loses no large addition beside small ones.
func TestLargeNumbersTogether(t *testing.T) {
	t.Parallel()
	tel := start(t)
	up, web := tel.UpDown("carritos_activos").With("canal", "web"), tel.Counter("pedidos_procesados").With("canal", "web")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				web.Add(1)
				web.Add(1 << 30)
				up.Add(-1)
				up.Add(1 << 35)
			}
		})
	}
	wg.Wait()
	scrape(t, tel).want(t, series{
		`tienda_pedidos_procesados_total{canal="web"}`: 8000 + 8000<<30, `tienda_carritos_activos{canal="web"}`: 8000<<35 - 8000, refused("number"): 0,
	})
}

// TestNegativeValues: a sum that falls reads as a restart, so a value below 0 is
// taken only where a bound says that there are such values.
func TestNegativeValues(t *testing.T) {
	t.Parallel()
	histogram := func(buckets ...float64) func(*Config) {
		return func(c *Config) {
			c.Domain.Events = []domain.Event{{Name: "saldo", Kind: domain.KindHistogram, Buckets: buckets}}
		}
	}
	for name, c := range map[string]struct {
		buckets         []float64
		count, sum, bad float64
	}{
		"default buckets":  {nil, 3, 1000.5, 3},
		"positive buckets": {[]float64{10, 100}, 3, 1000.5, 3},
		"a negative bound": {[]float64{-10, 100}, 6, 1000.5 - 700 - 0.5 - 1<<40, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tel, _ := startTraced(t, histogram(c.buckets...))
			plain := start(t, histogram(c.buckets...))
			for _, tel := range []*Telemetry{tel, plain} {
				h := tel.Histogram("saldo").With()
				for _, v := range []float64{1000, -700, math.Copysign(0, -1), 0.5, -0.5, -1 << 40} {
					h.Record(t.Context(), v)
				}
				scrape(t, tel).want(t, series{"tienda_saldo_count": c.count, "tienda_saldo_sum": c.sum, refused("number"): c.bad})
			}
		})
	}
}

// The largest number that a histogram takes, and the next one.
func TestLargestNumber(t *testing.T) {
	t.Parallel()
	tel := start(t)
	value := tel.Histogram("valor_pedido").With()
	for _, v := range []float64{maxNumber, math.Nextafter(maxNumber, math.Inf(1))} {
		value.Record(t.Context(), v)
	}
	scrape(t, tel).want(t, series{"tienda_valor_pedido_COP_count": 1, "tienda_valor_pedido_COP_sum": maxNumber, refused("number"): 1})
}
