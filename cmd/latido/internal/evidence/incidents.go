package evidence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/domain"
	recorded "github.com/latido-dev/latido/internal/evidence"
)

// incidentKinds are the kinds of an incident; "" is any.
var incidentKinds = []string{"", "alert", "release"}

// incidentID is what an id looks like. It becomes a part of file names: a
// service must not be able to choose a folder by it.
var incidentID = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[a-z0-9_]{1,64}-[0-9a-f]{6}$`)

// Incidents lists the incidents that a service keeps, or shows or saves one.
func Incidents() *cobra.Command {
	cmd := &cobra.Command{
		Use: "incidents [ID]", Short: "what alerts of a running service fired, and why; show or save one",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) (ids []string, _ cobra.ShellCompDirective) {
			u, err := remote.ServiceURL(cmd.Flag("url").Value.String())
			if err != nil || len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			all, _ := listIncidents(cmd.Context(), u) // nobody answers: nothing is offered
			for _, in := range all {
				ids = append(ids, in.ID)
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
	}
	base := remote.URLOption(cmd)
	var last domain.Duration
	cmd.Flags().TextVar(&last, "last", domain.Duration(0), "only what was going on in the last `duration`, such as 24h or 7d; 0 for all that the service keeps")
	kind := cli.Choice(cmd, "kind", "only incidents of this kind: "+cli.OneOf(incidentKinds), incidentKinds...)
	format := cli.Choice(cmd, "format", "text or json", "text", "json")
	out := cmd.Flags().String("out", "", "save the incident in this `folder`: JSON, a page and its profiles")
	cli.Files(cmd, "out")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > 1:
			return cli.UsageError("one incident at a time")
		case len(args) == 1 && (last != 0 || *kind != ""):
			return cli.UsageError("-last and -kind are for the list, without an id")
		case len(args) == 0 && *out != "":
			return cli.UsageError("-out saves one incident: say which, by its id")
		}
		u, err := remote.ServiceURL(*base)
		if err != nil {
			return err
		}
		all, err := listIncidents(cmd.Context(), u)
		if err != nil {
			return err
		}
		language := cli.Language(cli.LanguageOf(cmd), "")
		if *format == "json" {
			language = "en" // the words of an answer are its keys
		}
		cli.Spoken(cmd.OutOrStdout(), language, func(w io.Writer) {
			if len(args) == 0 {
				list(w, all, *kind, time.Duration(last), *format, language)
				return
			}
			var id string
			switch id, err = whichIncident(args[0], all); {
			case err != nil:
			case *out != "":
				err = saveIncident(cmd.Context(), w, u, id, *out)
			default:
				err = showIncident(cmd.Context(), w, u, id, *format)
			}
		})
		return err
	}
	return cmd
}

// list writes the incidents of a kind that were going on in the last time.
func list(w io.Writer, all []recorded.Summary, kind string, last time.Duration, format string, language string) {
	some := slices.DeleteFunc(slices.Clone(all), func(in recorded.Summary) bool {
		over := in.EndsAt
		if over == nil && in.Kind == "release" { // a moment
			over = &in.StartsAt
		}
		return kind != "" && in.Kind != kind || last > 0 && over != nil && time.Since(*over) > last
	})
	if format == "json" {
		cli.JSON(w, map[string]any{"incidents": some})
		return
	}
	writeIncidents(w, some, len(all), language)
}

// listIncidents asks for the list, the newest first.
func listIncidents(ctx context.Context, base *url.URL) ([]recorded.Summary, error) {
	var answer struct{ Incidents *[]recorded.Summary }
	err := remote.AskJSON(ctx, base, remote.Request{Path: "api/incidents"}, &answer)
	if refused, ok := errors.AsType[remote.StatusError](err); ok && refused.Code == http.StatusNotFound {
		return nil, fmt.Errorf("%s keeps no incidents: call embedded.Start in the service, or name its admin listener with -url", remote.Address(base))
	}
	if err != nil {
		return nil, err
	}
	if answer.Incidents == nil {
		return nil, fmt.Errorf("%s is no service of Latido's, or of another version: /api/incidents answers without a list", remote.Address(base))
	}
	all := *answer.Incidents
	slices.SortStableFunc(all, func(a, b recorded.Summary) int {
		return cmp.Or(b.StartsAt.Compare(a.StartsAt), strings.Compare(b.ID, a.ID))
	})
	return all, nil
}

// whichIncident finds the incident that was meant: by its id, or a part of one
// that no other has.
func whichIncident(text string, all []recorded.Summary) (string, error) {
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
		return "", fmt.Errorf("%d incidents have %q in their id, the newest is %s: write more of it", len(found), text, cli.Safe(found[0]))
	case len(found) == 0 && len(all) == 0:
		return "", fmt.Errorf("there is no incident %q: the service keeps none", text)
	case len(found) == 0:
		return "", fmt.Errorf("there is no incident %q%s: latido incidents lists them", text, cli.DidYouMean(text, ids))
	case !incidentID.MatchString(found[0]):
		return "", fmt.Errorf("%q is no id: one looks like 20060102T150405Z-name-0a1b2c", found[0])
	}
	return found[0], nil
}

// writeIncidents writes the list for people: a row and the cause of each.
func writeIncidents(w io.Writer, some []recorded.Summary, all int, language string) {
	if len(some) == 0 {
		text := "no incidents"
		if all > 0 {
			text += fmt.Sprintf(" of these; there are %d in all", all)
		}
		fmt.Fprintln(w, text)
		return
	}
	// The id and the cause have lines of their own: a row fits a terminal of 80
	// columns, and the id is copied as one word.
	var rows strings.Builder
	table := tabwriter.NewWriter(&rows, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, cli.Say(language, "WHEN\tLASTED\tSEVERITY\tALERT"))
	for _, in := range some {
		severity := cmp.Or(in.Severity, "-")
		if in.Drill {
			severity += " " + cli.Say(language, "(drill)")
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", in.StartsAt.Local().Format(timeFormat), cli.Say(language, lasted(in.Kind, in.StartsAt, in.EndsAt)),
			cli.Safe(severity), cli.Safe(strings.TrimSpace(in.Name+" "+in.Endpoint)))
	}
	_ = table.Flush() // a Builder's writes do not fail
	lines := strings.SplitAfter(rows.String(), "\n")
	_, _ = w.Write([]byte(lines[0])) // cli.Run tells
	for i, in := range some {
		fmt.Fprint(w, lines[i+1])
		switch {
		case in.Cause != "":
			fmt.Fprintf(w, "    %s\n", cli.Safe(in.Cause))
		case in.None != "":
			fmt.Fprintf(w, "    no cause found: %s\n", cli.Safe(in.None))
		}
		fmt.Fprintf(w, "    %s\n", cli.Safe(in.ID))
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
	return cli.Spell(to.Sub(from))
}
