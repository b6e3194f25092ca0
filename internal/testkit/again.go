package testkit

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Again runs the test that calls it once more, in a process of its own that has
// these variables beside the environment's, and wants it to pass there. A
// subtest runs the test that it is of. The test tells by a variable which of the
// two it is.
func Again(t *testing.T, variables ...string) {
	t.Helper()
	name, _, _ := strings.Cut(t.Name(), "/")
	other := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+name+"$", "-test.v", "-test.timeout=5m")
	other.Env = append(os.Environ(), variables...)
	out, err := other.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+name) { // without a test to run a process is content, too
		t.Errorf("in a process of its own: %v\n%s", err, out)
	}
}
