package prom

import (
	"errors"
	"net/url"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/scrape"
)

// retriever tells the API about the one target there is, or about none.
type retriever struct{ x *scraper }

func (r retriever) ScrapePools() []string {
	if r.x == nil {
		return nil
	}
	return r.x.manager.ScrapePools()
}

func (r retriever) TargetsActive() map[string][]*scrape.Target {
	if r.x == nil {
		return nil
	}
	return r.x.manager.TargetsActive()
}

func (r retriever) TargetsDropped() map[string][]*scrape.Target { return nil }

func (r retriever) TargetsDroppedCounts() map[string]int { return nil }

func (r retriever) ScrapePoolConfig(name string) (*config.ScrapeConfig, error) {
	if r.x == nil {
		return nil, errors.New("nothing is scraped")
	}
	return r.x.manager.ScrapePoolConfig(name)
}

// Alerts go to the Alertmanager in the process, which has no address.

func (r retriever) Alertmanagers() []*url.URL { return nil }

func (r retriever) DroppedAlertmanagers() []*url.URL { return nil }
