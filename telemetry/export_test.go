package telemetry

import (
	"fmt"
	"testing"
	"time"
)

// Handlers of a service are its own code, and functions of this package are
// not: tests that need the one to be told from the other are outside of it.

// Started is a Telemetry without a listener that ends with its test.
func Started(t testing.TB, change ...func(*Config)) *Telemetry { return start(t, change...) }

// Told are the log's lines with a text in them.
func Told(tel *Telemetry, text string) []string { return journalOf(tel).told(text) }

// Scraped is what /metrics serves of one family.
func Scraped(t testing.TB, tel *Telemetry, family string) map[string]float64 {
	return scrape(t, tel).of(family)
}

// ReadCosts begins to read what events cost, and returns the function that
// ends it, with the costs by event: in CPU seconds and bytes, nil for unknown.
func ReadCosts(tel *Telemetry) func() (cpu, allocated map[string]*float64) {
	c := tel.newCosts()
	return func() (cpu, allocated map[string]*float64) {
		c.read(time.Now(), time.Hour)
		cpu, allocated = map[string]*float64{}, map[string]*float64{}
		for i, cost := range c.last {
			cpu[c.events[i].event.Key], allocated[c.events[i].event.Key] = cost.cpu, cost.allocated
		}
		return cpu, allocated
	}
}

// Sites counts n failures of as many places, by the name that each counts under.
func Sites(t testing.TB, n int) map[string]int {
	fs, counts := &failures{}, map[string]int{}
	for i := range n {
		counts[fs.name(fs.numberOf(fmt.Sprintf("place %d", i)))]++
	}
	return counts
}
