package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/latido-dev/latido/internal/page"
)

// maxAdminBody is how much, in bytes, a page may be sent.
const maxAdminBody = 1 << 20

func (t *Telemetry) newAdmin() *Admin {
	a := &Admin{mux: http.NewServeMux(), diagnostics: t.diagnostics, guarded: t.cfg.Admin.Guarded, login: readLogin(variables{log: t.diagnostics.log})}
	a.mux.Handle("GET /metrics", t.metricsHandler())
	a.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	a.mux.HandleFunc("GET /readyz", t.serveReady)
	a.mux.Handle("GET /metrics-dashboard", private(http.HandlerFunc(t.serveDashboard)))
	a.mux.Handle("GET /debug/", private(t.profiler.Handler()))
	page.New(page.Config{Domain: t.cfg.Domain, Profiler: t.profiler, Get: a.get, Links: a.links}).
		Register(func(pattern string, h http.Handler) { a.mux.Handle(pattern, private(h)) })
	return a
}

// Handle adds a page to the admin listener and to Handler, beside those that
// are there, with the guards of the debug pages: no stranger sees it, no other site posts to it, and a request's body ends after a mebibyte.
// Its pattern is one of http.ServeMux's without a host, "GET /console/".
// description is what the first page says of it; with "" it is not listed there.
//
// A pattern that cannot be added, as it is wrong or there already, is logged
// and left out. h must be safe for concurrent use. A page
// that answers for longer than the listener allows, two minutes or so, extends
// that by http.ResponseController.
func (a *Admin) Handle(pattern, description string, h http.Handler) {
	if a == nil {
		return
	}
	if err := a.add(pattern, description, h); err != nil {
		a.diagnostics.once("admin page/"+cleanValue(pattern), func(log *slog.Logger) {
			log.Warn("an admin page is left out: its pattern is to be one of http.ServeMux's, with a path that no other page has",
				"pattern", cleanValue(pattern), "error", cleanValue(err.Error()))
		})
	}
}

func (a *Admin) add(pattern, description string, h http.Handler) (err error) {
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
	a.mux.Handle(pattern, private(h))
	path = strings.TrimSuffix(path, "{$}")
	if description != "" {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.listed = append(a.listed, page.Link{Path: path, Description: description})
	}
	return nil
}

// behind serves the pages to those whom accessOf lets in. A page that panics
// costs its own request, on whatever server it is mounted.
func (a *Admin) behind(accessOf func(*http.Request) access) http.Handler {
	recovered := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
				stack := debug.Stack()
				a.diagnostics.once("admin page panic/"+r.Pattern, func(log *slog.Logger) {
					log.Error("an admin page panicked", "page", r.Pattern, "panic", cleanValue(fmt.Sprint(v)), "stack", string(stack))
				})
			}
			panic(http.ErrAbortHandler) // ends the answer, whatever was written of it, without another log
		}()
		a.mux.ServeHTTP(w, r)
	})
	return guarded(accessOf, a.login, http.MaxBytesHandler(recovered, maxAdminBody))
}

// links are the pages that were added, for the page.
func (a *Admin) links() []page.Link {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.listed)
}

// get asks one of the pages in the process, as somebody who sees all of them.
func (a *Admin) get(ctx context.Context, path string) (status int, body []byte) {
	r, err := http.NewRequestWithContext(context.WithValue(ctx, accessKey{}, accessInside), http.MethodGet, path, http.NoBody)
	if err != nil {
		return http.StatusBadRequest, nil
	}
	r.Body = http.NoBody // which a server's request always has
	w := inMemory{header: http.Header{}, status: http.StatusOK}
	a.mux.ServeHTTP(&w, r)
	return w.status, w.Bytes()
}

// inMemory is an answer that stays in the process.
type inMemory struct {
	bytes.Buffer
	header http.Header
	status int
}

func (w *inMemory) Header() http.Header    { return w.header }
func (w *inMemory) WriteHeader(status int) { w.status = status }

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
		t.diagnostics.log.Info("http.DefaultServeMux serves " + strings.Join(paths, ", ") +
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
