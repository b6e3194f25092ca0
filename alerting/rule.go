package alerting

import (
	"time"

	"github.com/latido-dev/latido/domain"
)

// Options are what the domain file does not say. The zero value is what a
// production set-up wants.
type Options struct {
	// Fast lets a minute pass in a second: every window, pending time and
	// interval is a sixtieth of what it was, and never less than the scrapes of
	// once a second can show. It is for demonstrations and tests.
	Fast bool
	// RunbookURL is where the runbook is published; an alert's section is added
	// as #anchor. Empty means no links to it.
	RunbookURL string
	// EvidenceURL is the base URL of the service's admin listener as the
	// Alertmanager server reaches it. The Alertmanager file then calls it with
	// every alert, so that the service keeps an incident. Empty means none.
	EvidenceURL string
	// Retention is how long samples are kept where the rules are evaluated. A
	// window of an objective that is longer is left out, with the alerts and the
	// budget that need it: they would be computed from a part of it. 0 means long
	// enough.
	Retention time.Duration
}

// Source says what a rule was made from.
type Source string

// The sources of a rule.
const (
	SourceThreshold Source = "threshold" // of the domain file
	SourceSLO       Source = "slo"       // of the domain file
	SourceDefault   Source = "default"   // one that every domain gets
	SourceHeartbeat Source = "heartbeat" // always firing, so that its silence is noticed
)

// Evidence says what is worth looking at when a rule fires.
type Evidence string

// The kinds of evidence. The empty Evidence means none: only a heartbeat has it.
const (
	EvidenceCPU        Evidence = "cpu"        // hot functions by CPU time
	EvidenceMemory     Evidence = "memory"     // functions by bytes allocated and in use
	EvidenceLatency    Evidence = "latency"    // where requests wait, and hot functions
	EvidenceErrors     Evidence = "errors"     // which endpoints and error types
	EvidenceGoroutines Evidence = "goroutines" // what goroutines there are more of
	EvidenceEvents     Evidence = "events"     // which business events moved
)

// Rule is one rule of Prometheus: it alerts, or it records a series.
type Rule struct {
	// Alert is the alert's name, Record the series'; one of them is set.
	Alert, Record string
	// Expr is the expression in PromQL.
	Expr string
	// For and KeepFiring are as in Prometheus.
	For, KeepFiring time.Duration
	// Labels and Annotations are as in the rule file. Every alert has the
	// labels severity and domain, the prefix.
	Labels, Annotations map[string]string

	// The rest is for the runbook, the evidence, the checks and the replay; it
	// does not reach the file.

	Source   Source
	Evidence Evidence
	// Metric is the key of the metric that the rule is about, "" for none.
	Metric string
	// Window is how far back the expression looks, and Value the expression
	// without its comparison: Expr is Value, Op and Bound in effect. They are
	// empty for a rule that is no plain comparison.
	Window time.Duration
	Value  string
	Op     string // ">", "<" or "=="
	Bound  float64
	// Severity, Summary, Description, Impact and Steps are for people.
	Severity                     domain.Severity
	Summary, Description, Impact string
	Steps                        []string

	least     int            // how many there must be in Window, 0 for any number
	condition string         // when the alert fires, in words; "" where only the expression says
	trials    func() []trial // for the rule tests; the first one is the drill; nil for a rule that records
}

// Drill makes up a case in which the alert fires: the series to put there. It has
// no Labels where no series can be made up: for an expression in PromQL. It takes
// longer than all else about the rule, and is made up at each call. It is safe for
// concurrent use.
func (r Rule) Drill() Drill {
	trials := r.trialsOf()
	if len(trials) == 0 {
		return Drill{}
	}
	last := trials[0].checks[len(trials[0].checks)-1]
	fires := last.alerts[0]
	return Drill{Interval: trials[0].interval, Series: trials[0].series, After: last.after, Labels: fires.labels, Value: fires.value}
}

// Drill is a set of series that makes one alert fire.
type Drill struct {
	// Interval is the time between samples.
	Interval time.Duration
	// Series are in promtool's notation, name and labels to values:
	// `tienda_requests_total{status="500"}` to "0+10x60".
	Series []DrillSeries
	// After is when the alert fires, from the first sample on.
	After time.Duration
	// Labels are the alert's, alertname included, and Value is what its
	// expression has. Annotations are not given: they are the rule's, with
	// templates expanded.
	Labels map[string]string
	Value  float64
}

// DrillSeries is one series of a Drill.
type DrillSeries struct{ Series, Values string }

// Group is a group of rules, evaluated together in their order.
type Group struct {
	Name     string
	Interval time.Duration // 0 is the server's
	Limit    int           // of alerts a rule; 0 is none
	Rules    []Rule
}
