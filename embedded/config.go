package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/latido-dev/latido/embedded/alert"
)

// Alert is an alert as an action gets it; see [alert.Alert].
type Alert = alert.Alert

// Action is called with an alert that fires, and again when it is resolved.
// Its context ends after ten seconds. It must be safe for concurrent use: two
// alerts may come at once, but not one alert twice. An error, or a panic, counts
// as a failed delivery, and it is called again later.
type Action func(context.Context, Alert) error

// Config says what Start starts. Its zero value is an in-process Prometheus
// and Alertmanager with the rules and receivers of the domain, and six hours of
// data in the user's cache folder.
type Config struct {
	// Dir is where the data are: samples, silences, the notification log and
	// incidents. Empty means latido/ and the service's name in the user's cache
	// folder. A folder that cannot be used costs a warning; then all is kept in
	// memory.
	Dir string
	// Memory keeps everything in memory: nothing outlives the process.
	Memory bool
	// Retention is how far back samples are kept. 0 means 6 hours. The windows of
	// an objective that are longer are not evaluated.
	Retention time.Duration
	// MaxBytes bounds the samples on disk. 0 means 64 MiB.
	MaxBytes int64
	// MaxSeries bounds the series, and with them the memory. 0 means 20,000.
	MaxSeries int
	// ScrapeInterval is the time between two looks at the service's metrics. 0
	// means 5 seconds, or 1 with Fast.
	ScrapeInterval time.Duration
	// EvaluationInterval is the time between two evaluations of the rules. 0
	// means 15 seconds, or 1 with Fast.
	EvaluationInterval time.Duration

	// RuleFile and AlertmanagerFile are read in place of what the domain says,
	// as Prometheus and Alertmanager read them. Empty means the domain's.
	RuleFile, AlertmanagerFile string
	// RunbookURL is where the runbook is published. Empty means links.runbook of
	// the domain file, or no links to it.
	RunbookURL string
	// ExternalURL is the base URL of the admin listener as people reach it from
	// their own machines, http or https: messages link to incidents and queries
	// below it. Empty means links.external_url of the domain file. Without either,
	// a listener on the loopback interface has links in the service's log only:
	// they lead nowhere from another machine.
	ExternalURL string
	// Actions are the functions that the domain's action receivers name.
	Actions map[string]Action
	// Fast lets a minute pass in a second, for demonstrations and tests: see
	// alerting.Options.
	Fast bool
	// EvidenceOnly leaves rules and alerts to servers: the process only keeps
	// its samples, and answers the Alertmanager that asks for evidence. False
	// means what LATIDO_ALERTS says: "servers" leaves them to servers too, so that
	// nobody hears of an alert twice.
	EvidenceOnly bool

	// MaxIncidents and MaxIncidentBytes bound the incidents that are kept. 0
	// means 100 and 32 MiB.
	MaxIncidents     int
	MaxIncidentBytes int64

	drillTime time.Duration // how long a drill's alert fires; only tests have less than the real one
}

func (c Config) withDefaults(log *slog.Logger) (Config, error) {
	var errs []error
	for _, f := range []struct {
		name     string
		negative bool
		value    any
	}{
		{"Retention", c.Retention < 0, c.Retention},
		{"MaxBytes", c.MaxBytes < 0, c.MaxBytes},
		{"MaxSeries", c.MaxSeries < 0, c.MaxSeries},
		{"ScrapeInterval", c.ScrapeInterval < 0, c.ScrapeInterval},
		{"EvaluationInterval", c.EvaluationInterval < 0, c.EvaluationInterval},
		{"MaxIncidents", c.MaxIncidents < 0, c.MaxIncidents},
		{"MaxIncidentBytes", c.MaxIncidentBytes < 0, c.MaxIncidentBytes},
	} {
		if f.negative {
			errs = append(errs, fmt.Errorf("%s %v: write what is above 0, or 0 for the default", f.name, f.value))
		}
	}
	if u, err := url.Parse(c.ExternalURL); c.ExternalURL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		errs = append(errs, fmt.Errorf("ExternalURL %q: write the address that people reach, such as https://shop.example.com:9464", c.ExternalURL))
	}
	if c.Memory && c.Dir != "" {
		errs = append(errs, errors.New("a Dir has no meaning with Memory: leave out one of the two"))
	}
	c.Retention = cmp.Or(c.Retention, 6*time.Hour)
	switch where := os.Getenv("LATIDO_ALERTS"); where {
	case "servers":
		c.EvidenceOnly = true
	case "", "process":
	default:
		log.Warn("LATIDO_ALERTS is not known, and alerts are in the process: write servers or process", "value", where)
	}
	if c.Fast { // the others are the store's own
		c.ScrapeInterval = cmp.Or(c.ScrapeInterval, time.Second)
		c.EvaluationInterval = cmp.Or(c.EvaluationInterval, time.Second)
		c.drillTime = cmp.Or(c.drillTime, drillTimeFast)
	}
	c.drillTime = cmp.Or(c.drillTime, drillTime)
	return c, errors.Join(errs...)
}
