package telemetry

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
)

// admin starts a Telemetry with an admin listener on a free port, and returns
// what it logged so far with it.
func admin(t *testing.T, change func(*Config)) (*Telemetry, func() string) {
	t.Helper()
	var log syncBuffer
	cfg := Config{
		Domain:      domain.Domain{Prefix: "tienda", Entity: "pedido"},
		KeepGlobals: true, Profiling: continuous.Config{Disabled: true},
		Admin:  AdminConfig{Address: "127.0.0.1:0"},
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&cfg)
	}
	tel, err := Init(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tel, log.String
}

// syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// ask sends one request and returns its status and body.
func ask(t *testing.T, client *http.Client, r *http.Request) (int, string) {
	t.Helper()
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func request(t *testing.T, method, url string, change func(*http.Request)) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	return r
}

// oneShot is a client that leaves no connection behind.
func oneShot(config *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: config}, Timeout: 30 * time.Second}
}

func TestAdminPages(t *testing.T) {
	tel, _ := admin(t, nil)
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/":                    {200, `<a href="metrics-dashboard">`},
		"/metrics":             {200, "tienda_build_info{"},
		"/healthz":             {200, "ok"},
		"/readyz":              {200, `"ready": true`},
		"/metrics-dashboard":   {200, `"system_status": "healthy"`},
		"/debug/pprof/":        {200, "goroutine"},
		"/debug/pprof/heap":    {200, ""},
		"/debug/report":        {404, "no profile is kept"},
		"/debug/pprof/cmdline": {404, ""},
		"/nowhere":             {404, ""},
	} {
		t.Run(path, func(t *testing.T) {
			status, body := ask(t, oneShot(nil), request(t, http.MethodGet, tel.Admin().URL()+path, nil))
			if status != want.status || !strings.Contains(body, want.body) {
				t.Errorf("status %d, body %.300q; want %d with %q", status, body, want.status, want.body)
			}
		})
	}
}

// TestAdminFormats asks for /metrics as a browser and as a Prometheus do: only
// the latter gets exemplars, which the plain text does not have.
func TestAdminFormats(t *testing.T) {
	tel, _ := startTraced(t, func(c *Config) { c.Admin = AdminConfig{Address: "127.0.0.1:0"} })
	mux := tel.NewServeMux()
	mux.HandleFunc("GET /orders", func(http.ResponseWriter, *http.Request) {})
	mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/orders", nil))
	for accept, want := range map[string]struct {
		contentType string
		exemplars   bool
	}{
		"text/html": {"text/plain; version=0.0.4", false},
		"application/openmetrics-text;version=1.0.0": {"application/openmetrics-text; version=1.0.0", true},
	} {
		r := request(t, http.MethodGet, tel.Admin().URL()+"/metrics", func(r *http.Request) {
			r.Header.Set("Accept", accept)
			r.Header.Set("Accept-Encoding", "gzip")
		})
		response, err := oneShot(nil).Do(r)
		must(t, err)
		defer response.Body.Close()
		if got := response.Header.Get("Content-Type"); !strings.HasPrefix(got, want.contentType) {
			t.Errorf("%s: Content-Type %q, want %q", accept, got, want.contentType)
		}
		unzipped, err := gzip.NewReader(response.Body)
		must(t, err)
		body, err := io.ReadAll(unzipped)
		must(t, err)
		if strings.Contains(string(body), `trace_id="`) != want.exemplars {
			t.Errorf("%s: exemplars should be there: %v\n%s", accept, want.exemplars, body)
		}
		if want.exemplars && !strings.HasSuffix(string(body), "# EOF\n") {
			t.Errorf("%s: no end", accept)
		}
	}
}

// TestAdminLimits are those against slow clients.
func TestAdminLimits(t *testing.T) {
	tel, _ := admin(t, nil)
	s := tel.admin.server
	for name, limit := range map[string]time.Duration{
		"ReadHeaderTimeout": s.ReadHeaderTimeout, "ReadTimeout": s.ReadTimeout, "IdleTimeout": s.IdleTimeout,
	} {
		if limit <= 0 || limit > 2*time.Minute {
			t.Errorf("%s is %v", name, limit)
		}
	}
	if s.MaxHeaderBytes <= 0 || s.MaxHeaderBytes > http.DefaultMaxHeaderBytes {
		t.Errorf("MaxHeaderBytes is %d", s.MaxHeaderBytes)
	}
	// A minute's CPU profile with windows of a minute: the answer comes with the
	// end of the second or third window.
	if timeout := newAdminServer(nil, time.Minute).WriteTimeout; timeout < 3*time.Minute {
		t.Errorf("WriteTimeout is %v", timeout)
	}
}

// TestAdminConnections opens more connections than there may be.
func TestAdminConnections(t *testing.T) {
	tel, _ := admin(t, nil)
	address := strings.TrimPrefix(tel.Admin().URL(), "http://")
	dial := func() net.Conn {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		must(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	first := dial()
	for range maxAdminConns - 1 {
		dial()
	}
	tooMany := dial()
	_, err := tooMany.Write([]byte("GET /healthz HTTP/1.1\r\nHost: " + address + "\r\n\r\n"))
	must(t, err)
	must(t, tooMany.SetReadDeadline(time.Now().Add(500*time.Millisecond))) // no answer takes so long that is given
	if n, err := tooMany.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("one connection too many is served: %v", err)
	}
	must(t, first.Close())
	must(t, tooMany.SetReadDeadline(time.Time{}))
	if _, err := tooMany.Read(make([]byte, 1)); err != nil {
		t.Errorf("a connection that ended makes no room for one that waits: %v", err)
	}
	must(t, tooMany.Close())
	eventually(t, "a connection that ended makes room", func() bool {
		response, err := oneShot(nil).Do(request(t, http.MethodGet, tel.Admin().URL()+"/healthz", nil))
		if err != nil {
			return false
		}
		return response.Body.Close() == nil && response.StatusCode == http.StatusOK
	})
}

// TestAdminNoListener has addresses that cannot be listened on: one warning
// says which and what to do, and the handler serves all the same.
func TestAdminNoListener(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	for what, address := range map[string]string{
		"taken":               listener.Addr().String(),
		"another machine's":   "192.0.2.1:9464", // RFC 5737: for documentation
		"a port out of range": "127.0.0.1:99999",
	} {
		t.Run(what, func(t *testing.T) {
			tel, log := admin(t, func(c *Config) { c.Admin.Address = address })
			if tel.Admin().URL() != "" {
				t.Errorf("the URL is %q", tel.Admin().URL())
			}
			for _, want := range []string{"level=WARN", "address=" + address, "OTEL_EXPORTER_PROMETHEUS_PORT", "Config.Admin.Address"} {
				if strings.Count(log(), want) != 1 {
					t.Errorf("want %q once in the log:\n%s", want, log())
				}
			}
			w := httptest.NewRecorder()
			tel.Admin().Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/healthz", nil))
			if w.Code != http.StatusOK {
				t.Errorf("the handler answers %d", w.Code)
			}
		})
	}
}

// TestAdminAddress is the order of code, environment and default.
func TestAdminAddress(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_PROMETHEUS_HOST", "127.0.0.2") // loopback is all of 127/8
	t.Setenv("OTEL_EXPORTER_PROMETHEUS_PORT", "0")
	tel, _ := admin(t, func(c *Config) { c.Admin.Address = "" })
	if !strings.HasPrefix(tel.Admin().URL(), "http://127.0.0.2:") {
		t.Errorf("by the environment: %q", tel.Admin().URL())
	}
	if status, _ := ask(t, oneShot(nil), request(t, http.MethodGet, tel.Admin().URL()+"/metrics-dashboard", nil)); status != http.StatusOK {
		t.Errorf("status %d on a loopback address", status)
	}
	tel, _ = admin(t, func(c *Config) { c.Admin.Address = ":0" })
	if !strings.HasPrefix(tel.Admin().URL(), "http://localhost:") {
		t.Errorf("by the code: %q", tel.Admin().URL())
	}
}

// TestAdminShutdown has a page in flight that waits for its client, and one
// that waits for nothing but itself.
func TestAdminShutdown(t *testing.T) {
	for what, obeys := range map[string]bool{"obeys": true, "does not": false} {
		t.Run(what, func(t *testing.T) {
			cfg := quiet(func(c *Config) { c.Admin = AdminConfig{Address: "127.0.0.1:0"} })
			tel, err := Init(t.Context(), cfg)
			must(t, err)
			began, release, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
			tel.Admin().Handle("GET /wait", "", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				close(began)
				if obeys {
					<-r.Context().Done()
				} else {
					<-release
				}
			}))
			go func() {
				defer close(ended)
				if response, err := oneShot(nil).Do(request(t, http.MethodGet, tel.Admin().URL()+"/wait", nil)); err == nil {
					_ = response.Body.Close()
				}
			}()
			<-began
			timeout := 20 * time.Second
			if !obeys {
				timeout = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			err = tel.Shutdown(ctx)
			if (err == nil) != obeys || err != nil && !strings.Contains(err.Error(), "admin listener") {
				t.Errorf("Shutdown: %v", err)
			}
			<-ended // its connection is closed in any case
			if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(tel.Admin().URL(), "http://")); err == nil {
				t.Error("there is still a listener")
			}
			close(release)
		})
	}
}

// TestAdminHandlerInert has nothing to serve.
func TestAdminHandlerInert(t *testing.T) {
	for _, tel := range []*Telemetry{nil, {}} {
		w := httptest.NewRecorder()
		tel.Admin().Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/metrics", nil))
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", w.Code)
		}
		tel.Admin().Handle("/page", "", http.NotFoundHandler())
		if tel.Admin().URL() != "" {
			t.Errorf("the URL is %q", tel.Admin().URL())
		}
	}
}
