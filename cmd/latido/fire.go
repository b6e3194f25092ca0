package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	dto "github.com/prometheus/client_model/go"
)

// drill is what a service answers to a drill, and what became of it.
type drill struct {
	Rule      string       `json:"rule"`
	Alerts    []drillAlert `json:"alerts"`
	Receivers []told       `json:"receivers"`
	Incident  string       `json:"incident,omitempty"` // the address of its page
}

type drillAlert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	StartsAt    time.Time         `json:"startsAt"`
}

// told is a receiver that a drill's alerts lead to.
type told struct {
	Name    string  `json:"name"`
	Outcome outcome `json:"outcome"`
}

// outcome is how a receiver's delivery ended: one of the service's own words,
// or one of these.
type outcome string

const (
	outcomeTold    outcome = "success"
	outcomeSilent  outcome = "silent"  // nothing was heard of it in time
	outcomeUnasked outcome = "unasked" // it was not waited for
)

// What a drill waits for.
const (
	drillWait = 30 * time.Second // alerts are gathered for 10 s before they are told
	drillLook = 200 * time.Millisecond
)

// fire has a rule of a running service fire as a drill, and says who heard.
func fire(c *call) error {
	base := c.flags.String("url", defaultURL, "the service's admin listener")
	format := c.flags.String("format", "text", "text or json")
	wait := c.flags.Duration("wait", drillWait, "how long to wait for the receivers; 0 for not at all")
	rest, err := c.parse()
	switch {
	case err != nil:
		return err
	case len(rest) != 1 || rest[0] == "":
		return usageError{"say which rule is to fire, by its name"}
	case *format != "text" && *format != "json":
		return usageError{fmt.Sprintf("-format %q: write text or json", *format)}
	case *wait < 0:
		return usageError{"-wait is not negative"}
	}
	u, err := serviceURL(*base)
	if err != nil {
		return err
	}
	ctx := context.Background()
	before, _ := deliveries(ctx, u) // without it nobody knows who was told, and that is said
	d, err := postDrill(ctx, u, rest[0])
	if err != nil {
		return err
	}
	d.follow(ctx, u, before, *wait)
	if *format == "json" {
		encoder := json.NewEncoder(c.stdout)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(d) // run tells
	} else {
		d.write(c)
	}
	failed := func(t told) bool { return t.Outcome != outcomeTold && t.Outcome != outcomeUnasked }
	if len(d.Alerts) == 0 || slices.ContainsFunc(d.Receivers, failed) {
		return errProblems
	}
	return nil
}

// postDrill starts a drill.
func postDrill(ctx context.Context, base *url.URL, rule string) (drill, error) {
	var answer struct {
		Alerts    []drillAlert
		Receivers []string
		Incident  string
	}
	err := askJSON(ctx, base, request{
		method: http.MethodPost, path: "api/drills", query: url.Values{"rule": {rule}}, header: map[string]string{"Latido-Confirm": "yes"},
	}, &answer)
	var refused statusError
	if errors.As(err, &refused) {
		return drill{}, noDrill(ctx, base, rule, refused)
	}
	if err != nil {
		return drill{}, err
	}
	d := drill{Rule: rule, Alerts: answer.Alerts, Receivers: []told{}, Incident: pageURL(base, answer.Incident)}
	if d.Alerts == nil {
		d.Alerts = []drillAlert{}
	}
	for _, name := range answer.Receivers {
		d.Receivers = append(d.Receivers, told{name, outcomeUnasked})
	}
	slices.SortFunc(d.Receivers, func(a, b told) int { return strings.Compare(a.Name, b.Name) })
	return d, nil
}

// noDrill says why there was none, and what to do.
func noDrill(ctx context.Context, base *url.URL, rule string, refused statusError) error {
	unknown := strings.HasPrefix(refused.body, "there is no such rule")
	switch {
	case !unknown && (refused.code == http.StatusNotFound || refused.code == http.StatusMethodNotAllowed):
		return fmt.Errorf("%s drills no alerts: call embedded.Start in the service, or name its admin listener with -url; "+
			"what a Prometheus server would do, promtool tests with the file of: latido generate rule-tests", address(base))
	case refused.code == http.StatusUnauthorized:
		return refused
	case unknown && !strings.Contains(refused.body, "did you mean") && !strings.Contains(refused.body, "the rules are"):
		return fmt.Errorf("%s%s", safe(refused.body), didYouMean(rule, alertNames(ctx, base)))
	}
	return errors.New(safe(refused.body))
}

// alertNames are the names of a server's alerts, none if it does not say.
func alertNames(ctx context.Context, base *url.URL) []string {
	var answer struct {
		Groups []struct{ Rules []serverRule }
	}
	if askPrometheus(ctx, base, "rules", nil, &answer) != nil {
		return nil
	}
	var names []string
	for _, g := range answer.Groups {
		for _, r := range g.Rules {
			if r.Type == "alerting" && !slices.Contains(names, r.Name) {
				names = append(names, r.Name)
			}
		}
	}
	return names
}

// pageURL is the whole address of a page of the service; "" for what is none.
func pageURL(base *url.URL, link string) string {
	u, err := url.Parse(link)
	if err != nil || link == "" {
		return ""
	}
	whole := base.ResolveReference(u)
	if whole.Scheme != "http" && whole.Scheme != "https" {
		return ""
	}
	whole.User = nil // base may have a password
	return whole.String()
}

// follow waits until something is known of every receiver. The service counts
// deliveries and does not say of which alert: one of another alert in the same
// seconds counts too.
func (d *drill) follow(ctx context.Context, base *url.URL, before map[string]map[string]float64, wait time.Duration) {
	if wait == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	again := time.NewTicker(drillLook)
	defer again.Stop()
	for {
		now, err := deliveries(ctx, base)
		open := false
		for i := range d.Receivers {
			t := &d.Receivers[i]
			if t.Outcome == outcomeUnasked || t.Outcome == outcomeSilent {
				t.Outcome = outcomeSilent
				if err == nil {
					t.Outcome = since(before, now, t.Name)
				}
			}
			open = open || t.Outcome == outcomeSilent
		}
		if !open {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// since says how a receiver fared between two looks. A message that came
// through in the end was delivered.
func since(before, now map[string]map[string]float64, receiver string) outcome {
	seen := outcomeSilent
	for _, name := range sortedKeys(now) {
		// An Alertmanager server is counted by its address.
		server := strings.HasPrefix(receiver, "alertmanager") && strings.Contains(name, "://")
		if name != receiver && !server {
			continue
		}
		for _, how := range sortedKeys(now[name]) {
			if now[name][how] > before[name][how] && seen != outcomeTold {
				seen = outcome(how)
			}
		}
	}
	return seen
}

// deliveriesSuffix ends the name of the counter of deliveries, after the
// service's prefix.
const deliveriesSuffix = "_telemetry_alert_deliveries_total"

// deliveries are the service's counts of deliveries, by receiver and outcome.
func deliveries(ctx context.Context, base *url.URL) (map[string]map[string]float64, error) {
	text, err := ask(ctx, base, request{path: "metrics"})
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	counts := map[string]map[string]float64{}
	for name, family := range families {
		if !strings.HasSuffix(name, deliveriesSuffix) {
			continue
		}
		for _, m := range family.GetMetric() {
			receiver := labelOf(m, "receiver")
			if counts[receiver] == nil {
				counts[receiver] = map[string]float64{}
			}
			counts[receiver][labelOf(m, "outcome")] += m.GetCounter().GetValue()
		}
	}
	return counts, nil
}

func labelOf(m *dto.Metric, name string) string {
	for _, pair := range m.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}

// write says for a person what fired, who heard of it and what is known.
func (d *drill) write(c *call) {
	for _, a := range d.Alerts {
		fmt.Fprintf(c.stdout, "%s fires as a drill: %s\n", safe(d.Rule), safe(alertLabels(a.Labels)))
		if summary := a.Annotations["summary"]; summary != "" {
			fmt.Fprintf(c.stdout, "  %s\n", safe(summary))
		}
		if cause := a.Annotations["cause"]; cause != "" {
			fmt.Fprintf(c.stdout, "  %s\n", safe(cause))
		}
	}
	if len(d.Alerts) == 0 {
		fmt.Fprintf(c.stdout, "%s did not fire\n", safe(d.Rule))
	}
	if len(d.Receivers) == 0 {
		fmt.Fprintln(c.stdout, "no receiver hears of it")
	}
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for _, t := range d.Receivers {
		state := "FAIL\t" + safe(string(t.Outcome)) + "; the service's log says why"
		switch t.Outcome {
		case outcomeTold:
			state = "ok\ttold"
		case outcomeUnasked:
			state = "-\tis to be told"
		case outcomeSilent:
			state = "FAIL\tnot told in time: is the alert silenced, or gathered for longer than -wait?"
		}
		fmt.Fprintf(table, "%s\t%s\n", safe(t.Name), state)
	}
	_ = table.Flush() // run tells
	if d.Incident != "" {
		fmt.Fprintf(c.stdout, "incident  %s\n", safe(d.Incident))
	}
}

// alertLabels writes the labels of an alert in one order, without its name.
func alertLabels(labels map[string]string) string {
	var pairs []string
	for _, name := range sortedKeys(labels) {
		if name != "alertname" {
			pairs = append(pairs, name+"="+labels[name])
		}
	}
	return strings.Join(pairs, " ")
}
