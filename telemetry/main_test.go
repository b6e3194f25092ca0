package telemetry

import (
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails if a test leaves a goroutine behind. Tests say themselves
// what they want of the environment.
func TestMain(m *testing.M) {
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "OTEL_") || strings.HasPrefix(name, "PYROSCOPE_") {
			if err := os.Unsetenv(name); err != nil {
				panic(err)
			}
		}
	}
	goleak.VerifyTestMain(m)
}
