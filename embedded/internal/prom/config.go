package prom

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/prometheus/rules"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/latido-dev/latido/embedded/alert"
)

// Config says what Start starts. Its zero value scrapes nothing and evaluates
// nothing: a store in memory that can be queried.
type Config struct {
	// Dir is the folder of the data. Empty keeps all in memory. One that cannot
	// be used costs a warning, and then all is kept in memory as well.
	Dir string
	// Retention is how far back samples are kept. 0 means 6 hours.
	Retention time.Duration
	// MaxBytes bounds what is on disk, logs included; in memory it bounds the
	// samples kept. 0 means 64 MiB.
	MaxBytes int64
	// MaxSeries bounds the series. What a scrape has beyond them is dropped and
	// counted. 0 means 20,000.
	MaxSeries int

	// ScrapeInterval is the time between two scrapes of Metrics. 0 means 5
	// seconds.
	ScrapeInterval time.Duration
	// EvaluationInterval is the time between two evaluations of a group of rules
	// that says none. 0 means 15 seconds.
	EvaluationInterval time.Duration

	// Job and Instance are the labels of everything that is scraped. Empty means
	// "service" and "localhost".
	Job, Instance string
	// Metrics answers GET /metrics. It is asked over a connection in memory. Nil
	// means that nothing is scraped.
	Metrics http.Handler

	// Rules is a rule file of Prometheus. Empty means no rules.
	Rules []byte
	// WrongRules is how many rules were left out of Rules. They are counted as
	// faults after the first scrape, so that the increase is seen.
	WrongRules int
	// ExternalURL is where people reach Handler, for the links in alerts. Empty
	// leaves them relative.
	ExternalURL string
	// Notify gets alerts that fire, again at least every minute while they do,
	// and alerts that are resolved, in this order for each. It must return at
	// once. Nil means that nobody is told.
	Notify func([]alert.Alert)

	// Meter records what the store says of itself. Nil means nothing.
	Meter metric.Meter
	// Logger says what is wrong, each thing once. Nil means nothing.
	Logger *slog.Logger

	// Seams for tests; nil is the real thing.
	maxLate    time.Duration
	free       func(dir string) (uint64, error)
	breakQuery func(rules.QueryFunc) rules.QueryFunc
}

const (
	defaultRetention = 6 * time.Hour
	defaultMaxBytes  = 64 << 20
	defaultMaxSeries = 20_000
	minMaxBytes      = 1 << 20
)

// withDefaults returns a completed copy, or what is wrong with c.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	duration := func(d *time.Duration, name string, otherwise time.Duration) {
		if *d < 0 {
			errs = append(errs, fmt.Errorf("%s %v: write a positive duration, or 0 for %v", name, *d, otherwise))
		}
		if *d == 0 {
			*d = otherwise
		}
	}
	duration(&c.Retention, "Retention", defaultRetention)
	duration(&c.ScrapeInterval, "ScrapeInterval", 5*time.Second)
	duration(&c.EvaluationInterval, "EvaluationInterval", 15*time.Second)
	c.MaxBytes = cmp.Or(c.MaxBytes, defaultMaxBytes)
	if c.MaxBytes < minMaxBytes {
		errs = append(errs, fmt.Errorf("MaxBytes %d: write at least %d, or 0 for %d", c.MaxBytes, minMaxBytes, defaultMaxBytes))
	}
	c.MaxSeries = cmp.Or(c.MaxSeries, defaultMaxSeries)
	if c.MaxSeries < 0 {
		errs = append(errs, fmt.Errorf("MaxSeries %d: write a positive number, or 0 for %d", c.MaxSeries, defaultMaxSeries))
	}
	if _, err := url.Parse(c.ExternalURL); err != nil {
		errs = append(errs, fmt.Errorf("ExternalURL: %w", err))
	}
	c.Job = cmp.Or(c.Job, "service")
	c.Instance = cmp.Or(c.Instance, "localhost")
	if c.Notify == nil {
		c.Notify = func([]alert.Alert) {}
	}
	if c.Meter == nil {
		c.Meter = noop.NewMeterProvider().Meter("")
	}
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	c.maxLate = cmp.Or(c.maxLate, maxLate)
	if c.free == nil {
		c.free = freeBytes
	}
	return c, errors.Join(errs...)
}
