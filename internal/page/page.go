package page

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"html/template"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/humanize"
)

//go:embed views
var viewFiles embed.FS

//go:embed static vendor
var assetFiles embed.FS

// Config is what a Page is of.
type Config struct {
	Domain   domain.Domain
	Profiler *continuous.Profiler // nil for a service that is not profiled
	// Get answers as the admin listener does, for somebody who sees all of it.
	Get func(ctx context.Context, path string) (status int, body []byte)
	// Links are the pages that the service itself added.
	Links func() []Link
}

// Link is a page with its description.
type Link struct{ Path, Description string }

// Page serves the views. It is safe for concurrent use.
type Page struct {
	Config
	words
}

// views are the templates, by name. They are read when somebody first looks.
var views = sync.OnceValue(func() map[string]*template.Template {
	all := map[string]*template.Template{}
	for _, name := range []string{"now", "endpoint", "flame", "graph", "alerts", "domain", "findings"} {
		all[name] = template.Must(template.New("layout.html").ParseFS(viewFiles, "views/layout.html", "views/"+name+".html"))
	}
	return all
})

// The policies let a view have what it comes with, and nothing from anywhere
// else. speedscope makes its own styles, and has WebAssembly in it: a policy for
// its page alone.
const (
	viewPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	flamePolicy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; " +
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)

// New makes a Page. It does nothing until somebody looks.
func New(cfg Config) *Page {
	return &Page{cfg, words{humanize.Of(cfg.Domain.Language)}}
}

// Register adds the views, by the patterns of http.ServeMux.
func (p *Page) Register(handle func(pattern string, h http.Handler)) {
	for pattern, view := range map[string]func(*http.Request) view{
		"/{$}": p.now, "/endpoint": p.endpoint, "/flame": p.flame, "/graph": p.graph, "/alerts": p.alerts, "/domain": p.domain, "/findings": p.findings,
	} {
		handle("GET "+pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.write(w, r, view(r)) }))
	}
	handle("GET /page/", http.HandlerFunc(p.serveAsset))
	handle("GET /page/profile", http.HandlerFunc(p.serveProfile))
}

// view is the data of one view, which has a head in it.
type view interface{ about() head }

// head is what every view has. Its methods write figures and texts.
type head struct {
	words
	View, Title, Service string
	Embedded             bool // alerts, incidents and PromQL are there
	status               int
	durations            []float64 // the bounds of the histogram of times to answer, in seconds
}

func (h head) about() head { return h }

// Quantile writes a quantile of the times to answer. Below its first bound and
// above its last one a histogram knows no more than that bound.
func (h head) Quantile(seconds *float64) string {
	if seconds == nil || len(h.durations) == 0 {
		return h.Seconds(seconds)
	}
	first, last := h.durations[0], h.durations[len(h.durations)-1]
	switch {
	case *seconds <= first:
		return "≤ " + h.Seconds(first)
	case *seconds >= last:
		return "≥ " + h.Seconds(last)
	}
	return h.Seconds(seconds)
}

func (p *Page) head(ctx context.Context, name, title string) head {
	status, _ := p.Get(ctx, "/api/v1/status/buildinfo")
	duration, _ := p.Domain.Metric("response_duration")
	return head{p.words, name, title, p.Domain.Service(), status == http.StatusOK, http.StatusOK, duration.Buckets}
}

func (p *Page) write(w http.ResponseWriter, r *http.Request, v view) {
	var out bytes.Buffer
	if err := views()[v.about().View].Execute(&out, v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", viewPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	send(w, r, v.about().status, out.Bytes(), zipped(out.Bytes()))
}

// send writes a body, packed for a client that can unpack it.
func send(w http.ResponseWriter, r *http.Request, status int, plain, packed []byte) {
	w.Header().Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		plain = packed
	}
	w.WriteHeader(status)
	_, _ = w.Write(plain)
}

func zipped(plain []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(plain) // into memory: it cannot fail
	_ = z.Close()
	return out.Bytes()
}

// contentTypes are not looked up: a machine's own table may have another for
// .js, and no browser would run it.
var contentTypes = map[string]string{
	".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8",
	".svg": "image/svg+xml", ".png": "image/png", ".woff2": "font/woff2", ".ico": "image/x-icon",
}

// asset is a file that never changes while the process runs.
type asset struct{ plain, packed []byte }

var assets sync.Map // by name to asset; packed when first asked for

// serveAsset serves static/ and vendor/. A browser asks again each time, and is
// told that nothing changed until a new version of the service did.
func (p *Page) serveAsset(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/page/")
	if !strings.HasPrefix(name, "vendor/") {
		name = "static/" + name
	}
	known, ok := assets.Load(name)
	if !ok {
		plain, err := assetFiles.ReadFile(name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		known, _ = assets.LoadOrStore(name, asset{plain, zipped(plain)})
	}
	file := known.(asset)
	sum := sha256.Sum256(file.plain)
	h := w.Header()
	h.Set("Content-Type", cmp.Or(contentTypes[path.Ext(name)], "application/octet-stream"))
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
	h.Set("Content-Security-Policy", viewPolicy)
	if name == "vendor/speedscope.html" {
		h.Set("Content-Security-Policy", flamePolicy)
	}
	if r.Header.Get("If-None-Match") == h.Get("ETag") {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	send(w, r, http.StatusOK, file.plain, file.packed)
}

// read asks the listener for JSON. It tells whether there was any.
func (p *Page) read(ctx context.Context, path string, into any) bool {
	status, body := p.Get(ctx, path)
	return status == http.StatusOK && json.Unmarshal(body, into) == nil
}

// jsonText is data for a module, as the value of an attribute.
func jsonText(data any) string {
	text, _ := json.Marshal(data) // texts and finite figures: it cannot fail
	return string(text)
}
