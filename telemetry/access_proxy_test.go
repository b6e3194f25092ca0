package telemetry

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// way is how a request comes to the pages: it asks for one and returns the
// status.
type way func(t *testing.T, path string) int

// TestWhoSeesWhat is the table of docs/access.md: each way to the pages, and
// what those that show the inside answer, and those that do not. The guarded
// handler shows all in every way that leads to the handler.
func TestWhoSeesWhat(t *testing.T) {
	listener, _ := admin(t, nil)
	unguarded, _ := admin(t, func(c *Config) { c.Admin.Disabled = true })
	guarded, _ := admin(t, func(c *Config) { c.Admin.Disabled, c.Admin.Guarded = true, true })
	mustHave := func(tel *Telemetry) *Telemetry {
		tel.Admin().Handle("GET /added", "", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		return tel
	}
	at := mustHave(listener).Admin().URL()
	for name, c := range map[string]struct {
		way             way
		inside, outside int
	}{
		"listener/direct":                  {direct(at, nil), 200, 200},
		"listener/nginx's HTTP 1.0":        {byHTTP10(at), 403, 200},
		"listener/nginx's without a host":  {byRaw(at, "GET %s HTTP/1.0\r\n\r\n"), 403, 200},
		"listener/proxy, X-Forwarded":      {direct(proxy(t, at, (*httputil.ProxyRequest).SetXForwarded), nil), 403, 200},
		"listener/proxy, Host kept":        {direct(proxy(t, at, keepHost), underHost("shop.example")), 421, 421},
		"listener/proxy, Host an address":  {direct(proxy(t, at, keepHost), underHost("203.0.113.7")), 403, 200},
		"listener/proxy, no trace":         {direct(proxy(t, at, nil), nil), 200, 200}, // documented: needs authentication
		"listener/rebinding, with a proxy": {direct(at, func(r *http.Request) { r.Host = "evil.example"; r.Header.Set("X-Forwarded-For", "127.0.0.1") }), 421, 421},
	} {
		t.Run(name, func(t *testing.T) { walkPages(t, c.way, c.inside, c.outside) })
	}
	for _, header := range []string{
		"Forwarded", "X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Proto", "X-Real-IP", "Via", "True-Client-IP", "CF-Connecting-IP",
		"X-Envoy-External-Address", "X-Original-Forwarded-For", "X-Amzn-Trace-Id", "CDN-Loop", "l5d-client-id",
	} {
		t.Run("listener/"+header, func(t *testing.T) {
			walkPages(t, direct(at, func(r *http.Request) { r.Header.Set(header, "x") }), 403, 200)
		})
	}
	for _, c := range []struct {
		name   string
		tel    *Telemetry
		inside int
	}{{"handler", mustHave(unguarded), 403}, {"handler, guarded", mustHave(guarded), 200}} {
		for name, way := range waysTo(t, c.tel.Admin().Handler()) {
			t.Run(c.name+"/"+name, func(t *testing.T) { walkPages(t, way, c.inside, 200) })
		}
	}
}

// waysTo are servers of a user's with the handler, and what may stand before
// them.
func waysTo(t *testing.T, h http.Handler) map[string]way {
	plain := httptest.NewServer(h)
	t.Cleanup(plain.Close)
	h2 := httptest.NewUnstartedServer(h)
	h2.EnableHTTP2 = true
	h2.StartTLS()
	t.Cleanup(h2.Close)
	h2c := httptest.NewUnstartedServer(h)
	h2c.Config.Protocols = new(http.Protocols)
	h2c.Config.Protocols.SetUnencryptedHTTP2(true)
	h2c.Start()
	t.Cleanup(h2c.Close)
	overH2C := &http.Transport{Protocols: h2c.Config.Protocols}
	t.Cleanup(overH2C.CloseIdleConnections)
	dir, err := os.MkdirTemp("", "latido") // short: a socket's path is
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := httptest.NewUnstartedServer(h)
	_ = socket.Listener.Close()
	socket.Listener, err = new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(dir, "s"))
	must(t, err)
	socket.Start()
	t.Cleanup(socket.Close)
	overSocket := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket.Listener.Addr().String())
	}}
	t.Cleanup(overSocket.CloseIdleConnections)
	through := func(transport http.RoundTripper, base string) way {
		return func(t *testing.T, path string) int {
			status, _ := ask(t, &http.Client{Transport: transport}, request(t, http.MethodGet, base+path, nil))
			return status
		}
	}
	return map[string]way{
		"loopback":           direct(plain.URL, nil),
		"localhost":          direct(plain.URL, underHost("localhost")),
		"a real host":        direct(plain.URL, underHost("shop.example")),
		"HTTP/2":             through(h2.Client().Transport, h2.URL),
		"h2c":                through(overH2C, h2c.URL),
		"unix socket":        through(overSocket, "http://localhost"),
		"nginx's HTTP 1.0":   byHTTP10(plain.URL),
		"proxy, no trace":    direct(proxy(t, plain.URL, nil), nil),
		"proxy, X-Forwarded": direct(proxy(t, plain.URL, (*httputil.ProxyRequest).SetXForwarded), nil),
		"proxy, Host kept":   direct(proxy(t, plain.URL, keepHost), underHost("shop.example")),
		"another server than net/http's": func(_ *testing.T, path string) int {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil))
			return w.Code
		},
		"a context that says loopback": func(_ *testing.T, path string) int {
			r := httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.IPv6loopback, Port: 80})))
			return w.Code
		},
	}
}

func walkPages(t *testing.T, way way, inside, outside int) {
	t.Helper()
	for want, pages := range map[int][]string{inside: privatePages, outside: publicPages} {
		if inside == outside {
			pages = append(privatePages[:len(privatePages):len(privatePages)], publicPages...)
		}
		for _, path := range pages {
			got := way(t, path)
			if want == 200 && path == "/debug/report" && got == 404 {
				continue // no profile is kept here
			}
			if got != want {
				t.Errorf("%s: status %d, want %d", path, got, want)
			}
		}
	}
}

func direct(base string, change func(*http.Request)) way {
	return func(t *testing.T, path string) int {
		status, _ := ask(t, oneShot(nil), request(t, http.MethodGet, base+path, change))
		return status
	}
}

func underHost(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

// byHTTP10 asks as nginx does by default: with its own Host, the upstream's.
func byHTTP10(base string) way {
	return byRaw(base, "GET %s HTTP/1.0\r\nHost: "+strings.TrimPrefix(base, "http://")+"\r\nConnection: close\r\nUser-Agent: curl/8.5.0\r\n\r\n")
}

func byRaw(base, format string) way {
	return func(t *testing.T, path string) int {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(base, "http://"))
		must(t, err)
		defer conn.Close()
		_, err = fmt.Fprintf(conn, format, path)
		must(t, err)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		must(t, err)
		defer response.Body.Close()
		return response.StatusCode
	}
}

// proxy stands before a server, as Go's own does, and returns its URL.
func proxy(t *testing.T, upstream string, change func(*httputil.ProxyRequest)) string {
	to, err := url.Parse(upstream)
	must(t, err)
	s := httptest.NewServer(&httputil.ReverseProxy{
		Transport: &http.Transport{DisableKeepAlives: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			if change != nil {
				change(r)
			}
		},
	})
	t.Cleanup(s.Close)
	return s.URL
}

func keepHost(r *httputil.ProxyRequest) { r.Out.Host = r.In.Host }

// TestAdminSecuredBehindProxy is the listener that a proxy may stand before:
// with authentication, whoever has the password sees all, however asked.
func TestAdminSecuredBehindProxy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.yaml")
	must(t, os.WriteFile(file, []byte(basicAuth), 0o600))
	tel, _ := admin(t, func(c *Config) { c.Admin.WebConfigFile = file })
	front := proxy(t, tel.Admin().URL(), func(r *httputil.ProxyRequest) { r.SetXForwarded(); keepHost(r) })
	for password, want := range map[string]int{"secret": 200, "": 401, "wrong": 401} {
		got := direct(front, func(r *http.Request) {
			r.Host = "shop.example"
			r.SetBasicAuth("ops", password)
		})(t, "/metrics-dashboard")
		if got != want {
			t.Errorf("with the password %q: status %d, want %d", password, got, want)
		}
	}
}
