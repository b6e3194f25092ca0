package evidence

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	recorded "github.com/latido-dev/latido/internal/evidence"
	"github.com/latido-dev/latido/internal/humanize"
	"github.com/latido-dev/latido/internal/stacks"
)

// incident is one as a service keeps it, for a terminal.
type incident struct{ recorded.Incident }

// showIncident writes one incident for a person, or as the service has it.
func showIncident(ctx context.Context, w io.Writer, base *url.URL, id, format string) error {
	q := remote.Request{Path: "api/incidents/" + id}
	if format == "json" {
		answer, err := remote.Ask(ctx, base, q)
		if err == nil && !json.Valid(answer) {
			err = fmt.Errorf("%s answers /%s with something that is no JSON", remote.Address(base), q.Path)
		}
		if err == nil {
			_, _ = w.Write(answer) // cli.Run tells
		}
		return err
	}
	var in incident
	if err := remote.AskJSON(ctx, base, q, &in); err != nil {
		return err
	}
	in.ID = id
	in.write(w)
	fmt.Fprintf(w, "\n%s\nlatido incidents %s -out . saves it with its profiles\n", cli.Safe(remote.PageURL(base, base.JoinPath("incidents", id).String())), id)
	return nil
}

// mostLines is how many lines of each kind are shown.
const mostLines = 5

func (in *incident) write(w io.Writer) {
	head := []string{cli.Safe(in.Name), cli.Safe(in.Severity)}
	if in.Drill {
		head = append(head, "(drill)")
	}
	head = append(head, cli.Safe(in.Service), cli.Safe(recorded.Release{Version: in.Version, Revision: in.Revision}.String()))
	fmt.Fprintln(w, strings.Join(strings.Fields(strings.Join(head, " ")), " "))
	fmt.Fprintf(w, "%s, %s", in.StartsAt.Local().Format(timeFormat), map[bool]string{true: "goes on", false: "lasted " + lasted(in.Kind, in.StartsAt, in.EndsAt)}[in.EndsAt == nil])
	if !in.ActiveAt.IsZero() {
		fmt.Fprintf(w, ", condition since %s", in.ActiveAt.Local().Format(time.TimeOnly))
	}
	if in.Kind == "alert" {
		fmt.Fprintf(w, ", value %s", cli.Figure(in.Value))
	}
	if in.Endpoint != "" {
		fmt.Fprintf(w, ", endpoint %s", cli.Safe(in.Endpoint))
	}
	fmt.Fprintln(w)
	if summary := in.Annotations["summary"]; summary != "" {
		fmt.Fprintln(w, cli.Safe(summary))
	}
	writeFindings(w, in.Cause, in.Findings, in.None, in.Notes)
	in.writeWaits(w)
	in.writeProfiles(w)
	in.writeGoroutines(w)
	in.writeChanges(w)
	if s := in.Slowest; s != nil {
		fmt.Fprintf(w, "\nslowest trace\n  %s  %s s, %s, %s\n", cli.Safe(s.TraceID), cli.Figure(s.Seconds), cli.Safe(cmp.Or(s.Endpoint, "-")), s.At.Local().Format(timeFormat))
	}
	if runbook := in.Annotations["runbook_url"]; runbook != "" {
		fmt.Fprintf(w, "\nrunbook\n  %s\n", cli.Safe(runbook))
	}
}

func (in *incident) writeWaits(w io.Writer) {
	if in.Waits == nil || len(in.Waits.Places) == 0 {
		return
	}
	fmt.Fprintf(w, "\nwhere requests wait: %s of those seen do\n", percent(in.Waits.Share))
	rows(w, len(in.Waits.Places), func(i int) string {
		p := in.Waits.Places[i]
		return fmt.Sprintf("%s\t%s\t%s\t%s at a time, %s before", percent(p.Share), place(p.Function, p.File, p.Line), cli.Safe(p.Reason), cli.Figure(p.After), cli.Figure(p.Before))
	})
}

func (in *incident) writeProfiles(w io.Writer) {
	for _, p := range in.Profiles {
		if p.Before == 0 && p.After == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s: %s, %s before\n", cli.Safe(profileTypes[p.Type].of(p.Type)), cost(p.Type, p.After), cost(p.Type, p.Before))
		hot := p.Hot.Own
		if len(hot) == 0 {
			hot = p.Hot.Self
		}
		rows(w, len(hot), func(i int) string {
			f := hot[i]
			text := percent(f.Share) + "\t" + place(f.Function, f.File, f.Line)
			for _, d := range p.Diff {
				if d.Function == f.Function {
					text += fmt.Sprintf("\t%s, %s before", cost(p.Type, d.After), cost(p.Type, d.Before))
				}
			}
			if f.Mostly != "" {
				text += "\tmostly in " + cli.Safe(stacks.Short(f.Mostly))
			}
			return text
		})
	}
}

func (in *incident) writeGoroutines(w io.Writer) {
	g := in.Goroutines
	if g == nil {
		return
	}
	fmt.Fprintf(w, "\ngoroutines: %d, %d before\n", g.After, g.Before)
	rows(w, len(g.Groups), func(i int) string {
		s := g.Groups[i]
		return fmt.Sprintf("%d\t%s\t%s\t%d before", s.After, place(s.Function, s.File, s.Line), cli.Safe(cmp.Or(s.Reason, "runs")), s.Before)
	})
}

func (in *incident) writeChanges(w io.Writer) {
	if len(in.Errors) > 0 {
		fmt.Fprintln(w, "\nerrors")
		rows(w, len(in.Errors), func(i int) string {
			m := in.Errors[i]
			return fmt.Sprintf("%s\t%s\t%s\t%.0f, %.0f before", cli.Safe(m.Name), cli.Safe(cmp.Or(m.Endpoint, "-")), cli.Safe(m.Label), m.After, m.Before)
		})
	}
	if in.Deployed == nil && len(in.Moved) == 0 {
		return
	}
	fmt.Fprintln(w, "\nat the same time")
	if d := in.Deployed; d != nil {
		fmt.Fprintf(w, "  version %s took the place of %s", cli.Safe(d.After.String()), cli.Safe(d.Before.String()))
		if !d.At.IsZero() {
			fmt.Fprintf(w, " at %s", d.At.Local().Format(time.TimeOnly))
		}
		fmt.Fprintln(w)
	}
	rows(w, len(in.Moved), func(i int) string {
		return fmt.Sprintf("%s\t%.0f, %.0f before", cli.Safe(in.Moved[i].Name), in.Moved[i].After, in.Moved[i].Before)
	})
}

// rows writes the first lines of a list, in columns.
func rows(w io.Writer, n int, row func(i int) string) {
	cli.Table(w, func(w io.Writer) {
		for i := range min(n, mostLines) {
			fmt.Fprintf(w, "  %s\n", row(i))
		}
	})
	if n > mostLines {
		fmt.Fprintf(w, "  and %d more\n", n-mostLines)
	}
}

// profileType says what a profile is about, and in which unit.
type profileType struct{ about, unit string }

var profileTypes = map[string]profileType{
	"cpu": {"CPU", "cores"}, "alloc_space": {"allocation", "/s"}, "inuse_space": {"memory in use", ""},
	"mutex": {"lock contention", "s of waiting a second"}, "block": {"blocking", "s of waiting a second"},
}

func (p profileType) of(name string) string { return cmp.Or(p.about, name) }

// cost is a figure of a profile, with its unit.
func cost(sampleType string, v float64) string {
	unit := profileTypes[sampleType].unit
	if strings.HasSuffix(sampleType, "_space") {
		return sized(v) + unit
	}
	return strings.TrimSpace(cli.Figure(v) + " " + unit)
}

// sized is a number of bytes.
func sized(v float64) string { return humanize.Language{}.Bytes(v) }

func percent(share float64) string { return fmt.Sprintf("%.0f %%", share*100) }

// place is a function and its line, for people.
func place(function, file string, line int64) string {
	return fmt.Sprintf("%s (%s:%d)", cli.Safe(stacks.Short(function)), cli.Safe(path.Base(file)), line)
}
