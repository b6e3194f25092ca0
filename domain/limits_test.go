package domain

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/internal/testkit"
)

// TestEveryLimit: as many as a limit says are taken, and not one more.
func TestEveryLimit(t *testing.T) {
	names := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("n%d", i))
		}
		return all
	}
	seconds := func(n int) (all []Quantity) {
		for i := range n {
			all = append(all, Quantity(i+1))
		}
		return all
	}
	attributes := func(n int) map[string][]string {
		all := map[string][]string{}
		for _, name := range names(n) {
			all[name] = []string{"x"}
		}
		return all
	}
	threshold := Threshold{Name: "Lento", Metric: "response_duration", Above: quantity(1)}
	for name, c := range map[string]struct {
		most int
		has  func(d *Domain, n int)
		want string // of one more
	}{
		"events": {maxEvents, func(d *Domain, n int) {
			for _, name := range names(n) {
				d.Events = append(d.Events, Event{Name: name})
			}
		}, "events: 501 events, at most 500"},
		"thresholds": {maxRules, func(d *Domain, n int) {
			for _, name := range names(n) {
				d.Thresholds = append(d.Thresholds, Threshold{Name: strings.ToUpper(name), Metric: "response_duration", Above: quantity(1)})
			}
		}, "thresholds: 501 thresholds, at most 500"},
		"objectives": {maxRules, func(d *Domain, n int) {
			for _, name := range names(n) {
				d.SLOs = append(d.SLOs, SLO{Name: name, Objective: 99, Good: Good{Status: "!~5.."}})
			}
		}, "slos: 501 objectives, at most 500"},
		"error types": {maxErrorTypes, func(d *Domain, n int) { d.Errors = names(n) }, "errors: 101 error types, at most 100"},
		"receivers": {maxReceivers, func(d *Domain, n int) {
			for _, name := range names(n) {
				d.Notify = append(d.Notify, Receiver{Webhook: &WebhookReceiver{URL: "https://example.com/" + name}})
			}
		}, "notify: 101 receivers, at most 100"},
		"mutes": {maxMutes, func(d *Domain, n int) {
			muted := threshold
			for i := range n {
				muted.Mute = append(muted.Mute, Mute{Times: []string{fmt.Sprintf("%02d:%02d-%02d:%02d", i/4, i%4*15, i/4, i%4*15+5)}})
			}
			d.Thresholds = []Threshold{muted}
		}, "thresholds[0].mute: 51 times, at most 50"},
		"buckets": {maxBuckets, func(d *Domain, n int) {
			e := Event{Name: "valor", Kind: KindHistogram}
			for i := range n {
				e.Buckets = append(e.Buckets, float64(i+1))
			}
			d.Events = []Event{e}
		}, "101 buckets, at most 100"},
		"buckets of responses": {maxBuckets, func(d *Domain, n int) { d.Buckets.ResponseDuration = seconds(n) }, "buckets.response_duration: 101 buckets, at most 100"},
		"buckets of functions": {maxBuckets, func(d *Domain, n int) { d.Buckets.FunctionDuration = seconds(n) }, "buckets.function_duration: 101 buckets, at most 100"},
		"combinations": {13, func(d *Domain, n int) { // with Other each attribute has two values: 2^13 combinations
			d.Events = []Event{{Name: "pedidos", Attributes: attributes(n)}}
		}, "16384 combinations of values"},
		"text":        {maxText, func(d *Domain, n int) { d.Description = strings.Repeat("a", n) }, "too long, 4097 of at most 4096 bytes"},
		"error value": {maxValueBytes, func(d *Domain, n int) { d.Errors = []string{strings.Repeat("e", n)} }, "too long, 257 of at most 256 bytes"},
		"app":         {maxName, func(d *Domain, n int) { d.App = strings.Repeat("a", n) }, "too long, 64 of at most 63"},
		"prefix":      {maxPrefix, func(d *Domain, n int) { d.Prefix = strings.Repeat("a", n) }, "too long, 33 of at most 32"},
		"port": {65535, func(d *Domain, n int) {
			d.Notify = []Receiver{{Email: &EmailReceiver{To: []string{"a@example.com"}, SMTP: fmt.Sprint("smtp.example.com:", n)}}}
		}, "is no host and port"},
		"window": {int(maxWindow / time.Hour), func(d *Domain, n int) {
			long := threshold
			long.Window = Duration(n) * Duration(time.Hour)
			d.Thresholds = []Threshold{long}
		}, "window"},
		"for": {int(maxFor / time.Hour), func(d *Domain, n int) {
			long := threshold
			long.For = Duration(n) * Duration(time.Hour)
			d.Thresholds = []Threshold{long}
		}, "for"},
	} {
		t.Run(name, func(t *testing.T) {
			at := func(n int) error {
				d := Domain{Prefix: "tienda", Entity: "pedido"}
				c.has(&d, n)
				return d.Validate()
			}
			testkit.Error(t, at(c.most), "")
			testkit.Error(t, at(c.most+1), c.want)
		})
	}
	smallest := Domain{Prefix: "tienda", Entity: "pedido", Notify: []Receiver{{Email: &EmailReceiver{To: []string{"a@example.com"}, SMTP: "smtp.example.com:1"}}}}
	testkit.Error(t, smallest.Validate(), "")
	smallest.Notify[0].Email.SMTP = "smtp.example.com:0"
	testkit.Error(t, smallest.Validate(), "is no host and port")
}

// TestLasting: less than one of what is counted in a window can hold for no longer
// than that; of what has a unit of time or size it may.
func TestLasting(t *testing.T) {
	for name, c := range map[string]struct {
		event Event
		above float64
		lasts time.Duration
		want  string
	}{
		"counted":            {Event{Name: "e"}, 0.5, 5 * time.Minute, "is counted for 5m only"},
		"counted, and short": {Event{Name: "e"}, 0.5, 4 * time.Minute, ""},
		"counted, one":       {Event{Name: "e"}, 1, 5 * time.Minute, ""},
		"of values":          {Event{Name: "e", Kind: KindHistogram, Unit: "s"}, 0.5, 5 * time.Minute, "is counted for 5m only"},
		"of seconds":         {Event{Name: "e", Unit: "s"}, 0.5, 5 * time.Minute, ""},
		"of bytes":           {Event{Name: "e", Unit: "By"}, 0.5, 5 * time.Minute, ""},
		"of money":           {Event{Name: "e", Unit: "COP"}, 0.5, 5 * time.Minute, "is counted for 5m only"},
	} {
		t.Run(name, func(t *testing.T) {
			d := Domain{Prefix: "tienda", Entity: "pedido", Events: []Event{c.event},
				Thresholds: []Threshold{{Name: "A", Event: "e", Stat: StatIncrease, Above: quantity(c.above), For: Duration(c.lasts)}}}
			testkit.Error(t, d.Validate(), c.want)
		})
	}
}

// TestAlertLabels: the alerts of a level say of which instance, and those of what
// is added up do not.
func TestAlertLabels(t *testing.T) {
	d := Domain{Prefix: "tienda", Entity: "pedido", Events: []Event{{Name: "nivel", Kind: KindGauge}}}
	for key, want := range map[string]string{"cpu_usage": "[job instance x]", "active_requests": "[job instance x]", "requests": "[job x]", "response_duration": "[job x]", "nivel": "[job x]"} {
		m, _ := d.Metric(key)
		if got := fmt.Sprint(m.AlertLabels("x")); got != want {
			t.Errorf("%s has %s, want %s", key, got, want)
		}
	}
}
