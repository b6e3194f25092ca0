package prom

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if child() {
		return
	}
	// Tests wait for intervals most of the time, and not for a processor.
	if n := flag.Lookup("test.parallel"); n.Value.String() == n.DefValue {
		_ = n.Value.Set("4")
	}
	goleak.VerifyTestMain(m)
}
