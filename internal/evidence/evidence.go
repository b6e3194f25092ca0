package evidence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/pprof/profile"
	"go.opentelemetry.io/otel/metric"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/descriptors"
)

// Config says what a Recorder reads, and where it keeps what it finds. Only
// Domain is needed: without a source there is that much less to find.
type Config struct {
	// Domain is what the service is about; its Language is that of the texts.
	Domain domain.Domain
	// Rules are those whose alerts come by: they say what is worth looking at.
	Rules []alerting.Rule
	// Profiler has the profiles. nil has none.
	Profiler *continuous.Profiler
	// Series, Query and Exemplars ask the store: for the samples of all series of
	// the service, at most half a million of them, in ranges of time; for a
	// release's figures; and for traces. They are called at once by several
	// goroutines, and end with their context. nil has no data.
	Series    func(ctx context.Context, ranges ...cause.Range) ([]cause.Series, error)
	Query     func(ctx context.Context, expr string, at time.Time) ([]Sample, error)
	Exemplars func(ctx context.Context, expr string, from, to time.Time) ([]Exemplar, error)
	// Fleet is the service where it runs in other processes than this one: Series,
	// Query and Profiler are not asked then, and ReleaseAfter is to be negative.
	Fleet Fleet
	// Now is the store's clock, which is also that of the alerts. nil means time.Now.
	Now func() time.Time
	// Grown finds what fills the disk whose use is measured: what was written to
	// since a time, while it filled by a share, 0 to 1. nil is not known.
	Grown func(ctx context.Context, since time.Time, share float64) cause.Folder
	// Dir is where incidents and what is known of releases are kept. Empty, or a
	// folder that cannot be written to, means in memory.
	Dir string
	// MaxIncidents and MaxBytes bound the incidents, oldest first. 0 means 100
	// and 32 MiB.
	MaxIncidents int
	MaxBytes     int64
	// URL is where a person reaches the admin listener, for links: it is asked
	// for each alert. nil, or "", makes links that begin with a slash.
	URL func() string
	// Version and Revision are what is running; "" for what is not known.
	Version, Revision string
	// Timeout is how long an alert waits for its evidence. 0 means DefaultTimeout.
	Timeout time.Duration
	// ReleaseAfter is how long a release runs before it is compared with the
	// one before. 0 means 10 minutes, negative never.
	ReleaseAfter time.Duration
	// Meter counts incidents. nil counts nothing.
	Meter metric.Meter
	// Logger gets what a person should know. nil means slog.Default().
	Logger *slog.Logger

	// Seams for tests; nil and 0 are the real thing.
	profiler     profileSource
	compared     func(cause.Input) cause.Times
	explain      func(cause.Input) cause.Result
	betweenLooks time.Duration
}

// profileSource is what is asked of a *continuous.Profiler.
type profileSource interface {
	Interval() time.Duration
	Profile(kind string, from, to time.Time) (*profile.Profile, time.Duration, error)
	Goroutines(at time.Time) (*profile.Profile, time.Time, error)
	Look(ctx context.Context, n int, every time.Duration) (*profile.Profile, error)
	OfEndpoint(all *profile.Profile, endpoint string) *profile.Profile
	WriteTrace(ctx context.Context, w io.Writer) error
}

// Sample is one series at one time.
type Sample struct {
	Labels map[string]string
	Value  float64
	At     time.Time
}

// Exemplar is one request that a histogram counted, with the trace that shows it.
type Exemplar struct {
	Labels  map[string]string // of the series
	TraceID string
	Value   float64
	At      time.Time
}

// DefaultTimeout is how long the evidence of an alert may take. Most is there
// within a tenth of a second. A process whose CPU is all in use needs more, and
// is one that alerts: an alert with its cause after seconds is better than one
// without.
const DefaultTimeout = 6 * time.Second

const (
	defaultReleaseAfter = 10 * time.Minute
	defaultMaxIncidents = 100
	defaultMaxBytes     = 32 << 20

	// stopBudget is the longest that Stop takes when its context has more.
	stopBudget = 5 * time.Second
	// maxGathering is for how many alerts evidence is gathered at once, those
	// whose source hangs included. Each has at most 16 MB of samples, and what
	// the profiles of its two times take.
	maxGathering = 4
	// maxTasks is how many parts of that run at once: enough for all of them, and
	// a bound on those that hang.
	maxTasks = 64
)

func (c Config) withDefaults() (Config, error) {
	var errs []error
	if c.Timeout < 0 {
		errs = append(errs, fmt.Errorf("the Timeout %v: write a positive duration, or 0 for %v", c.Timeout, DefaultTimeout))
	}
	if c.MaxIncidents < 0 || c.MaxBytes < 0 {
		errs = append(errs, fmt.Errorf("MaxIncidents %d, MaxBytes %d: write positive numbers, or 0 for %d and %d",
			c.MaxIncidents, c.MaxBytes, defaultMaxIncidents, defaultMaxBytes))
	}
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	c.ReleaseAfter = cmp.Or(c.ReleaseAfter, defaultReleaseAfter)
	c.MaxIncidents = cmp.Or(c.MaxIncidents, defaultMaxIncidents)
	c.MaxBytes = cmp.Or(c.MaxBytes, defaultMaxBytes)
	if c.profiler == nil {
		c.profiler = c.Profiler
	}
	c.betweenLooks = cmp.Or(c.betweenLooks, betweenLooks)
	if c.compared == nil {
		c.compared = cause.Compared
	}
	if c.explain == nil {
		c.explain = cause.Explain
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.URL == nil {
		c.URL = func() string { return "" }
	}
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c, errors.Join(errs...)
}

// Recorder adds evidence to alerts and keeps incidents. Its methods are safe
// for concurrent use; on a nil Recorder they do nothing.
type Recorder struct {
	cfg      Config
	words    words
	rules    map[string][]alerting.Rule // by the alert's name
	kept     *archive
	episodes *episodes
	slots    chan struct{}            // gatherings under way
	asking   chan struct{}            // holds who asks for findings
	tasks    chan struct{}            // parts of gatherings under way
	began    time.Time                // when this process did, about
	before   atomic.Pointer[baseline] // what is kept of the release before
	files    *descriptors.Table       // of this process

	ctx    context.Context // done when Stop begins
	cancel context.CancelFunc

	mu      sync.Mutex
	stopped bool
	wg      sync.WaitGroup // background work; added to under mu

	sayMu sync.Mutex
	said  map[string]bool
}

// Start opens the incidents that are kept, and begins to watch the release. ctx
// bounds the start. It returns an error for a wrong Config only: a folder that
// cannot be used is logged, and incidents are kept in memory.
func Start(ctx context.Context, cfg Config) (*Recorder, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	r := &Recorder{
		cfg: cfg, words: wordsOf(cfg.Domain.Language), began: time.Now(), rules: map[string][]alerting.Rule{}, episodes: newEpisodes(),
		slots: make(chan struct{}, maxGathering), asking: make(chan struct{}, 1), tasks: make(chan struct{}, maxTasks), said: map[string]bool{},
	}
	if cfg.Fleet == nil {
		r.files = descriptors.OpenTable()
	}
	r.ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, rule := range cfg.Rules {
		if rule.Alert != "" {
			r.rules[rule.Alert] = append(r.rules[rule.Alert], rule)
		}
	}
	r.kept = openArchive(cfg, r.outcomes(), r.once)
	for _, in := range r.kept.list() {
		if in.Kind == KindAlert && in.EndsAt == nil {
			r.episodes.restore(in, r.annotations(in))
		}
	}
	r.startReleases()
	return r, nil
}

// Stop ends what runs in the background, within ctx and at most 5 seconds:
// incidents that are being written, and the watch over the release. It returns
// an error if a source of the Config did not end in time; its goroutine is then
// left to itself. Further calls return at once.
func (r *Recorder) Stop(ctx context.Context) error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	r.cancel()
	ctx, cancel := context.WithTimeout(ctx, stopBudget)
	defer cancel()
	done := make(chan struct{})
	go func() {
		r.wg.Wait()
		r.files.Close()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("evidence: something is still being gathered: %w", context.Cause(ctx))
	}
}

// background runs fn in a goroutine that Stop waits for. It reports false, and
// runs nothing, once Stop has begun. A panic of fn is logged.
func (r *Recorder) background(fn func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return false
	}
	r.wg.Go(func() {
		defer r.recovered()
		fn()
	})
	return true
}

// recovered is to be deferred: nothing here is worth the service.
func (r *Recorder) recovered() {
	if v := recover(); v != nil {
		r.once("panic", func(log *slog.Logger) {
			log.Error("gathering evidence panicked; alerts go out without it", "panic", clean(fmt.Sprint(v)), "stack", string(debug.Stack()))
		})
	}
}

// once calls say for the first problem of a kind: a broken store is told of
// once, not with every alert.
func (r *Recorder) once(kind string, say func(*slog.Logger)) {
	r.sayMu.Lock()
	first := !r.said[kind] && len(r.said) < 100
	if first {
		r.said[kind] = true
	}
	r.sayMu.Unlock()
	if first {
		say(r.cfg.Logger)
	}
}

// storeFault tells of an expression that the store does not take.
func (r *Recorder) storeFault(expr string, err error) {
	if r.ctx.Err() != nil { // the store may have been stopped before
		return
	}
	r.once("store", func(log *slog.Logger) {
		log.Warn("the store did not answer a question about an alert; its evidence lacks that", "expr", clean(expr), "error", clean(err.Error()))
	})
}

// maxText is how long a text from elsewhere may be, in bytes.
const maxText = 500

// clean makes a text from elsewhere fit for one line of a log or a message.
func clean(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == '\u2028' || c == '\u2029' {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}
