// Package evidence are the verbs report and incidents: what a running service
// found of itself.
package evidence

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/humanize"
	"github.com/latido-dev/latido/internal/profiles"
)

// Report asks a running service where its time and memory go. With basic auth
// on its admin listener, LATIDO_USER and LATIDO_PASSWORD hold the credentials.
func Report() *cobra.Command {
	cmd := &cobra.Command{Use: "report", Short: "where a running service's time and memory go"}
	base := remote.URLOption(cmd)
	format := cli.Choice(cmd, "format", "text, json, pprof for go tool pprof, or html: one page with figures, profiles, alerts and the response plan", "text", "json", "pprof", "html")
	file := cmd.Flags().String("domain", "", "the domain `file` with the response plan, for -format html; empty means "+cli.DomainFile+" if it is there")
	cli.Files(cmd, "domain", "yaml", "yml")
	var since domain.Duration
	cmd.Flags().TextVar(&since, "last", domain.Duration(0), "how far back to look, a `duration` such as 5m or 1d; 0 for all that the service keeps")
	top := cmd.Flags().Int("top", 5, "entries in each list")
	out := cmd.Flags().String("out", "", "write to this `file` instead of standard output")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		last := time.Duration(since)
		switch {
		case len(args) > 0:
			return cli.UsageError(fmt.Sprintf("unexpected %q: the service is named by -url", args[0]))
		case last < 0 || *top < 1:
			return cli.UsageError("-last and -top are not negative")
		}
		u, err := remote.ServiceURL(*base)
		if err != nil {
			return err
		}
		var answer []byte
		if *format == "html" {
			answer, err = htmlPage(cmd.Context(), u, last, *top, *file, cli.LanguageOf(cmd))
		} else {
			answer, err = report(cmd.Context(), u, *format, last, *top, cli.Language(cli.LanguageOf(cmd), ""))
		}
		if err != nil {
			return err
		}
		if *out != "" {
			return os.WriteFile(*out, answer, 0o644)
		}
		_, _ = cmd.OutOrStdout().Write(answer) // cli.Run tells
		return nil
	}
	return cmd
}

func report(ctx context.Context, u *url.URL, format string, last time.Duration, top int, language string) ([]byte, error) {
	query := url.Values{"format": {"json"}, "top": {strconv.Itoa(top)}}
	if format == "pprof" {
		query.Set("format", "pprof")
	}
	if last > 0 {
		query.Set("last", last.String())
	}
	answer, err := remote.Ask(ctx, u, remote.Request{Path: "debug/report", Query: query})
	if err != nil || format != "text" {
		return answer, err
	}
	r, err := readReport(u, answer)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	found, err := askFindings(ctx, u)
	switch {
	case err != nil: // the rest is as good without
		text.WriteString(cli.Say(language, fmt.Sprintf("what to look at first is not known: %s\n\n", cli.Safe(err.Error()))))
	case found != nil:
		cli.Spoken(&text, language, found.write)
	}
	reasonsIn(language, r)
	cli.Spoken(&text, language, func(w io.Writer) { _ = r.WriteText(w) }) // a Buffer's writes do not fail
	return text.Bytes(), nil
}

// reasonsIn writes what goroutines wait for in a language.
func reasonsIn(language string, r *continuous.Report) {
	words := humanize.Of(language)
	for _, usages := range [][]profiles.Usage{r.Endpoints, r.Regions} {
		for i := range usages {
			for j := range usages[i].Waits.Places {
				place := &usages[i].Waits.Places[j]
				place.Reason = words.Wait(place.Reason)
			}
		}
	}
	for i := range r.Started {
		r.Started[i].Reason = words.Wait(r.Started[i].Reason)
	}
}
