// Package diff compares two domain files: what was added, renamed, changed or
// removed, and what breaks by it.
package diff

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/latido-dev/latido/domain"
)

// Options say what is compared.
type Options struct {
	// Old and New are files, or files at a revision of git: HEAD~1:domain.yaml. A
	// revision alone is the other's file then.
	Old, New string
	// JSON writes the report as JSON.
	JSON bool
}

// Change is one difference.
type Change struct {
	// Kind is added, renamed, changed or removed.
	Kind string `json:"kind"`
	// What has changed: event, label, value, rule, limit, objective ...
	What string `json:"what"`
	// Name is its name: canal of pedidos.
	Name string `json:"name"`
	// Detail says from what to what.
	Detail string `json:"detail,omitempty"`
	// Breaks lists what stops to work: series, rules, objectives, panels, files.
	Breaks []string `json:"breaks,omitempty"`
	// Fix says how it goes on working.
	Fix string `json:"fix,omitempty"`
}

// report is what is written.
type report struct {
	Old     string   `json:"old"`
	New     string   `json:"new"`
	Breaks  bool     `json:"breaks"`
	Notes   []string `json:"notes,omitempty"` // what is not compared
	Changes []Change `json:"changes"`
}

// Run writes how two domain files differ, and tells whether anything breaks.
// The error says why they cannot be compared.
func Run(w io.Writer, o Options) (breaks bool, err error) {
	before, after, err := load(o)
	if err != nil {
		return false, err
	}
	r := report{Old: before.name, New: after.name, Notes: append(before.notes, after.notes...), Changes: compare(before.d, after.d)}
	byHand(r.Changes, before.d, after.dir)
	for _, c := range r.Changes {
		r.Breaks = r.Breaks || len(c.Breaks) > 0
	}
	if o.JSON {
		if r.Changes == nil {
			r.Changes = []Change{}
		}
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return r.Breaks, e.Encode(r)
	}
	r.write(w)
	return r.Breaks, nil
}

// most is how many names of one kind are listed.
const most = 5

func (r report) write(w io.Writer) {
	for _, note := range r.Notes {
		fmt.Fprintf(w, "note  %s\n", note)
	}
	if len(r.Changes) == 0 {
		fmt.Fprintf(w, "%s and %s say the same\n", r.Old, r.New)
		return
	}
	broken := 0
	for _, c := range r.Changes {
		status := "ok  "
		if len(c.Breaks) > 0 {
			status = "FAIL"
			broken++
		}
		fmt.Fprintf(w, "%s  %-8s %s %s", status, c.Kind, c.What, c.Name)
		if c.Detail != "" {
			fmt.Fprintf(w, ": %s", c.Detail)
		}
		fmt.Fprintln(w)
		for _, b := range c.Breaks {
			fmt.Fprintf(w, "      breaks %s\n", b)
		}
		if c.Fix != "" {
			fmt.Fprintf(w, "      %s\n", c.Fix)
		}
	}
	fmt.Fprintf(w, "%s to %s: %d of %d changes break something\n", r.Old, r.New, broken, len(r.Changes))
}

// compare lists what differs, the loudest first: what every series has, events,
// rules, objectives, receivers.
func compare(before, after domain.Domain) []Change {
	u := usesOf(before)
	changes := identity(u, before, after)
	if before.Prefix != after.Prefix {
		// Under another prefix every series is another one: compared are the
		// words of the file.
		u.series = nil
	}
	changes = append(changes, events(u, before, after)...)
	changes = append(changes, thresholds(before, after)...)
	changes = append(changes, objectives(u, before, after)...)
	changes = append(changes, defaults(before, after)...)
	return append(changes, receivers(before, after)...)
}

// identity is what all series have in their names and labels.
func identity(u *uses, before, after domain.Domain) []Change {
	var changes []Change
	if before.Prefix != after.Prefix {
		changes = append(changes, Change{
			Kind: "renamed", What: "prefix", Name: before.Prefix, Detail: "now " + after.Prefix,
			Breaks: []string{fmt.Sprintf("every series: %d names that begin with %s_", len(u.series), before.Prefix)},
			Fix:    "what others ask for under the old names finds nothing: change it in the same pull request, then remove what is left: latido generate all -prune",
		})
	}
	if before.Service() != after.Service() {
		changes = append(changes, Change{
			Kind: "renamed", What: "service", Name: before.Service(), Detail: "now " + after.Service(),
			Breaks: []string{fmt.Sprintf("the label job=%q of every series, and service.name of traces and profiles", before.Service())},
			Fix:    "change it where others filter by it; alerts that are pending begin anew",
		})
	}
	if before.TimeZone != after.TimeZone {
		changes = append(changes, Change{Kind: "changed", What: "time zone", Name: or(before.TimeZone, "UTC"), Detail: "now " + or(after.TimeZone, "UTC")})
	}
	return changes
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// few lists the first names, and how many more there are.
func few(names []string) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// unique are the names once each, in order.
func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
