package prom

import (
	"context"
	"log/slog"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// fault is a thing that the store survives, as the attribute reason of
// telemetry.store.faults.
type fault string

const (
	faultDisk    fault = "disk"          // full, not writable, gone
	faultLocked  fault = "locked"        // another process has the folder
	faultCorrupt fault = "corrupt"       // a file that cannot be read
	faultClock   fault = "clock"         // it jumped
	faultSeries  fault = "series_limit"  // samples of series beyond the limit
	faultRule    fault = "rule"          // a rule that was left out, or an evaluation that failed
	faultStorm   fault = "storm"         // alerts of one rule beyond those that are passed on
	faultMemory  fault = "samples_limit" // samples dropped to stay within MaxBytes
)

var allFaults = []fault{faultDisk, faultLocked, faultCorrupt, faultClock, faultSeries, faultRule, faultStorm, faultMemory}

// faults counts them always and logs each kind once, and again after it was
// over. It is safe for concurrent use.
type faults struct {
	log     *slog.Logger
	counter metric.Int64Counter

	mu     sync.Mutex
	counts map[fault]int
	said   map[string]bool
}

func newFaults(m metric.Meter, log *slog.Logger) (*faults, error) {
	c, err := m.Int64Counter("telemetry.store.faults", metric.WithUnit("{fault}"),
		metric.WithDescription("What the embedded store survived: a full disk, a corrupt file, a clock that jumped, series beyond the limit, a rule that failed."))
	if err != nil {
		return nil, err
	}
	f := &faults{log: log, counter: c, counts: map[fault]int{}, said: map[string]bool{}}
	for _, r := range allFaults { // from 0 on, or the first increase is lost
		f.count(r, 0)
	}
	return f, nil
}

// count adds n without a word.
func (f *faults) count(r fault, n int) {
	f.mu.Lock()
	f.counts[r] += n
	first := n > 0 && !f.said[string(r)]
	if first && r == faultSeries {
		f.said[string(r)] = true
	}
	f.mu.Unlock()
	f.counter.Add(context.Background(), int64(n), metric.WithAttributes(attribute.String("reason", string(r))))
	if first && r == faultSeries {
		f.log.Warn("there are more series than the store takes; those beyond are dropped, and counted in telemetry.store.faults")
	}
}

// add counts one and says what it is, once for each what.
func (f *faults) add(r fault, what string, err error, args ...any) {
	f.count(r, 1)
	key := string(r) + what
	f.mu.Lock()
	said := f.said[key]
	f.said[key] = true
	f.mu.Unlock()
	if said {
		return
	}
	if err != nil {
		args = append(args, "err", err)
	}
	f.log.Warn("embedded store: "+what, args...)
}

// over lets what be said again the next time.
func (f *faults) over(r fault, what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.said, string(r)+what)
}

// of is how many there were.
func (f *faults) of(r fault) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[r]
}
