package testkit

import (
	"strings"
	"testing"
)

// Error checks that the text of err contains want; want "" means that there
// must be no error at all.
func Error(t testing.TB, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("unexpected error: %v", err)
	case want != "" && err == nil:
		t.Errorf("no error, want one with %q", want)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Errorf("wrong error\n got: %v\nwant: %s", err, want)
	}
}
