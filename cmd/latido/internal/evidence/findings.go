package evidence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/internal/cause"
	recorded "github.com/latido-dev/latido/internal/evidence"
)

// reasons are what stands out in a service now.
type reasons struct{ recorded.Findings }

// askFindings asks a service what stands out now; nil if it is none that tells.
func askFindings(ctx context.Context, base *url.URL) (*reasons, error) {
	var found reasons
	err := remote.AskJSON(ctx, base, remote.Request{Path: "api/findings"}, &found)
	if refused, ok := errors.AsType[remote.StatusError](err); ok && refused.Code == http.StatusNotFound {
		return nil, nil
	}
	if err == nil && found.At.IsZero() {
		err = fmt.Errorf("%s is no service of Latido's, or of another version: /api/findings answers without a time", remote.Address(base))
	}
	return &found, err
}

func (f *reasons) write(w io.Writer) {
	fmt.Fprintf(w, "what to look at first, at %s\n", f.At.Local().Format(time.TimeOnly))
	first := ""
	if len(f.Findings.Findings) > 0 {
		first = f.Findings.Findings[0].Sentence
	}
	writeFindings(w, first, f.Findings.Findings, f.None, f.Notes)
	fmt.Fprintln(w)
}

// writeFindings writes the cause, what to do, what else was found, and what the
// cause rests on.
func writeFindings(w io.Writer, first string, all []cause.Finding, none string, notes []string) {
	fmt.Fprintf(w, "\ncause\n  %s\n", cli.Safe(cmp.Or(first, "unknown: "+cmp.Or(none, "nothing stands out"))))
	for _, note := range notes {
		fmt.Fprintf(w, "  %s\n", cli.Safe(note))
	}
	if len(all) == 0 {
		return
	}
	if next := all[0].Next; next != "" {
		fmt.Fprintf(w, "\nwhat to do\n  %s\n", cli.Safe(next))
	}
	for i, f := range all[1:] {
		if i == 0 {
			fmt.Fprintln(w, "\nalso")
		}
		fmt.Fprintf(w, "  %s\n", cli.Safe(f.Sentence))
	}
	for i, line := range all[0].Rests {
		if i == 0 {
			fmt.Fprintln(w, "\nit rests on")
		}
		fmt.Fprintf(w, "  %s\n", cli.Safe(line))
	}
}
