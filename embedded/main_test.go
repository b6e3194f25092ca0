package embedded

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Tests wait for the times of rules and receivers, and not for a processor.
	if n := flag.Lookup("test.parallel"); n.Value.String() == n.DefValue {
		_ = n.Value.Set("6")
	}
	goleak.VerifyTestMain(m)
}
