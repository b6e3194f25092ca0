package prom

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/latido-dev/latido/internal/testkit"
)

func TestMain(m *testing.M) {
	if child() {
		return
	}
	testkit.Parallel(4)
	goleak.VerifyTestMain(m)
}
