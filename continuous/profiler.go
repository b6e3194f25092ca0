package continuous

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Config says what is profiled and where it goes. The zero value keeps ten
// minutes of CPU, heap and goroutine profiles in the process.
type Config struct {
	// Disabled profiles nothing.
	Disabled bool
	// Service is the name under which Pyroscope shows the service.
	Service string
	// Tags are on every profile that is uploaded. Characters that Pyroscope
	// refuses in a name become underscores.
	Tags map[string]string
	// ServerAddress is Pyroscope's URL. Empty means PYROSCOPE_SERVER_ADDRESS;
	// without either, profiles stay in the process.
	ServerAddress string
	// BasicAuthUser, BasicAuthPassword and TenantID identify the service to
	// Pyroscope. Empty means PYROSCOPE_BASIC_AUTH_USER,
	// PYROSCOPE_BASIC_AUTH_PASSWORD and PYROSCOPE_TENANT_ID.
	BasicAuthUser, BasicAuthPassword, TenantID string
	// Interval is the length of a window, and the time between uploads. 0
	// means 10 seconds.
	Interval time.Duration
	// Keep is how far back the ring reaches. 0 means 10 minutes.
	Keep time.Duration
	// MaxBytes bounds the ring. 0 means 16 MiB.
	MaxBytes int
	// MutexFraction and BlockRate turn those profiles on, as
	// runtime.SetMutexProfileFraction and runtime.SetBlockProfileRate have
	// them. 0 means off.
	MutexFraction, BlockRate int
	// Logger gets what a person should know. nil means slog.Default().
	Logger *slog.Logger
}

// Profiler profiles the process. A nil Profiler, and one that Start returned
// with an error, profiles nothing. It is safe for concurrent use.
type Profiler struct {
	cfg  Config
	ring ring

	mu        sync.Mutex
	endpoints map[string]map[string]bool // endpoint to its handlers' functions
}

// Stats are counts since Start.
type Stats struct {
	Uploaded  uint64        // profiles that the server took
	Failed    uint64        // uploads that failed, each try counted
	Dropped   uint64        // profiles dropped because the queue was full, or refused for good
	Gaps      uint64        // windows without a CPU profile, because another one ran
	RingBytes int           // size of the profiles kept
	HeapAge   time.Duration // how old the heap's figures are: they change with each garbage collection
}

// Start begins to profile. The network is never waited for. It returns an
// error for an address that cannot work; the Profiler is never nil.
func Start(cfg Config) (*Profiler, error) { return &Profiler{cfg: cfg}, nil }

// Stop ends the profiler, and uploads what it has, within ctx. Further calls
// return the same result. No goroutine is left.
func (p *Profiler) Stop(ctx context.Context) error { return nil }

// Stats returns the counts. It is cheap.
func (p *Profiler) Stats() Stats { return Stats{} }

// BindEndpoint says which function answers an endpoint, as profiles name it.
// Heap profiles carry no labels: allocations are given to the endpoint by this
// frame.
func (p *Profiler) BindEndpoint(endpoint, function string) {
	if p == nil || endpoint == "" || function == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.endpoints == nil {
		p.endpoints = map[string]map[string]bool{}
	}
	if p.endpoints[endpoint] == nil {
		p.endpoints[endpoint] = map[string]bool{}
	}
	p.endpoints[endpoint][function] = true
}
