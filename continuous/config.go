package continuous

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Config says what is profiled and where it goes. The zero value keeps ten
// minutes of CPU, heap, goroutine and mutex profiles in the process.
type Config struct {
	// Disabled profiles nothing.
	Disabled bool
	// Service is the name under which Pyroscope shows the service. Empty means
	// unknown_service. Characters that Pyroscope refuses become underscores.
	Service string
	// Tags are on every profile that is uploaded. Characters that Pyroscope
	// refuses in a name become underscores. A tag named endpoint, method,
	// region, span_id or started_by would hide that label of the samples, and becomes
	// tag_endpoint and so on.
	Tags map[string]string
	// ServerAddress is Pyroscope's URL. Empty means PYROSCOPE_SERVER_ADDRESS;
	// without either, profiles stay in the process.
	ServerAddress string
	// BasicAuthUser, BasicAuthPassword and TenantID identify the service to
	// Pyroscope. Empty means PYROSCOPE_BASIC_AUTH_USER,
	// PYROSCOPE_BASIC_AUTH_PASSWORD and PYROSCOPE_TENANT_ID.
	BasicAuthUser, BasicAuthPassword, TenantID string
	// HTTPHeaders are on every upload, and win over what the fields above make
	// of Authorization and X-Scope-OrgID: {"Authorization": "Bearer " + token}.
	// Space around a value is dropped. No log line shows a value.
	HTTPHeaders map[string]string
	// RoundTripper makes the uploads, for a private CA, a client certificate or
	// a proxy: an http.Transport with its TLSClientConfig. It must be safe for
	// concurrent use, obey the request's context, and stays the caller's to
	// close. nil means an http.Transport with the proxy of the environment.
	RoundTripper http.RoundTripper
	// Interval is the length of a window, and the time between uploads. 0
	// means 10 seconds; less than 20 milliseconds means that.
	Interval time.Duration
	// Keep is how far back the windows reach. 0 means 10 minutes. What is older
	// is merged into steps of half of that, which reach back twelve times as far.
	Keep time.Duration
	// MaxBytes bounds the windows, and half of it the steps. 0 means 16 MiB.
	MaxBytes int
	// MutexFraction is the share of the contended mutexes that the mutex profile
	// samples, one in so many, until Stop. Its stacks are those that unlock: who
	// held the lock that others waited for. 0 means as many as there are about
	// 100 a second of: all while contention is rare, one in 10,000 at most. A
	// fraction that somebody else sets with runtime.SetMutexProfileFraction,
	// before Start or later, is left as it is then. A positive one is set as it
	// is. A negative one keeps no mutex profile. Stop restores what was set
	// before.
	MutexFraction int
	// BlockRate turns the block profile on until Stop, as
	// runtime.SetBlockProfileRate has it. 0 leaves it as it is: where goroutines
	// wait is known from looking at them, at less cost. Go does not tell the rate
	// that was set before, so Stop sets it to 0.
	BlockRate int
	// TraceFor keeps an execution trace of about the last so long, by
	// runtime/trace.FlightRecorder, until Stop: see [Profiler.WriteTrace]. It
	// costs a per cent or two of the CPU time. 0 keeps none.
	TraceFor time.Duration
	// TraceBytes bounds it, about. 0 means 4 MiB.
	TraceBytes uint64
	// Logger gets what a person should know. nil means slog.Default().
	Logger *slog.Logger
}

const (
	defaultInterval = 10 * time.Second
	minInterval     = 20 * time.Millisecond
	defaultKeep     = 10 * time.Minute
	defaultMaxBytes = 16 << 20

	// stopBudget bounds Stop for a context without a deadline.
	stopBudget = 5 * time.Second
)

func (c Config) withDefaults() (Config, error) {
	var errs []error
	if c.Interval < 0 {
		errs = append(errs, fmt.Errorf("interval %v: write a positive duration, such as 10s, or set disabled", c.Interval))
	}
	if c.Keep < 0 {
		errs = append(errs, fmt.Errorf("keep %v: write a positive duration, such as 10m", c.Keep))
	}
	if c.MaxBytes < 0 {
		errs = append(errs, fmt.Errorf("max bytes %d: write a positive number, such as %d", c.MaxBytes, defaultMaxBytes))
	}
	if c.BlockRate < 0 {
		errs = append(errs, fmt.Errorf("block rate %d: write 0 for off, or a positive number", c.BlockRate))
	}
	for _, name := range slices.Sorted(maps.Keys(c.HTTPHeaders)) {
		if !httpguts.ValidHeaderFieldName(name) {
			errs = append(errs, fmt.Errorf("http header %q: no HTTP header has such a name: write one like Authorization", name))
		} else if !httpguts.ValidHeaderFieldValue(strings.TrimSpace(c.HTTPHeaders[name])) {
			errs = append(errs, fmt.Errorf("http header %q: its value has a line break or another control character: write it without", name))
		}
	}
	if err := c.traceDefaults(); err != nil {
		errs = append(errs, err)
	}
	c.Interval = cmp.Or(c.Interval, defaultInterval)
	c.Interval = max(c.Interval, minInterval)
	c.Keep = cmp.Or(c.Keep, defaultKeep)
	c.MaxBytes = cmp.Or(c.MaxBytes, defaultMaxBytes)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c, errors.Join(errs...)
}
