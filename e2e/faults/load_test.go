package faults

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	usualRate    = 40.0            // requests a second
	usualTimeout = 5 * time.Second // of a client
	mostInFlight = 3000
)

// traffic is what the clients do. A change is a new traffic.
type traffic struct {
	rate    float64
	timeout time.Duration
	weights map[string]int // by kind of request
	pieces  map[string]int // in a shipment, by customer; 0 means a few
	empty   bool           // a list in five is that of a customer without shipments
	png     bool           // all labels are in the format that is printed
}

func usual() traffic {
	return traffic{rate: usualRate, timeout: usualTimeout, weights: map[string]int{
		"quote": 15, "book": 15, "list": 10, "track": 20, "scan": 15, "depot": 10, "manifest": 5, "label": 10,
	}}
}

// load is an open loop: it sends at its rate, however slow the answers are.
type load struct {
	url     string
	client  *http.Client
	now     atomic.Pointer[traffic]
	flights atomic.Int64

	mu       sync.Mutex
	statuses map[string]int // by kind and status
}

// startLoad sends until the test ends.
func startLoad(t testing.TB, url string) *load {
	l := &load{url: url, statuses: map[string]int{}, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 200, IdleConnTimeout: 30 * time.Second}}}
	l.change(usual())
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { l.run(ctx, &running) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		l.client.CloseIdleConnections()
	})
	return l
}

func (l *load) change(tr traffic) { l.now.Store(&tr) }

func (l *load) run(ctx context.Context, running *sync.WaitGroup) {
	random := rand.New(rand.NewPCG(1, 2))
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	due, last := 0.0, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		tr := l.now.Load()
		due += tr.rate * time.Since(last).Seconds()
		last = time.Now()
		for ; due >= 1; due-- {
			kind := pick(random, tr.weights)
			method, path, body := request(random, tr, kind)
			if l.flights.Load() < mostInFlight {
				l.flights.Add(1)
				running.Go(func() { l.send(ctx, tr.timeout, kind, method, path, body) })
			}
		}
	}
}

// kinds are in an order, so that two runs send the same.
var kinds = []string{"quote", "book", "list", "track", "scan", "depot", "manifest", "label"}

func pick(random *rand.Rand, weights map[string]int) string {
	sum := 0
	for _, k := range kinds {
		sum += weights[k]
	}
	n := random.IntN(sum)
	for _, k := range kinds {
		if n -= weights[k]; n < 0 {
			return k
		}
	}
	return ""
}

var (
	customers = []string{"acme", "borealis", "corvus", "delphi", "ellora"}
	depots    = []string{"north", "south", "east", "west"}
)

func request(random *rand.Rand, tr *traffic, kind string) (method, path, body string) {
	one := func(all []string) string { return all[random.IntN(len(all))] }
	code := fmt.Sprintf("P%07d", random.IntN(12_000))
	switch kind {
	case "quote":
		return "GET", fmt.Sprintf("/quotes?from=zone-01&to=zone-%02d&kg=%d", random.IntN(40), 1+random.IntN(20)), ""
	case "book":
		customer := one(customers)
		n := 1 + random.IntN(4)
		if tr.pieces[customer] > 0 {
			n = tr.pieces[customer]
		}
		var pieces strings.Builder
		for i := range n {
			fmt.Fprintf(&pieces, `,{"reference":"R%06d","kg":%d}`, i, 1+random.IntN(9))
		}
		return "POST", "/shipments", fmt.Sprintf(`{"customer":%q,"zone":"zone-%02d","address":"%d  Main street no. 7","pieces":[%s]}`,
			customer, random.IntN(40), random.IntN(999), pieces.String()[1:])
	case "list":
		if tr.empty && random.IntN(5) == 0 {
			return "GET", "/customers/newcomer/shipments", ""
		}
		return "GET", "/customers/" + one(customers) + "/shipments", ""
	case "track":
		return "GET", "/track/" + code, ""
	case "scan":
		return "POST", "/scans", fmt.Sprintf(`{"shipment":%q,"depot":%q}`, code, one(depots))
	case "depot":
		return "GET", "/depots/" + one(depots) + "/load", ""
	case "manifest":
		return "GET", "/depots/" + one(depots) + "/manifest", ""
	}
	format := "png"
	if !tr.png && random.IntN(10) == 0 {
		format = "zpl"
	}
	return "POST", "/labels", fmt.Sprintf(`{"code":%q,"format":%q}`, code, format)
}

func (l *load) send(ctx context.Context, timeout time.Duration, kind, method, path, body string) {
	defer l.flights.Add(-1)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, l.url+path, strings.NewReader(body))
	if err != nil {
		return
	}
	status := "none"
	if response, err := l.client.Do(r); err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		status = response.Status[:3]
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.statuses[kind+" "+status]++
}

// answered is what came of the requests since the last call.
func (l *load) answered() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := l.statuses
	l.statuses = map[string]int{}
	return seen
}
