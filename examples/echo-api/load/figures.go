package load

import (
	"math"
	"slices"
	"strings"
	"time"
)

// figures are what came of the requests to one endpoint: a fixed number of
// counters, however long the generator runs.
type figures struct {
	Endpoint // without its percentiles
	slots    [durationSlots]int64
}

// Durations are counted in slots that grow by 5 %, from 50 microseconds to
// some minutes, so that a percentile is off by no more than that.
const (
	durationSlots = 320
	firstDuration = 50 * time.Microsecond
	slotGrowth    = 1.05
)

func slot(d time.Duration) int {
	if d <= firstDuration {
		return 0
	}
	return min(int(math.Ceil(math.Log(float64(d)/float64(firstDuration))/math.Log(slotGrowth))), durationSlots-1)
}

func (f *figures) percentile(p float64) time.Duration {
	rank := int64(math.Ceil(p / 100 * float64(f.Requests)))
	if rank == 0 {
		return 0
	}
	for i, n := range f.slots {
		if rank -= n; rank <= 0 {
			return time.Duration(float64(firstDuration) * math.Pow(slotGrowth, float64(i)))
		}
	}
	return 0
}

func (g *Generator) record(endpoint string, took time.Duration, status int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.figures[endpoint]
	if f == nil {
		f = &figures{Endpoint: Endpoint{Name: endpoint}}
		g.figures[endpoint] = f
	}
	f.Requests++
	f.slots[slot(took)]++
	switch {
	case err != nil:
		f.Failed++
	case status >= 500:
		f.ServerErrors++
	case status >= 400:
		f.ClientErrors++
	}
}

// Summary is what came of the requests so far.
type Summary struct {
	Endpoints []Endpoint // sorted by name
	Skipped   int64      // not sent, because too many were in flight
}

// Endpoint is what came of the requests to one endpoint, as a client sees it.
type Endpoint struct {
	Name         string // POST /pedidos
	Requests     int64
	ClientErrors int64 // 4xx
	ServerErrors int64 // 5xx
	Failed       int64 // without an answer
	P50, P95     time.Duration
}

// Summary returns the figures so far. It is safe for concurrent use.
func (g *Generator) Summary() Summary {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := Summary{Skipped: g.skipped.Load()}
	for _, f := range g.figures {
		e := f.Endpoint
		e.P50, e.P95 = f.percentile(50), f.percentile(95)
		s.Endpoints = append(s.Endpoints, e)
	}
	slices.SortFunc(s.Endpoints, func(a, b Endpoint) int { return strings.Compare(a.Name, b.Name) })
	return s
}
