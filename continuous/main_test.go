package continuous

import (
	"testing"

	"go.uber.org/goleak"
)

// leak is what TestLeaks wants found, where the runtime can.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/latido-dev/latido/continuous.leak.func1"))
}
