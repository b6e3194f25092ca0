// Package evidence are the verbs report and incidents: what a running service
// found of itself.
package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/continuous"
)

// Report asks a running service where its time and memory go. With basic auth
// on its admin listener, LATIDO_USER and LATIDO_PASSWORD hold the credentials.
func Report() *cobra.Command {
	cmd := &cobra.Command{Use: "report", Short: "where a running service's time and memory go"}
	base := remote.URLOption(cmd)
	format := cli.Choice(cmd, "format", "text, json, or pprof for go tool pprof", "text", "json", "pprof")
	last := cmd.Flags().Duration("last", 0, "how far back to look, such as 5m; 0 for all that the service keeps")
	top := cmd.Flags().Int("top", 5, "entries in each list")
	out := cmd.Flags().String("out", "", "write to this `file` instead of standard output")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > 0:
			return cli.UsageError(fmt.Sprintf("unexpected %q: the service is named by -url", args[0]))
		case *last < 0 || *top < 1:
			return cli.UsageError("-last and -top are not negative")
		}
		u, err := remote.ServiceURL(*base)
		if err != nil {
			return err
		}
		answer, err := report(cmd.Context(), u, *format, *last, *top)
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

func report(ctx context.Context, u *url.URL, format string, last time.Duration, top int) ([]byte, error) {
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
	r, err := continuous.ReadReport(bytes.NewReader(answer))
	if err == nil && r.To.IsZero() {
		err = errors.New("the answer has no time range")
	}
	if err != nil {
		return nil, fmt.Errorf("%s is no service of Latido's, or of another version: %w", remote.Address(u), err)
	}
	var text bytes.Buffer
	found, err := askFindings(ctx, u)
	switch {
	case err != nil: // the rest is as good without
		fmt.Fprintf(&text, "what to look at first is not known: %s\n\n", cli.Safe(err.Error()))
	case found != nil:
		found.write(&text)
	}
	err = r.WriteText(&text)
	return text.Bytes(), err
}
