package telemetry

import (
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/latido-dev/latido/internal/testkit"
)

// TestNoDescriptorsLeft: a process that has used up its file descriptors says so,
// though it has none to look with, and a name that is not found for that is no
// fault of the name. It is another process, as the limit is one's own.
func TestNoDescriptorsLeft(t *testing.T) {
	const variable, limit = "WITHOUT_DESCRIPTORS", 64
	if os.Getenv(variable) == "" {
		t.Parallel()
		testkit.Again(t, variable+"=1")
		return
	}
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit, Max: limit}))
	tel := start(t)
	scrape(t, tel).want(t, series{"tienda_process_max_fds": limit})
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		defer f.Close()
	}
	_, err := net.DefaultResolver.LookupHost(t.Context(), "localhost")
	if err == nil {
		t.Fatal("the name was found")
	}
	tel.APIError(err)
	tel.host.at = time.Now().Add(-2 * hostTTL)
	scrape(t, tel).want(t, series{
		"tienda_process_open_fds": limit, "tienda_process_max_fds": limit,
		`tienda_api_errors_total{error_type="too_many_files"}`: 1,
	})
}
