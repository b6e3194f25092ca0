package continuous

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grafana/pyroscope-go/upstream/remote"
)

const (
	maxQueueBytes = 4 << 20
	maxQueueCount = 256

	tryTimeout   = 10 * time.Second
	firstPause   = time.Second
	longestPause = time.Minute
	deniedPause  = 5 * time.Minute // of a server that refuses our credentials
	maxTries     = 8               // of one profile that the server answers with an error

	maxErrorBody = 4 << 10
	maxErrorText = 200 // of it, in a log line
	minSecret    = 4   // a shorter header, or part of a secret, gives nothing away

	// stopGrace is how long stop waits for a try that its context has ended. A
	// RoundTripper of the user's may not hear of that.
	stopGrace = 250 * time.Millisecond
)

// uploader sends captures to Pyroscope, in order, from a bounded queue. It is
// safe for concurrent use.
type uploader struct {
	host    string          // all of the address that a log may show
	name    string          // the service and its tags, as Pyroscope writes them
	remote  *remote.Remote  // the wire; its one goroutine lives as long as run
	client  *http.Client    // what Do uses
	secrets []string        // what no log may show, longer ones first
	try     context.Context // of what Do does
	came    outcome         // of it
	log     *sparseLog
	first   time.Duration // pause after a first failure

	closeIdle func() // of a transport of ours

	ctx    context.Context // of the tries; ends when Stop's time is over
	cancel context.CancelFunc
	wake   chan struct{} // something is in the queue
	drain  chan struct{} // closed by stop
	done   chan struct{} // closed when run has ended

	uploaded, failed, dropped atomic.Uint64

	mu      sync.Mutex
	queue   []*job        // oldest first; the first one may be on its way
	bytes   int           // of the queue
	lastErr error         // of the last try that failed
	failing bool          // the last try did
	changed chan struct{} // closed at the next change of queue and failing; nil while nobody waits
}

// job is one capture on its way.
type job struct {
	capture
	size    int // as it was queued
	cleaned bool
	tries   int
}

// newUploader returns nil without a server, and an error for an address of the
// configuration that cannot work.
func newUploader(cfg Config, log *sparseLog) (*uploader, error) {
	address := fromEnv(cfg.ServerAddress, "PYROSCOPE_SERVER_ADDRESS")
	if address == "" {
		return nil, nil
	}
	up := &uploader{
		name:  appName(cfg.Service, cfg.Tags, newSession(cfg.Tags[labelInstance])),
		log:   log,
		first: firstPause,
		wake:  make(chan struct{}, 1),
		drain: make(chan struct{}),
		done:  make(chan struct{}),
	}
	up.client = &http.Client{
		Transport: cfg.RoundTripper,
		// A redirect would carry the credentials somewhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if cfg.RoundTripper == nil {
		own := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConns: 1, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: tryTimeout}
		up.client.Transport, up.closeIdle = own, own.CloseIdleConnections
	}
	u, err := parseAddress(address)
	if err == nil {
		up.host = u.Host
		headers := up.headers(cfg, u.User)
		u.User = nil
		up.remote, err = remote.NewRemote(remote.Config{Address: u.String(), HTTPHeaders: headers, HTTPClient: up, Threads: 1, Logger: silent{}})
	}
	if err != nil && cfg.ServerAddress == "" {
		log.warn("PYROSCOPE_SERVER_ADDRESS cannot be used: profiles stay in the process", "error", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	up.ctx, up.cancel = context.WithCancel(context.Background())
	return up, nil
}

func fromEnv(value, name string) string {
	if value != "" {
		return value
	}
	return os.Getenv(name)
}

// headers are those of every request. What of them no log may show becomes
// up.secrets. The Remote would drop a user without a password.
func (up *uploader) headers(cfg Config, inAddress *url.Userinfo) map[string]string {
	user, password := fromEnv(cfg.BasicAuthUser, "PYROSCOPE_BASIC_AUTH_USER"), fromEnv(cfg.BasicAuthPassword, "PYROSCOPE_BASIC_AUTH_PASSWORD")
	if user == "" && inAddress != nil {
		user = inAddress.Username()
		password, _ = inAddress.Password()
	}
	all := http.Header{"User-Agent": {"latido"}}
	if tenant := fromEnv(cfg.TenantID, "PYROSCOPE_TENANT_ID"); tenant != "" {
		all.Set("X-Scope-OrgID", tenant)
	}
	if user != "" {
		(&http.Request{Header: all}).SetBasicAuth(user, password)
	}
	up.hide(password)
	up.hide(all.Get("Authorization"))
	for name, value := range cfg.HTTPHeaders {
		value = strings.TrimSpace(value)
		all.Set(name, value)
		if len(value) >= minSecret {
			up.hide(value)
		}
	}
	flat := make(map[string]string, len(all))
	for name := range all {
		flat[name] = all.Get(name)
	}
	return flat
}

// hide makes a value a secret, and with "Bearer token" the token too.
func (up *uploader) hide(value string) {
	if value == "" {
		return
	}
	up.secrets = append(up.secrets, value)
	if _, token, ok := strings.Cut(value, " "); ok {
		up.hide(token)
	}
	slices.SortFunc(up.secrets, func(a, b string) int { return len(b) - len(a) })
}

// parseAddress reads Pyroscope's URL. Its errors never show credentials.
func parseAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	shown := address
	if at := strings.LastIndexByte(shown, '@'); at >= 0 {
		scheme, _, found := strings.Cut(shown, "://")
		if !found || len(scheme) > at {
			scheme = "http"
		}
		shown = scheme + "://...@" + shown[at+1:]
	}
	switch {
	case !strings.Contains(address, "://"):
		return nil, fmt.Errorf("address %q: write it with its scheme: http://%s", shown, strings.TrimPrefix(shown, "http://"))
	case err != nil:
		return nil, fmt.Errorf("address %q is not a URL: write it like http://localhost:4040", shown)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("address %q: scheme %q is not known: write http or https", shown, u.Scheme)
	case u.Hostname() == "":
		return nil, fmt.Errorf("address %q has no host: write it like http://localhost:4040", shown)
	}
	u.RawQuery, u.Fragment = "", ""
	return u, nil
}

// add queues a capture. It never waits: beyond the bounds the oldest ones are
// dropped, and counted, the one on its way as well.
func (up *uploader) add(c capture) {
	up.mu.Lock()
	defer up.mu.Unlock()
	if len(c.data) > maxQueueBytes {
		up.dropped.Add(1)
		return
	}
	up.queue = append(up.queue, &job{capture: c, size: len(c.data)})
	up.bytes += len(c.data)
	for up.bytes > maxQueueBytes || len(up.queue) > maxQueueCount {
		up.pop()
		up.dropped.Add(1)
	}
	select {
	case up.wake <- struct{}{}:
	default:
	}
}

// pop takes the oldest job out. The caller holds the lock.
func (up *uploader) pop() {
	up.bytes -= up.queue[0].size
	up.queue[0] = nil
	up.queue = up.queue[1:]
	up.tell()
}

// next is the oldest job, which stays in the queue, or nil.
func (up *uploader) next() *job {
	up.mu.Lock()
	defer up.mu.Unlock()
	if len(up.queue) == 0 {
		up.queue = nil // gives the array back
		return nil
	}
	return up.queue[0]
}

// finish takes a job out and counts what became of it, if add has not dropped
// it meanwhile.
func (up *uploader) finish(j *job, as *atomic.Uint64) {
	up.mu.Lock()
	defer up.mu.Unlock()
	up.failing = false
	if len(up.queue) > 0 && up.queue[0] == j {
		up.pop()
		as.Add(1)
	}
}

// run sends until stop. A server that fails is tried again, with pauses that
// grow.
func (up *uploader) run() {
	defer close(up.done)
	// A goroutine inherits the labels of the one that started it.
	pprof.SetGoroutineLabels(context.Background())
	up.remote.Start()
	defer up.remote.Stop()
	pause := time.Duration(0)
	failures := 0 // in a row
	for {
		draining := up.draining()
		if draining && failures >= 2 { // nobody answers: do not use up the time of the service's end
			return
		}
		up.sleep(pause) // if stop comes meanwhile, there is one more try
		j := up.next()
		if j == nil {
			if draining {
				return
			}
			select {
			case <-up.wake:
			case <-up.drain:
			}
			continue
		}
		result := up.send(j)
		switch {
		case result.err == nil:
			up.finish(j, &up.uploaded)
			pause, failures = 0, 0
			continue
		case up.ctx.Err() != nil:
			return
		}
		up.failed.Add(1)
		up.fail(result.err)
		j.tries++
		if result.final || result.answered && j.tries >= maxTries {
			up.finish(j, &up.dropped)
			up.log.warn("Pyroscope refused a profile; it is dropped", "server", up.host, "error", result.err)
			pause, failures = 0, 0
			continue
		}
		up.log.warn("profiles cannot be uploaded; they are tried again", "server", up.host, "error", result.err)
		failures++
		pause = up.backoff(failures, result.pause)
	}
}

// backoff doubles with each failure, and jitters so that many processes do not
// come back at once. A pause that the answer asks for stands.
func (up *uploader) backoff(failures int, asked time.Duration) time.Duration {
	if asked > 0 {
		return asked
	}
	pause := min(up.first<<min(failures-1, 10), longestPause)
	return pause/2 + rand.N(pause)
}

// sleep waits for d, or until stop comes.
func (up *uploader) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-up.drain:
	}
}

func (up *uploader) draining() bool {
	select {
	case <-up.drain:
		return true
	default:
		return false
	}
}

// stop sends what is queued until ctx is done, and ends run. It is called once.
func (up *uploader) stop(ctx context.Context) error {
	close(up.drain)
	select {
	case <-up.done:
	case <-ctx.Done():
		up.cancel()
		select {
		case <-up.done:
		case <-time.After(stopGrace):
		}
	}
	up.cancel()
	if up.closeIdle != nil {
		up.closeIdle()
	}
	up.mu.Lock()
	defer up.mu.Unlock()
	left := len(up.queue)
	up.dropped.Add(uint64(left))
	up.queue, up.bytes = nil, 0
	if left == 0 {
		return nil
	}
	err := up.lastErr
	if err == nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = errors.New("the uploader ended early")
	}
	return fmt.Errorf("%d profiles were not uploaded to %s: %w", left, up.host, err)
}

// sparseLog writes at most one line a minute, and says how many it left out.
// It is safe for concurrent use.
type sparseLog struct {
	log *slog.Logger

	mu      sync.Mutex
	last    time.Time
	skipped int
}

const logPause = time.Minute

func (l *sparseLog) warn(text string, args ...any) {
	l.mu.Lock()
	if !l.last.IsZero() && time.Since(l.last) < logPause {
		l.skipped++
		l.mu.Unlock()
		return
	}
	skipped := l.skipped
	l.last, l.skipped = time.Now(), 0
	l.mu.Unlock()
	if skipped > 0 {
		args = append(args, "not_logged", skipped)
	}
	l.log.Warn(text, args...)
}
