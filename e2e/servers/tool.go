package servers

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// toReport is how long before the test's own deadline a tool is ended, so that
// the test can say what it printed.
const toReport = 10 * time.Second

// Promtool runs promtool with stdin, as in
//
//	out, err := servers.Promtool(t, metrics, "check", "metrics")
//
// and returns what it wrote to stdout and stderr. The error wraps an
// [*exec.ExitError] when promtool found something wrong: out says what.
func Promtool(t testing.TB, stdin string, args ...string) (out string, err error) {
	t.Helper()
	return tool(t, "promtool", stdin, args...)
}

// Amtool runs amtool with stdin, as in
//
//	out, err := servers.Amtool(t, "", "check-config", "alertmanager.yaml")
//
// and returns what it wrote to stdout and stderr. The error wraps an
// [*exec.ExitError] when amtool found something wrong: out says what.
func Amtool(t testing.TB, stdin string, args ...string) (out string, err error) {
	t.Helper()
	return tool(t, "amtool", stdin, args...)
}

// tool runs a command line tool that build.sh built. It may take as long as the
// test may: how busy the machine is says nothing about what the tool is given.
func tool(t testing.TB, name, stdin string, args ...string) (out string, err error) {
	t.Helper()
	ctx := t.Context()
	if t, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if deadline, ok := t.Deadline(); ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, deadline.Add(-toReport))
			defer cancel()
		}
	}
	cmd := exec.CommandContext(ctx, Path(t, name), args...)
	cmd.Stdin = strings.NewReader(stdin)
	text, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		err = fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return string(text), err
}
