package backtest

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
)

// backtested is what a replay found.
type backtested struct {
	*replay
	rules []replayed
}

// replayed is what one rule would have done.
type replayed struct {
	rule    alerting.Rule
	unit    unit
	limited bool      // lines has values to compare with a limit
	since   time.Time // the rule's data
	grid    grid
	lines   []line
	missing missing
	err     error

	now   firing // with the rule's own limit
	tried []tried
}

// tried is what the rule would have done with another limit.
type tried struct {
	limit
	firing
	suggested bool
}

// missing are series that a rule reads and the store has no sample of.
type missing struct {
	of string // "" for none
	// all says that there are none of the metric at all, whatever their labels;
	// else only the filters match nothing, as they may when nothing went wrong.
	all bool
}

// noData tells whether a rule had nothing to look at. Some rules fire for that
// very reason: then it is told with what they did.
func (p *replayed) noData() bool { return p.missing.all && len(p.now.episodes) == 0 }

// speech writes each part of a sentence in the language of the person, before it
// stands beside the others.
type speech string

func (l speech) say(format string, args ...any) string {
	return cli.Say(string(l), fmt.Sprintf(format, args...))
}

func (l speech) spell(d time.Duration) string { return l.say("%s", cli.Spell(d)) }

// writeText writes a line for each rule, in words.
func (f backtested) writeText(w io.Writer, l speech) {
	service, base, length := f.d.Service(), remote.Address(f.base), f.to.Sub(f.from)
	if f.late() {
		fmt.Fprintln(w, l.say("%s at %s: only %s of data are stored, since %s; asked for %s", service, base, l.spell(length), minute(f.from), l.spell(f.asked)))
	} else {
		fmt.Fprintln(w, l.say("%s at %s: %s, %s to %s", service, base, l.spell(length), minute(f.from), minute(f.to)))
	}
	for _, r := range f.rules {
		fmt.Fprintf(w, "%s: %s\n", r.rule.Alert, r.text(length, l))
	}
}

// late tells whether the data begin later than asked for.
func (f backtested) late() bool { return f.asked-f.to.Sub(f.from) > f.asked/coarseSteps }

func (p *replayed) text(length time.Duration, l speech) string {
	last := l.say("in the last %s", l.spell(length))
	switch {
	case p.err != nil:
		return l.say("could not be replayed: %s", p.err.Error())
	case p.noData():
		return l.say("no data: no sample of %s %s", cli.Safe(p.missing.of), last)
	}
	var text string
	switch n := len(p.now.episodes); n {
	case 0:
		text = l.say("would not have fired %s", last) + p.nearest(l)
	case 1:
		text = l.say("would have fired once %s, for %s (%s)", last, l.spell(p.now.total), p.where(p.now.longest, l))
	default:
		text = l.say("would have fired %s %s, %s in all, longest %s (%s)", l.times(n), last, l.spell(p.now.total), l.spell(p.length(p.now.longest)), p.where(p.now.longest, l))
	}
	for _, t := range p.tried {
		text += l.say("; at %s: %s", t.text, speech("").times(len(t.episodes))) // so short a text is known by its parts
	}
	if p.missing.of != "" {
		text += l.say("; no sample of %s", cli.Safe(p.missing.of))
	} else if late := p.since.Sub(p.grid.start); late > length/10 {
		text += l.say("; its data begin %s", minute(p.since))
	}
	return text
}

// nearest says how near a rule that did not fire came to its limit.
func (p *replayed) nearest(l speech) string {
	farthest, ok := p.farthest()
	if !ok {
		return ""
	}
	limit := l.say("limit %s", p.unit.text(p.rule.Bound))
	if p.rule.For > 0 {
		limit = l.say("limit %s for %s", p.unit.text(p.rule.Bound), l.spell(p.rule.For))
	}
	if p.rule.Op == "<" {
		return l.say(" (lowest %s, %s)", p.unit.text(farthest), limit)
	}
	return l.say(" (highest %s, %s)", p.unit.text(farthest), limit)
}

// where says when an episode began, and of what the alert was: by the labels
// in which the rule's alerts differ, and those that are no part of every alert.
func (p *replayed) where(e episode, l speech) string {
	text := minute(p.grid.time(e.from))
	if e.going {
		text = l.say("%s and still", text)
	}
	own := p.lines[e.line].labels
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if _, static := p.rule.Labels[name]; static {
			continue
		}
		differs := slices.ContainsFunc(p.lines, func(l line) bool { return l.labels[name] != own[name] })
		if differs || name != "job" && name != "instance" {
			text += fmt.Sprintf(", %s %s", cli.Safe(name), cli.Safe(own[name]))
		}
	}
	return text
}

func (p *replayed) length(e episode) time.Duration { return time.Duration(e.to-e.from) * p.grid.step }

// times is how often.
func (l speech) times(n int) string {
	switch n {
	case 0:
		return l.say("never")
	case 1:
		return l.say("once")
	case 2:
		return l.say("twice")
	}
	return l.say("%d times", n)
}

// minute is a moment as people are told of it, in their own time.
func minute(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

// The same for programs.
type (
	backtestJSON struct {
		URL    string       `json:"url"`
		From   time.Time    `json:"from"`
		To     time.Time    `json:"to"`
		Asked  float64      `json:"asked_seconds"`
		Stored float64      `json:"stored_seconds"`
		Rules  []ruleReplay `json:"rules"`
	}
	ruleReplay struct {
		Rule   string `json:"rule"`
		Source string `json:"source"`
		// Status is fired, quiet, "no data" or failed; Detail says why it is one
		// of the last two.
		Status string     `json:"status"`
		Detail string     `json:"detail,omitempty"`
		Step   float64    `json:"step_seconds,omitempty"`
		Since  *time.Time `json:"since,omitempty"` // the rule's data
		Limit  *limitJSON `json:"limit,omitempty"`
		firedJSON
		Tried []triedJSON `json:"tried,omitempty"`
	}
	limitJSON struct {
		Value float64 `json:"value"`
		Text  string  `json:"text"`
	}
	firedJSON struct {
		Times    int           `json:"times"`
		Seconds  float64       `json:"firing_seconds"`
		Longest  float64       `json:"longest_seconds"`
		Episodes []episodeJSON `json:"episodes,omitempty"`
	}
	triedJSON struct {
		limitJSON
		Suggested bool `json:"suggested,omitempty"`
		firedJSON
	}
	episodeJSON struct {
		From   time.Time         `json:"from"`
		To     time.Time         `json:"to"`
		Going  bool              `json:"still_firing,omitempty"`
		Labels map[string]string `json:"labels"`
	}
)

func (f backtested) json() backtestJSON {
	out := backtestJSON{URL: remote.Address(f.base), From: f.from.UTC(), To: f.to.UTC(), Asked: f.asked.Seconds(), Stored: f.to.Sub(f.from).Seconds(), Rules: []ruleReplay{}}
	for _, p := range f.rules {
		r := ruleReplay{Rule: p.rule.Alert, Source: string(p.rule.Source), Status: "quiet", Step: p.grid.step.Seconds()}
		if p.limited {
			r.Limit = &limitJSON{p.rule.Bound, p.unit.text(p.rule.Bound)}
		}
		switch {
		case p.err != nil:
			r.Status, r.Detail = "failed", p.err.Error()
		case p.noData():
			r.Status, r.Detail = "no data", "no sample of "+p.missing.of
		default:
			if p.missing.of == "" {
				since := p.since.UTC()
				r.Since = &since
			} else {
				r.Detail = "no sample of " + p.missing.of
			}
			if len(p.now.episodes) > 0 {
				r.Status = "fired"
			}
			r.firedJSON = p.json(p.now)
		}
		for _, t := range p.tried {
			r.Tried = append(r.Tried, triedJSON{limitJSON{t.value, t.text}, t.suggested, p.json(t.firing)})
		}
		out.Rules = append(out.Rules, r)
	}
	return out
}

func (p *replayed) json(f firing) firedJSON {
	out := firedJSON{Times: len(f.episodes), Seconds: f.total.Seconds(), Longest: p.length(f.longest).Seconds()}
	for _, e := range f.episodes {
		out.Episodes = append(out.Episodes, episodeJSON{p.grid.time(e.from).UTC(), p.grid.time(e.to).UTC(), e.going, p.lines[e.line].labels})
	}
	return out
}
