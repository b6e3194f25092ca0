package parcel

import (
	"slices"
	"sync"
	"time"

	"github.com/latido-dev/latido/e2e/faults/fault"
)

// usageKept is how many of the last requests are known.
const usageKept = 2000

// Usage knows how long the last requests of each route took, for the bill.
type Usage struct {
	mu     sync.Mutex
	took   []time.Duration
	median map[string]time.Duration
}

// NewUsage knows nothing yet.
func NewUsage() *Usage { return &Usage{median: map[string]time.Duration{}} }

// Record adds a request.
func (u *Usage) Record(route string, took time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.took) >= usageKept {
		u.took = u.took[1:]
	}
	u.took = append(u.took, took)
	if fault.On("sorts_locked") {
		u.median[route] = u.percentiles()
	}
}

// percentiles are those of a sample as large as a day's.
func (u *Usage) percentiles() time.Duration {
	day := make([]time.Duration, 0, 450_000)
	for i := 0; len(day) < cap(day); i++ {
		day = append(day, u.took[i%len(u.took)]*time.Duration(i*7919%10007))
	}
	slices.Sort(day)
	return day[len(day)/2]
}
