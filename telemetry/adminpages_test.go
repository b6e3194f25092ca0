package telemetry

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// askHandler asks Admin.Handler for a page, and returns the answer.
func askHandler(tel *Telemetry, method, path string, body io.Reader) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	tel.Admin().Handler().ServeHTTP(w, httptest.NewRequest(method, "http://localhost"+path, body))
	return w
}

func TestHandleAdmin(t *testing.T) {
	tel, log := admin(t, func(c *Config) {
		c.Admin.Disabled, c.Admin.Guarded = true, true
		c.Version = "<script>alert(1)</script>"
	})
	page := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	}
	tel.Admin().Handle("GET /console/{$}", "what happens <now>", page("the console"))
	tel.Admin().Handle("/hidden", "", page("hidden"))
	if got := askHandler(tel, "GET", "/console/", nil).Body.String(); got != "the console" {
		t.Errorf("the page says %q", got)
	}
	index := askHandler(tel, "GET", "/", nil)
	body := index.Body.String()
	for _, want := range []string{`<a href="./console/" title="what happens &lt;now&gt;">/console/</a>`, `<a href="metrics">`, "Version <b>&lt;script&gt;", "tienda-api is well"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in the index:\n%s", want, body)
		}
	}
	for _, no := range []string{"<script>", "<now>", "/hidden"} {
		if strings.Contains(body, no) {
			t.Errorf("%q in the index:\n%s", no, body)
		}
	}
	if policy := index.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("the policy is %q", policy)
	}

	for _, pattern := range []string{"", "console", "GET", "GET /a{", "GET example.com/a", "GET /console/{$}", "/metrics", "GET /debug/pprof/{x...}", "GE T /x"} {
		before := strings.Count(log(), "an admin page is left out")
		tel.Admin().Handle(pattern, "wrong", page(""))
		tel.Admin().Handle(pattern, "wrong", page(""))
		known := pattern == "/metrics" || strings.HasPrefix(pattern, "GET /debug") // more general, and more special, than what is there
		if n := strings.Count(log(), "an admin page is left out") - before; n != 1 && !known {
			t.Errorf("pattern %q: %d warnings", pattern, n)
		}
	}
	tel.Admin().Handle("/nil", "nil", nil)
	if got := askHandler(tel, "GET", "/nil", nil).Code; got != http.StatusNotFound {
		t.Errorf("a page without a handler: status %d", got)
	}
}

// TestAdminBody sends a page more than it may get.
func TestAdminBody(t *testing.T) {
	tel, _ := admin(t, func(c *Config) { c.Admin.Disabled, c.Admin.Guarded = true, true })
	var read error
	tel.Admin().Handle("POST /upload", "", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, read = io.Copy(io.Discard, r.Body) }))
	askHandler(tel, "POST", "/upload", bytes.NewReader(make([]byte, maxAdminBody)))
	must(t, read)
	askHandler(tel, "POST", "/upload", bytes.NewReader(make([]byte, maxAdminBody+1)))
	if tooLarge := new(http.MaxBytesError); !errors.As(read, &tooLarge) {
		t.Errorf("reading too much: %v", read)
	}
}

// TestAdminPanic is a page that panics: it is logged once, and its client sees
// no answer that looks whole.
func TestAdminPanic(t *testing.T) {
	tel, log := admin(t, nil)
	tel.Admin().Handle("GET /broken", "", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic("nil map")
	}))
	for range 2 {
		response, err := oneShot(nil).Do(request(t, http.MethodGet, tel.Admin().URL()+"/broken", nil))
		if err == nil {
			_, err = io.ReadAll(response.Body)
			_ = response.Body.Close()
		}
		if err == nil {
			t.Error("the answer looks whole")
		}
	}
	if n := strings.Count(log(), "an admin page panicked"); n != 1 || !strings.Contains(log(), "nil map") {
		t.Errorf("logged %d times:\n%s", n, log())
	}
}

// TestDefaultServeMux has what libraries put on it. Profiles are not there, and
// what is there is said.
func TestDefaultServeMux(t *testing.T) {
	_, log := admin(t, func(c *Config) { c.Admin.Disabled = true })
	found := debugPaths(http.DefaultServeMux)
	if slices.Contains(found, "/debug/pprof/") {
		t.Error("profiles are on http.DefaultServeMux")
	}
	if !slices.Contains(found, "/debug/vars") {
		t.Fatalf("expvar is not found: %q", found)
	}
	if !strings.Contains(log(), "level=INFO") || !strings.Contains(log(), "serves /debug/vars") {
		t.Errorf("nothing is said of it:\n%s", log())
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.NotFoundHandler())
	mux.Handle("/debug/", http.NotFoundHandler())
	if found := debugPaths(mux); len(found) > 0 {
		t.Errorf("the user's own pages are taken for %q", found)
	}
	mux.Handle("/debug/pprof/", http.NotFoundHandler()) // as before Go 1.22
	if found := debugPaths(mux); len(found) != 1 {
		t.Errorf("without a method: %q", found)
	}
}
