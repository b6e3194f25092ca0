package embedded

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/latido-dev/latido/internal/testkit"
)

func TestMain(m *testing.M) {
	testkit.Parallel(6)
	goleak.VerifyTestMain(m)
}
