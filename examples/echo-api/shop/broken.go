package shop

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/examples/echo-api/breaks"
)

// forecastKept is for how long a forecast is kept up to date after the last
// report that asked for it.
const forecastKept = 10 * time.Second

// forecasts are the break "cpu": a forecast that somebody added to the sales
// report, and that nobody measured. It goes on in the background, on all
// cores, for as long as reports ask for it. Go preempts its goroutines, so that
// other requests are slower and not stuck.
type forecasts struct {
	until   atomic.Int64 // Unix nanoseconds
	running atomic.Int64 // goroutines
}

// ask keeps the forecast going. ctx is that of the report, whose endpoint the
// profile then names.
func (f *forecasts) ask(ctx context.Context, broken *breaks.Switch, totals []int64) {
	f.until.Store(time.Now().Add(forecastKept).UnixNano())
	if len(totals) == 0 || !f.running.CompareAndSwap(0, int64(runtime.GOMAXPROCS(0))) {
		return
	}
	ctx = context.WithoutCancel(ctx)
	for range f.running.Load() {
		healed, leave, ok := broken.Enter()
		if !ok {
			f.running.Add(-1)
			continue
		}
		go func() {
			defer leave()
			defer f.running.Add(-1)
			continuous.Region(ctx, "pronostico_ventas", func(context.Context) {
				forecastSales(totals, func() bool { return isClosed(healed) || time.Now().UnixNano() > f.until.Load() })
			})
		}()
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// draws is how many orders forecastSales draws between two looks at whether it
// is still wanted: about a millisecond.
const draws = 1 << 19

// forecastSales draws months of sales from the orders, until it is over, and
// returns the best. What it computes is plausible, and of no use to anybody.
func forecastSales(totals []int64, over func() bool) (best int64) {
	n := uint64(len(totals))
	random := uint64(time.Now().UnixNano()) | 1
	for !over() {
		var month int64
		for range draws { // the generator of salesStatistics
			random ^= random << 13
			random ^= random >> 7
			random ^= random << 17
			month += totals[(random>>32)*n>>32]
		}
		best = max(best, month)
		runtime.Gosched() // a request that waits for a core goes first
	}
	return best
}

// The break "leak": every export of the catalogue leaves leakedEach goroutines
// behind, until there are maxLeaked.
const (
	leakedEach = 100
	maxLeaked  = 20_000
)

// watchPrices would tell an export of prices that change while it is written.
// When it is broken, nobody ever tells the watchers to go.
func (api *API) watchPrices() {
	if !api.Breaks.Leak.On() {
		return
	}
	for range leakedEach {
		if api.watchers.Add(1) > maxLeaked {
			api.watchers.Add(-1)
			return
		}
		healed, leave, ok := api.Breaks.Leak.Enter()
		if !ok {
			api.watchers.Add(-1)
			return
		}
		go func() {
			defer leave()
			defer api.watchers.Add(-1)
			awaitPriceChange(healed)
		}()
	}
}

// awaitPriceChange waits for a change that never comes: what a leak looks like
// in a profile of goroutines.
func awaitPriceChange(changed <-chan struct{}) { <-changed }
