// Package drill is the verb fire: an alert that fires on purpose, and who hears
// of it.
package drill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/internal/drills"
)

// drill is what a service answers to a drill, and what became of it.
type drill struct {
	Rule      string         `json:"rule"`
	Alerts    []drills.Alert `json:"alerts"`
	Receivers []told         `json:"receivers"`
	Incident  string         `json:"incident,omitempty"` // the address of its page
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
	outcomeTold    outcome = drills.OutcomeSuccess
	outcomeSilent  outcome = "silent"  // nothing was heard of it in time
	outcomeUnasked outcome = "unasked" // it was not waited for
)

// What a drill waits for.
const (
	drillWait = 30 * time.Second // alerts are gathered for 10 s before they are told
	drillLook = 200 * time.Millisecond
)

// Command has a rule of a running service fire as a drill, and says who heard.
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use: "fire NAME", Short: "have a rule of a running service fire as a drill, and see who hears of it",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			u, err := remote.ServiceURL(cmd.Flag("url").Value.String())
			if err != nil || len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return alertNames(cmd.Context(), u), cobra.ShellCompDirectiveNoFileComp
		},
	}
	base := remote.URLOption(cmd)
	format := cli.Choice(cmd, "format", "text or json", "text", "json")
	wait := cmd.Flags().Duration("wait", drillWait, "how long to wait for the receivers; 0 for not at all")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) != 1 || args[0] == "":
			return cli.UsageError("say which rule is to fire, by its name")
		case *wait < 0:
			return cli.UsageError("-wait is not negative")
		}
		u, err := remote.ServiceURL(*base)
		if err != nil {
			return err
		}
		ctx := cmd.Context()
		before, _ := deliveries(ctx, u) // without it nobody knows who was told, and that is said
		d, err := postDrill(ctx, u, args[0])
		if err != nil {
			return err
		}
		d.follow(ctx, u, before, *wait)
		if *format == "json" {
			cli.JSON(cmd.OutOrStdout(), d)
		} else {
			cli.Spoken(cmd.OutOrStdout(), cli.Language(cli.LanguageOf(cmd), ""), d.write)
		}
		failed := func(t told) bool { return t.Outcome != outcomeTold && t.Outcome != outcomeUnasked }
		if len(d.Alerts) == 0 || slices.ContainsFunc(d.Receivers, failed) {
			return cli.ErrProblems
		}
		return nil
	}
	return cmd
}

// postDrill starts a drill.
func postDrill(ctx context.Context, base *url.URL, rule string) (drill, error) {
	var answer drills.Answer
	err := remote.AskJSON(ctx, base, remote.Request{
		Method: http.MethodPost, Path: drills.Path, Query: url.Values{"rule": {rule}}, Header: map[string]string{"Latido-Confirm": "yes"},
	}, &answer)
	if refused, ok := errors.AsType[remote.StatusError](err); ok {
		return drill{}, noDrill(ctx, base, rule, refused)
	}
	if err != nil {
		return drill{}, err
	}
	d := drill{Rule: rule, Alerts: answer.Alerts, Receivers: []told{}, Incident: remote.PageURL(base, answer.Incident)}
	if d.Alerts == nil {
		d.Alerts = []drills.Alert{}
	}
	for _, name := range answer.Receivers {
		d.Receivers = append(d.Receivers, told{name, outcomeUnasked})
	}
	slices.SortFunc(d.Receivers, func(a, b told) int { return strings.Compare(a.Name, b.Name) })
	return d, nil
}

// noDrill says why there was none, and what to do.
func noDrill(ctx context.Context, base *url.URL, rule string, refused remote.StatusError) error {
	said := refused.Start()
	unknown := strings.HasPrefix(said, "there is no such rule")
	switch {
	case !unknown && (refused.Code == http.StatusNotFound || refused.Code == http.StatusMethodNotAllowed):
		return fmt.Errorf("%s drills no alerts: call embedded.Start in the service, or name its admin listener with -url; "+
			"where Prometheus has the rules, name the server of: latido evidence", remote.Address(base))
	case refused.Code == http.StatusUnauthorized:
		return refused
	case unknown && !strings.Contains(said, "did you mean") && !strings.Contains(said, "the rules are"):
		return fmt.Errorf("%s%s", cli.Safe(said), cli.DidYouMean(rule, alertNames(ctx, base)))
	}
	return errors.New(cli.Safe(said))
}

// alertNames are the names of a server's alerts, none if it does not say.
func alertNames(ctx context.Context, base *url.URL) []string {
	var answer struct {
		Groups []struct{ Rules []remote.Rule }
	}
	if remote.AskPrometheus(ctx, base, "rules", nil, &answer) != nil {
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

// follow waits until something is known of every receiver. Deliveries are counted
// and nobody says of which alert: one of another alert in the same seconds counts
// too.
func (d *drill) follow(ctx context.Context, base *url.URL, before drills.Deliveries, wait time.Duration) {
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
func since(before, now drills.Deliveries, receiver string) outcome {
	seen := outcomeSilent
	for _, name := range slices.Sorted(maps.Keys(now)) {
		// An Alertmanager server is counted by its address.
		server := strings.HasPrefix(receiver, "alertmanager") && strings.Contains(name, "://")
		if name != receiver && !server {
			continue
		}
		for _, how := range slices.Sorted(maps.Keys(now[name])) {
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

// deliveries are counts of deliveries, by receiver and outcome: the service's own,
// or those that the server of a fleet has from its Alertmanagers.
func deliveries(ctx context.Context, base *url.URL) (drills.Deliveries, error) {
	text, err := remote.Ask(ctx, base, remote.Request{Path: "metrics"})
	if err != nil {
		return nil, err
	}
	families, err := remote.Families(text)
	if err != nil {
		return nil, err
	}
	counts, own := drills.Deliveries{}, false
	for name, family := range families {
		if !strings.HasSuffix(name, deliveriesSuffix) {
			continue
		}
		own = true
		for _, m := range family.GetMetric() {
			counts.Add(remote.Label(m, "receiver"), remote.Label(m, "outcome"), m.GetCounter().GetValue())
		}
	}
	if !own {
		err = remote.AskJSON(ctx, base, remote.Request{Path: drills.DeliveriesPath}, &counts)
	}
	return counts, err
}

// write says for a person what fired, who heard of it and what is known.
func (d *drill) write(w io.Writer) {
	for _, a := range d.Alerts {
		fmt.Fprintf(w, "%s fires as a drill: %s\n", cli.Safe(d.Rule), cli.Safe(alertLabels(a.Labels)))
		if summary := a.Annotations["summary"]; summary != "" {
			fmt.Fprintf(w, "  %s\n", cli.Safe(summary))
		}
		if cause := a.Annotations["cause"]; cause != "" {
			fmt.Fprintf(w, "  %s\n", cli.Safe(cause))
		}
	}
	if len(d.Alerts) == 0 {
		fmt.Fprintf(w, "%s did not fire\n", cli.Safe(d.Rule))
	}
	if len(d.Receivers) == 0 {
		fmt.Fprintln(w, "no receiver hears of it")
	}
	cli.Table(w, d.writeReceivers)
	if d.Incident != "" {
		fmt.Fprintf(w, "incident  %s\n", cli.Safe(d.Incident))
	}
}

func (d *drill) writeReceivers(w io.Writer) {
	for _, t := range d.Receivers {
		state := "FAIL\t" + cli.Safe(string(t.Outcome)) + "; the log of the service, or of Alertmanager, says why"
		switch t.Outcome {
		case outcomeTold:
			state = "ok\tit was told"
		case outcomeUnasked:
			state = "-\tis to be told"
		case outcomeSilent:
			state = "FAIL\tnot told in time: is the alert silenced, or gathered for longer than -wait?"
		}
		fmt.Fprintf(w, "%s\t%s\n", cli.Safe(t.Name), state)
	}
}

// alertLabels writes the labels of an alert in one order, without its name.
func alertLabels(labels map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if name != "alertname" {
			pairs = append(pairs, name+"="+labels[name])
		}
	}
	return strings.Join(pairs, " ")
}
