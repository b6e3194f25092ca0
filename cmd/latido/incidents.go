package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/latido-dev/latido/domain"
)

// incidentSummary is an incident in the service's list.
type incidentSummary struct {
	ID       string     `json:"id"`
	Kind     string     `json:"kind"`
	Name     string     `json:"name"`
	Severity string     `json:"severity,omitempty"`
	Drill    bool       `json:"drill,omitempty"`
	Endpoint string     `json:"endpoint,omitempty"`
	StartsAt time.Time  `json:"starts_at"`
	EndsAt   *time.Time `json:"ends_at,omitempty"`
	Cause    string     `json:"cause,omitempty"`
	None     string     `json:"none,omitempty"`
	URL      string     `json:"url"`
}

// incidentKinds are the kinds of an incident.
var incidentKinds = []string{"alert", "release"}

// incidentID is what an id looks like. It becomes a part of file names: a
// service must not be able to choose a folder by it.
var incidentID = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[a-z0-9_]{1,64}-[0-9a-f]{6}$`)

// incidents lists the incidents that a service keeps, or shows or saves one.
func incidents(c *call) error {
	base := c.flags.String("url", defaultURL, "the service's admin listener")
	var last domain.Duration
	c.flags.TextVar(&last, "last", domain.Duration(0), "only what was going on in the last `duration`, such as 24h or 7d; 0 for all that the service keeps")
	kind := c.flags.String("kind", "", "only incidents of this kind: "+strings.Join(incidentKinds, " or "))
	format := c.flags.String("format", "text", "text or json")
	out := c.flags.String("out", "", "save the incident in this `folder`: JSON, a page and its profiles")
	rest, err := c.parse()
	switch {
	case err != nil:
		return err
	case len(rest) > 1:
		return usageError{"one incident at a time"}
	case *format != "text" && *format != "json":
		return usageError{fmt.Sprintf("-format %q: write text or json", *format)}
	case *kind != "" && !slices.Contains(incidentKinds, *kind):
		return usageError{fmt.Sprintf("-kind %q: write %s", *kind, strings.Join(incidentKinds, " or "))}
	case len(rest) == 1 && (last != 0 || *kind != ""):
		return usageError{"-last and -kind are for the list, without an id"}
	case len(rest) == 0 && *out != "":
		return usageError{"-out saves one incident: say which, by its id"}
	}
	u, err := serviceURL(*base)
	if err != nil {
		return err
	}
	ctx := context.Background()
	all, err := listIncidents(ctx, u)
	if err != nil {
		return err
	}
	if len(rest) == 1 {
		id, err := whichIncident(rest[0], all)
		if err != nil {
			return err
		}
		if *out != "" {
			return saveIncident(ctx, c, u, id, *out)
		}
		return showIncident(ctx, c, u, id, *format)
	}
	some := slices.DeleteFunc(all, func(in incidentSummary) bool {
		over := in.EndsAt
		if over == nil && in.Kind == "release" { // a moment
			over = &in.StartsAt
		}
		return *kind != "" && in.Kind != *kind || last > 0 && over != nil && time.Since(*over) > time.Duration(last)
	})
	if *format == "json" {
		encoder := json.NewEncoder(c.stdout)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(map[string]any{"incidents": some}) // run tells
		return nil
	}
	writeIncidents(c, some, len(all))
	return nil
}

// listIncidents asks for the list, the newest first.
func listIncidents(ctx context.Context, base *url.URL) ([]incidentSummary, error) {
	var answer struct{ Incidents *[]incidentSummary }
	err := askJSON(ctx, base, request{path: "api/incidents"}, &answer)
	var refused statusError
	if errors.As(err, &refused) && refused.code == http.StatusNotFound {
		return nil, fmt.Errorf("%s keeps no incidents: call embedded.Start in the service, or name its admin listener with -url", address(base))
	}
	if err != nil {
		return nil, err
	}
	if answer.Incidents == nil {
		return nil, fmt.Errorf("%s is no service of Latido's, or of another version: /api/incidents answers without a list", address(base))
	}
	all := *answer.Incidents
	slices.SortStableFunc(all, func(a, b incidentSummary) int {
		return cmp.Or(b.StartsAt.Compare(a.StartsAt), strings.Compare(b.ID, a.ID))
	})
	return all, nil
}

// whichIncident finds the incident that was meant: by its id, or a part of one
// that no other has.
func whichIncident(text string, all []incidentSummary) (string, error) {
	var found, ids []string
	for _, in := range all {
		if in.ID == text {
			found = []string{in.ID}
			break
		}
		if strings.Contains(in.ID, text) {
			found = append(found, in.ID)
		}
		ids = append(ids, in.ID)
	}
	switch {
	case len(found) > 1:
		return "", fmt.Errorf("%d incidents have %q in their id, the newest is %s: write more of it", len(found), text, safe(found[0]))
	case len(found) == 0 && len(all) == 0:
		return "", fmt.Errorf("there is no incident %q: the service keeps none", text)
	case len(found) == 0:
		return "", fmt.Errorf("there is no incident %q%s: latido incidents lists them", text, didYouMean(text, ids))
	case !incidentID.MatchString(found[0]):
		return "", fmt.Errorf("%q is no id: one looks like 20060102T150405Z-name-0a1b2c", found[0])
	}
	return found[0], nil
}

// writeIncidents writes the list for people: a row and the cause of each.
func writeIncidents(c *call, some []incidentSummary, all int) {
	if len(some) == 0 {
		text := "no incidents"
		if all > 0 {
			text += fmt.Sprintf(" of these; there are %d in all", all)
		}
		fmt.Fprintln(c.stdout, text)
		return
	}
	// The cause is on a line of its own, which is no part of the table.
	var rows strings.Builder
	table := tabwriter.NewWriter(&rows, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHEN\tLASTED\tNAME\tSEVERITY\tENDPOINT\tID")
	for _, in := range some {
		severity := cmp.Or(in.Severity, "-")
		if in.Drill {
			severity += " (drill)"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", in.StartsAt.Local().Format(timeFormat), lasted(in.Kind, in.StartsAt, in.EndsAt),
			safe(in.Name), safe(severity), safe(cmp.Or(in.Endpoint, "-")), safe(in.ID))
	}
	_ = table.Flush() // a Builder's writes do not fail
	lines := strings.SplitAfter(rows.String(), "\n")
	_, _ = c.stdout.Write([]byte(lines[0])) // run tells
	for i, in := range some {
		fmt.Fprint(c.stdout, lines[i+1])
		switch {
		case in.Cause != "":
			fmt.Fprintf(c.stdout, "    %s\n", safe(in.Cause))
		case in.None != "":
			fmt.Fprintf(c.stdout, "    no cause found: %s\n", safe(in.None))
		}
	}
}

// timeFormat is how people are told of a moment, in their own time.
const timeFormat = "2006-01-02 15:04:05"

// lasted is how long an incident did, or that it goes on.
func lasted(kind string, from time.Time, to *time.Time) string {
	switch {
	case kind == "release":
		return "-"
	case to == nil:
		return "goes on"
	}
	return spell(to.Sub(from))
}
