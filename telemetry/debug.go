package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// access says who may see what.
type access struct {
	loopback      bool     // only this machine reaches the listener
	authenticated bool     // strangers are kept out before they come here
	hosts         []string // names under which it may be asked, beside the loopback's
}

// localNames are host names that no stranger's DNS can point here.
var localNames = []string{"localhost", "host.docker.internal"}

// pages routes the admin pages. On a listener that others reach, without
// authentication, the debug pages are closed; on the loopback interface, a
// page in a browser on this machine may not pass under another host's name
// (DNS rebinding) or post from another site.
func (t *Telemetry) pages(a access) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", t.metricsHandler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", t.serveReady)
	mux.Handle("GET /{$}", a.private(http.HandlerFunc(t.serveIndex)))
	mux.Handle("GET /metrics-dashboard", a.private(http.HandlerFunc(t.serveDashboard)))
	mux.Handle("GET /debug/", a.private(t.profiler.Handler()))
	protection := http.NewCrossOriginProtection()
	return a.named(protection.Handler(http.MaxBytesHandler(mux, 1<<20)))
}

// private closes a page to strangers.
func (a access) private(next http.Handler) http.Handler {
	if a.loopback || a.authenticated {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "this page shows the inside of the service: it is served on a loopback address, or with "+
			"authentication (Config.Admin.WebConfigFile)", http.StatusForbidden)
	})
}

// named refuses host names that are not the listener's.
func (a access) named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.loopback && !a.knows(r.Host) {
			http.Error(w, fmt.Sprintf("the host %q is not known here: add it to Config.Admin.Hosts", cleanValue(r.Host)), http.StatusMisdirectedRequest)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

func (a access) knows(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || host == "" {
		return true
	}
	return slices.Contains(localNames, host) || strings.HasSuffix(host, ".localhost") ||
		slices.ContainsFunc(a.hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

var indexPage = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{{.Service}}</title>
<h1>{{.Service}}</h1>
<p>{{.Version}}, up for {{.Up}}. Metrics begin with <code>{{.Prefix}}_</code>.
<ul>
<li><a href="metrics">metrics</a>: for Prometheus
<li><a href="metrics-dashboard">metrics-dashboard</a>: how the service is, in JSON
<li><a href="debug/report">debug/report</a>: where its time and memory go, by endpoint
<li><a href="debug/pprof/">debug/pprof</a>: profiles for go tool pprof
<li><a href="healthz">healthz</a>, <a href="readyz">readyz</a>: for whoever restarts it, and sends it traffic
</ul>
`))

func (t *Telemetry) serveIndex(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	_ = indexPage.Execute(w, map[string]any{
		"Service": t.cfg.Domain.Service(), "Version": t.build.version, "Prefix": t.cfg.Domain.Prefix,
		"Up": time.Since(t.started).Round(time.Second),
	})
}

// readyTimeout is how long one readiness check may take.
const readyTimeout = 2 * time.Second

// readyCheck is a check of the user's. One that hangs fails, and is not called
// again before it has returned.
type readyCheck struct {
	name string
	call func(context.Context) error
	turn chan struct{} // holds one while the check runs
}

// readyChecks are all of them, sorted by name.
type readyChecks struct {
	mu   sync.Mutex
	list []*readyCheck
}

// AddReadyCheck adds a check to /readyz: whether the service can work, as far
// as the database, a queue or whatever name stands for is concerned. Its
// context ends after two seconds; one that takes longer, or panics, fails. A
// second check of a name replaces the first. It is safe for concurrent use, as
// check must be.
func (t *Telemetry) AddReadyCheck(name string, check func(context.Context) error) {
	if !t.recording() || check == nil {
		return
	}
	t.ready.mu.Lock()
	defer t.ready.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(t.ready.list), func(c *readyCheck) bool { return c.name == name })
	list = append(list, &readyCheck{name, check, make(chan struct{}, 1)})
	slices.SortFunc(list, func(a, b *readyCheck) int { return strings.Compare(a.name, b.name) })
	t.ready.list = list
}

func (cs *readyChecks) all() []*readyCheck {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.list
}

func (c *readyCheck) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("the check before still runs after %v", readyTimeout)
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-c.turn }()
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("the check panicked: %v", p)
			}
		}()
		done <- c.call(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("no answer after %v", readyTimeout)
	}
}

// checkReady runs all checks side by side, and returns what failed by name:
// "" for those that did not.
func (t *Telemetry) checkReady(ctx context.Context) map[string]string {
	checks := t.ready.all()
	results := make([]string, len(checks))
	var wg sync.WaitGroup
	for i, check := range checks {
		wg.Go(func() {
			if err := check.run(ctx); err != nil {
				results[i] = cleanValue(err.Error())
			}
		})
	}
	wg.Wait()
	named := make(map[string]string, len(results))
	for i, check := range checks {
		named[check.name] = results[i]
	}
	return named
}

func (t *Telemetry) serveReady(w http.ResponseWriter, r *http.Request) {
	checks := map[string]string{}
	status := http.StatusOK
	for name, failure := range t.checkReady(r.Context()) {
		checks[name] = "ok"
		if failure != "" {
			checks[name], status = failure, http.StatusServiceUnavailable
		}
	}
	writeJSON(w, status, map[string]any{"ready": status == http.StatusOK, "checks": checks})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n'))
}

// warnOfDefaultServeMux says what the user's default mux serves without
// anybody's doing: some libraries of ours, and many others, import expvar,
// which shows the command line there.
func (t *Telemetry) warnOfDefaultServeMux() {
	for _, path := range []string{"/debug/vars", "/debug/pprof/", "/debug/requests"} {
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}}
		if _, pattern := http.DefaultServeMux.Handler(r); pattern == path {
			t.self.log.Debug("http.DefaultServeMux serves " + path + ", as a library registered it: do not serve that mux to strangers")
		}
	}
}
