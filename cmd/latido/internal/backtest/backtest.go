// Package backtest tells how often the alerts of a domain would have fired on
// what a store has, and with which limits less often.
package backtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/domain"
)

// What a replay asks for at most.
const (
	// mostEvaluations are those of one rule: 30 days of every 15 s, and a half.
	mostEvaluations = 250_000
	// usualStep is the time between evaluations where no server says another.
	usualStep = 15 * time.Second
	leastStep = time.Second
)

// replay is one run of backtest.
type replay struct {
	base   *url.URL
	d      domain.Domain
	rules  []alerting.Rule // all of the domain
	chosen []alerting.Rule // those that are replayed
	units  map[string]unit // that the domain file writes limits in, by threshold
	tries  map[string][]limit

	asked    time.Duration // how far back
	step     time.Duration // 0 for each rule's own
	from, to time.Time     // of the data that there are
	chunk    int           // evaluations in one request
	recorded map[string]bool
}

// Command replays the domain's alert rules on what a store has.
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use: "backtest [FILE]", ValidArgsFunction: cli.CompleteDomain,
		Short: "how often the alerts of a domain file would have fired on stored data, and at which limit less often",
	}
	f := cmd.Flags()
	base := f.String("url", remote.DefaultURL, "a Prometheus, or the admin listener of a service with Prometheus in it")
	var last, step domain.Duration
	f.TextVar(&last, "last", domain.Duration(7*24*time.Hour), "how far back to go, a `duration` such as 6h or 7d")
	f.TextVar(&step, "step", domain.Duration(0), "the time between two evaluations, a `duration`; 0 is the server's, or 15s")
	names := f.StringArray("rule", nil, "only the alert of this `name`; may be repeated")
	tries := f.StringArray("try", nil, "also try another limit, `NAME=VALUE`, as in RespuestaLenta=1.4s; may be repeated")
	fast := f.Bool("fast", false, "the rules as generate -fast writes them: a minute passes in a second")
	format := cli.Choice(cmd, "format", "text or json", "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		file, err := cli.FileOf(args)
		switch {
		case err != nil:
			return err
		case last <= 0:
			return cli.UsageError("-last is positive")
		case step != 0 && time.Duration(step) < leastStep:
			return cli.UsageError(fmt.Sprintf("-step %s: write %s or more", step, domain.Duration(leastStep)))
		case step != 0 && last/step > mostEvaluations:
			return cli.UsageError(fmt.Sprintf("-step %s over %s are %d evaluations of each rule, and at most %d: write -step %s", step, last, last/step, mostEvaluations,
				domain.Duration(coarsest(time.Duration(last), 0))))
		}
		b := &replay{tries: map[string][]limit{}, chunk: chunkSize, recorded: map[string]bool{}, asked: time.Duration(last), step: time.Duration(step)}
		if b.base, err = remote.ServiceURL(*base); err != nil {
			return err
		}
		data, err := cli.ReadDomain(cmd.InOrStdin(), file)
		if err != nil {
			return err
		}
		if b.d, err = domain.Parse(file, data); err != nil {
			return err
		}
		b.rules = alerting.Rules(b.d, alerting.Options{Fast: *fast})
		b.units = writtenUnits(data)
		if err := b.choose(*names, *tries); err != nil {
			return err
		}
		found, err := b.run(cmd.Context())
		if err != nil {
			return err
		}
		if *format == "json" {
			cli.JSON(cmd.OutOrStdout(), found.json())
		} else {
			found.writeText(cmd.OutOrStdout(), speech(cli.Language(cli.LanguageOf(cmd), b.d.Language)))
		}
		if slices.ContainsFunc(found.rules, func(r replayed) bool { return r.err != nil }) {
			return cli.ErrProblems
		}
		return nil
	}
	return cmd
}

// choose finds the rules that are to be replayed, and the limits to try.
func (b *replay) choose(names, tries []string) error {
	var alerts []string
	byName := map[string]alerting.Rule{}
	for _, r := range b.rules {
		if r.Alert != "" {
			alerts = append(alerts, r.Alert)
			byName[r.Alert] = r
		}
	}
	known := func(option, name string) error {
		if _, ok := byName[name]; ok {
			return nil
		}
		return cli.UsageError(fmt.Sprintf("-%s: the domain has no rule %q%s; its rules are %s", option, name, cli.DidYouMean(name, alerts), strings.Join(alerts, ", ")))
	}
	for _, name := range names {
		if err := known("rule", name); err != nil {
			return err
		}
	}
	for _, text := range tries {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return cli.UsageError(fmt.Sprintf("-try %q: write NAME=VALUE, as in RespuestaLenta=1.4s", text))
		}
		if err := known("try", name); err != nil {
			return err
		}
		r := byName[name]
		if r.Op == "" {
			return cli.UsageError(fmt.Sprintf("-try: %s has no limit of its own to try, it is an expression: change that in the domain file", name))
		}
		if len(names) > 0 && !slices.Contains(names, name) {
			return cli.UsageError(fmt.Sprintf("-try %s: it is not replayed, add -rule %s", text, name))
		}
		q, err := domain.ParseQuantity(value)
		if err != nil {
			return cli.UsageError("-try " + name + ": " + err.Error())
		}
		own, tried := b.unitOf(r), unitIn(value)
		if tried.base != "" && own.base != tried.base {
			return cli.UsageError(fmt.Sprintf("-try %s: %s is no limit for it, write one such as %s", text, value, strings.ReplaceAll(own.text(r.Bound), " ", "")))
		}
		if tried.base == "" {
			tried = unit{factor: 1}
		}
		b.tries[name] = append(b.tries[name], limit{float64(q), tried.text(float64(q))})
	}
	for _, name := range alerts {
		r := byName[name]
		asked := slices.Contains(names, name)
		if r.Source == alerting.SourceHeartbeat {
			if asked {
				return cli.UsageError(fmt.Sprintf("-rule: %s always fires, so that its silence is noticed", name))
			}
			continue
		}
		if asked || len(names) == 0 {
			b.chosen = append(b.chosen, r)
		}
	}
	if len(b.chosen) == 0 {
		return errors.New("the domain has no alert rule to replay")
	}
	return nil
}

// run asks the store, and replays one rule after the other.
func (b *replay) run(ctx context.Context) (backtested, error) {
	if err := b.period(ctx); err != nil {
		return backtested{}, err
	}
	intervals := b.intervals(ctx)
	found := backtested{replay: b}
	for _, r := range b.chosen {
		step := cmp.Or(b.step, intervals[r.Alert], usualStep)
		found.rules = append(found.rules, b.rule(ctx, r, step))
	}
	return found, nil
}

// intervals are the evaluation intervals of the server's alerts, by name; none
// where it has no rules.
func (b *replay) intervals(ctx context.Context) map[string]time.Duration {
	var answer struct {
		Groups []struct {
			Interval float64
			Rules    []remote.Rule
		}
	}
	if remote.AskPrometheus(ctx, b.base, "rules", nil, &answer) != nil {
		return nil
	}
	all := map[string]time.Duration{}
	for _, g := range answer.Groups {
		for _, r := range g.Rules {
			if own := r.Labels["domain"]; r.Type == "alerting" && (own == "" || own == b.d.Prefix) && g.Interval > 0 {
				all[r.Name] = max(time.Duration(g.Interval*float64(time.Second)), leastStep)
			}
		}
	}
	return all
}

// coarsest is a step with which a time has no more evaluations than allowed,
// at least step.
func coarsest(over, step time.Duration) time.Duration {
	least := (over/mostEvaluations + time.Second - 1).Truncate(time.Second)
	return max(step, least)
}

// rule replays one rule.
func (b *replay) rule(ctx context.Context, r alerting.Rule, step time.Duration) replayed {
	p := replayed{rule: r, unit: b.unitOf(r)}
	text, limited := withoutLimit(r)
	p.limited = limited
	expr, err := b.withRecords(ctx, text, step)
	if err != nil {
		p.err = err
		return p
	}
	if p.since, p.missing, err = b.missing(ctx, expr); err != nil {
		p.err = err
		return p
	}
	p.grid = gridOf(b.from, b.to, coarsest(b.to.Sub(b.from), b.stepFor(expr, r, step)))
	lines, err := b.fetch(ctx, expr.String(), p.grid)
	if err == nil {
		p.lines, err = alertsOf(r, lines)
	}
	if err != nil {
		p.err = err
		return p
	}
	p.now = p.at(r.Bound)
	for _, l := range b.tries[r.Alert] {
		p.tried = append(p.tried, tried{l, p.at(l.value), false})
	}
	if len(p.tried) == 0 && limited {
		if l, ok := p.suggest(); ok {
			p.tried = append(p.tried, tried{l, p.at(l.value), true})
		}
	}
	return p
}
