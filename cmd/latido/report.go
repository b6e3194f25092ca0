package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"

	"github.com/latido-dev/latido/continuous"
)

// report asks a running service where its time and memory go. With basic auth
// on its admin listener, LATIDO_USER and LATIDO_PASSWORD hold the credentials.
func report(c *call) error {
	base := c.flags.String("url", defaultURL, "the service's admin listener")
	last := c.flags.Duration("last", 0, "how far back to look, such as 5m; 0 for all that the service keeps")
	format := c.flags.String("format", "text", "text, json, or pprof for go tool pprof")
	top := c.flags.Int("top", 5, "entries in each list")
	out := c.flags.String("out", "", "write to this `file` instead of standard output")
	rest, err := c.parse()
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return usageError{fmt.Sprintf("unexpected %q: the service is named by -url", rest[0])}
	case *format != "text" && *format != "json" && *format != "pprof":
		return usageError{fmt.Sprintf("-format %q: write text, json or pprof", *format)}
	case *last < 0 || *top < 1:
		return usageError{"-last and -top are not negative"}
	}
	query := url.Values{"format": {"json"}, "top": {strconv.Itoa(*top)}}
	if *format == "pprof" {
		query.Set("format", "pprof")
	}
	if *last > 0 {
		query.Set("last", last.String())
	}
	u, err := serviceURL(*base)
	if err != nil {
		return err
	}
	ctx := context.Background()
	answer, err := ask(ctx, u, request{path: "debug/report", query: query})
	if err != nil {
		return err
	}
	if *format == "text" {
		r, err := continuous.ReadReport(bytes.NewReader(answer))
		if err == nil && r.To.IsZero() {
			err = errors.New("the answer has no time range")
		}
		if err != nil {
			return fmt.Errorf("%s is no service of Latido's, or of another version: %w", address(u), err)
		}
		var text bytes.Buffer
		found, err := askFindings(ctx, u)
		switch {
		case err != nil: // the rest is as good without
			fmt.Fprintf(&text, "what to look at first is not known: %s\n\n", safe(err.Error()))
		case found != nil:
			found.write(&text)
		}
		if err := r.WriteText(&text); err != nil {
			return err
		}
		answer = text.Bytes()
	}
	if *out != "" {
		return os.WriteFile(*out, answer, 0o644)
	}
	_, _ = c.stdout.Write(answer) // run tells
	return nil
}
