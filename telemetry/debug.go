package telemetry

import (
	"encoding/json"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

// adminPages are the pages of the admin listener and of AdminHandler.
type adminPages struct {
	mux  *http.ServeMux
	self *self

	mu     sync.Mutex
	listed []adminPage // on the index
}

// adminPage is one line of the index.
type adminPage struct {
	Pattern, Path, Description string
}

// maxAdminBody is how much, in bytes, a page may be sent.
const maxAdminBody = 1 << 20

func (t *Telemetry) newAdminPages() *adminPages {
	p := &adminPages{mux: http.NewServeMux(), self: t.self}
	p.mux.Handle("GET /{$}", private(t.index(p)))
	p.mux.Handle("GET /metrics", t.metricsHandler())
	p.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	p.mux.HandleFunc("GET /readyz", t.serveReady)
	p.mux.Handle("GET /metrics-dashboard", private(http.HandlerFunc(t.serveDashboard)))
	p.mux.Handle("GET /debug/", private(t.profiler.Handler()))
	p.listed = []adminPage{
		{"", "/metrics", "the metrics, for Prometheus"},
		{"", "/metrics-dashboard", "how the service is, in JSON"},
		{"", "/debug/report", "where its time and memory go, by endpoint"},
		{"", "/debug/pprof/", "profiles for go tool pprof"},
		{"", "/healthz", "whether the process runs, for whoever restarts it"},
		{"", "/readyz", "whether it can work, for whoever sends it traffic"},
	}
	return p
}

// HandleAdmin adds a page to the admin listener and to AdminHandler, beside
// those that are there, with the guards of the debug pages: no stranger sees
// it, no other site posts to it, and a request's body ends after a mebibyte.
// Its pattern is one of http.ServeMux's without a host, "GET /console/".
// description is its line on the index; with "" it is not listed there.
//
// A pattern that cannot be added, as it is wrong or there already, is logged
// and left out. HandleAdmin is safe for concurrent use, as h must be. A page
// that answers for longer than the listener allows, two minutes or so, extends
// that by http.ResponseController.
func (t *Telemetry) HandleAdmin(pattern, description string, h http.Handler) {
	if !t.recording() || t.pages == nil {
		return
	}
	if err := t.pages.add(pattern, description, h); err != nil {
		t.self.once("admin page/"+cleanValue(pattern), func(log *slog.Logger) {
			log.Warn("an admin page is left out: its pattern is to be one of http.ServeMux's, with a path that no other page has",
				"pattern", cleanValue(pattern), "error", cleanValue(err.Error()))
		})
	}
}

func (p *adminPages) add(pattern, description string, h http.Handler) (err error) {
	_, path, hasMethod := strings.Cut(pattern, " ")
	if !hasMethod {
		path = pattern
	}
	path = strings.TrimLeft(path, " \t")
	switch {
	case h == nil:
		return fmt.Errorf("the handler is nil")
	case !strings.HasPrefix(path, "/"):
		return fmt.Errorf("the path does not begin with a slash")
	}
	defer func() { // what http.ServeMux says of a pattern that it does not take
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	p.mux.Handle(pattern, private(h))
	path = strings.TrimSuffix(path, "{$}")
	if description != "" {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.listed = append(p.listed, adminPage{pattern, path, description})
	}
	return nil
}

// behind serves the pages to those whom accessOf lets in. A page that panics
// costs its own request, on whatever server it is mounted.
func (p *adminPages) behind(accessOf func(*http.Request) access) http.Handler {
	recovered := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
				stack := debug.Stack()
				p.self.once("admin page panic/"+r.Pattern, func(log *slog.Logger) {
					log.Error("an admin page panicked", "page", r.Pattern, "panic", cleanValue(fmt.Sprint(v)), "stack", string(stack))
				})
			}
			panic(http.ErrAbortHandler) // ends the answer, whatever was written of it, without another log
		}()
		p.mux.ServeHTTP(w, r)
	})
	return guarded(accessOf, http.MaxBytesHandler(recovered, maxAdminBody))
}

var indexPage = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Service}}</title>
<h1>{{.Service}}</h1>
<p>Version {{.Version}}, revision {{.Revision}}, up for {{.Up}}. Metrics begin with <code>{{.Prefix}}_</code>.
<ul>
{{range .Pages}}<li><a href=".{{.Path}}">{{.Path}}</a>: {{.Description}}
{{end}}</ul>
`))

// index lists the pages. Its links are relative: the pages may be mounted
// under a path.
func (t *Telemetry) index(p *adminPages) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		pages := slices.Clone(p.listed)
		p.mu.Unlock()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = indexPage.Execute(w, map[string]any{
			"Service": t.cfg.Domain.Service(), "Version": t.build.version, "Revision": t.build.revision,
			"Prefix": t.cfg.Domain.Prefix, "Up": time.Since(t.started).Round(time.Second), "Pages": pages,
		})
	})
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
// anybody's doing: OpenTelemetry's exporter imports expvar, as many libraries
// do, and that shows the command line there. It is no warning, since nearly
// every service has it and few serve that mux.
func (t *Telemetry) warnOfDefaultServeMux() {
	if paths := debugPaths(http.DefaultServeMux); len(paths) > 0 {
		t.self.log.Info("http.DefaultServeMux serves " + strings.Join(paths, ", ") +
			", which libraries registered: do not serve it to strangers (http.ListenAndServe with a nil handler does)")
	}
}

func debugPaths(mux *http.ServeMux) (found []string) {
	for _, path := range []string{"/debug/vars", "/debug/pprof/", "/debug/requests", "/debug/events"} {
		_, pattern := mux.Handler(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}})
		if strings.TrimPrefix(pattern, "GET ") == path {
			found = append(found, path)
		}
	}
	return found
}
