package telemetry

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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
		Admin:  Admin{Address: "127.0.0.1:0"},
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
		"/":                    {200, "metrics-dashboard"},
		"/metrics":             {200, "tienda_build_info{"},
		"/healthz":             {200, "ok"},
		"/readyz":              {200, `"ready": true`},
		"/metrics-dashboard":   {200, `"system_status": "healthy"`},
		"/debug/pprof/":        {200, "goroutine"},
		"/debug/pprof/cmdline": {404, ""},
		"/nowhere":             {404, ""},
	} {
		t.Run(path, func(t *testing.T) {
			status, body := ask(t, oneShot(nil), request(t, http.MethodGet, tel.AdminURL()+path, nil))
			if status != want.status || !strings.Contains(body, want.body) {
				t.Errorf("status %d, body %.300q; want %d with %q", status, body, want.status, want.body)
			}
		})
	}
}

// TestAdminStrangers asks as a page of another site would: under its own host
// name, after its DNS points here, or by a form.
func TestAdminStrangers(t *testing.T) {
	tel, _ := admin(t, func(c *Config) { c.Admin.Hosts = []string{"tienda.internal"} })
	for what, c := range map[string]struct {
		method, host, site string
		status             int
	}{
		"by address":          {http.MethodGet, "", "", 200},
		"localhost":           {http.MethodGet, "localhost:9464", "", 200},
		"listed":              {http.MethodGet, "tienda.internal", "", 200},
		"ipv6":                {http.MethodGet, "[::1]:9464", "", 200},
		"a container":         {http.MethodGet, "host.docker.internal:9464", "", 200},
		"rebinding":           {http.MethodGet, "evil.example", "", 421},
		"rebinding, a suffix": {http.MethodGet, "evil-localhost", "", 421},
		"cross-site post":     {http.MethodPost, "", "cross-site", 403},
	} {
		t.Run(what, func(t *testing.T) {
			r := request(t, c.method, tel.AdminURL()+"/metrics-dashboard", func(r *http.Request) {
				r.Host = c.host
				if c.site != "" {
					r.Header.Set("Sec-Fetch-Site", c.site)
				}
			})
			if status, body := ask(t, oneShot(nil), r); status != c.status {
				t.Errorf("status %d (%.200s), want %d", status, body, c.status)
			}
		})
	}
}

// TestAdminOutside is a listener that others reach: metrics stay open, what
// shows the inside does not.
func TestAdminOutside(t *testing.T) {
	tel, _ := admin(t, func(c *Config) { c.Admin.Disabled = true })
	outside := tel.pages(access{})
	secured := tel.pages(access{authenticated: true})
	for path, want := range map[string]int{
		"/": 403, "/metrics-dashboard": 403, "/debug/pprof/": 403, "/debug/pprof/heap": 403, "/debug/report": 403,
		"/metrics": 200, "/healthz": 200, "/readyz": 200,
	} {
		w := httptest.NewRecorder()
		outside.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://shop.example"+path, nil))
		if w.Code != want {
			t.Errorf("%s: status %d, want %d", path, w.Code, want)
		}
		w = httptest.NewRecorder()
		secured.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://shop.example"+path, nil))
		if w.Code == http.StatusForbidden {
			t.Errorf("%s: forbidden behind authentication", path)
		}
	}
}

func TestAdminPortTaken(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	tel, log := admin(t, func(c *Config) { c.Admin.Address = listener.Addr().String() })
	if tel.AdminURL() != "" {
		t.Errorf("AdminURL %q on a port that is taken", tel.AdminURL())
	}
	for _, want := range []string{"address=" + listener.Addr().String(), "OTEL_EXPORTER_PROMETHEUS_PORT", "Config.Admin.Address"} {
		if strings.Count(log(), want) != 1 {
			t.Errorf("want %q once in the log:\n%s", want, log())
		}
	}
}

// TestAdminSecured has TLS and basic auth by the toolkit's file.
func TestAdminSecured(t *testing.T) {
	dir := t.TempDir()
	certificate := selfSigned(t, dir)
	file := filepath.Join(dir, "web.yaml")
	// The password is "secret".
	content := "basic_auth_users:\n  ops: $2y$04$E9TNAvvs6PMkxRmkE2uVKOYvTDCsOlJi2BfSPsCxTMBIpLbOgkEVi\n" +
		"tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n"
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	tel, _ := admin(t, func(c *Config) { c.Admin.WebConfigFile = file })
	if !strings.HasPrefix(tel.AdminURL(), "https://") {
		t.Errorf("AdminURL %q, want https", tel.AdminURL())
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	client := oneShot(&tls.Config{RootCAs: pool})
	if status, _ := ask(t, client, request(t, http.MethodGet, tel.AdminURL()+"/metrics", nil)); status != http.StatusUnauthorized {
		t.Errorf("status %d without a password, want 401", status)
	}

	for content, want := range map[string]string{
		"basic_auth_users: [":        "WebConfigFile",
		"tls_server_config: {x: y}":  "WebConfigFile",
		"basic_auth_users: {a: abc}": "WebConfigFile",
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Init(t.Context(), Config{Domain: domain.Domain{Prefix: "tienda", Entity: "pedido"}, KeepGlobals: true,
			Profiling: continuous.Config{Disabled: true}, Admin: Admin{Address: "127.0.0.1:0", WebConfigFile: file}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", content, err, want)
		}
	}
}

func selfSigned(t *testing.T, dir string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "EC PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// TestReady has checks that fail, panic and hang. None holds up another, and
// one that hangs is not started again.
func TestReady(t *testing.T) {
	release := make(chan struct{})
	calls := make(chan struct{}, 10)
	tel, _ := admin(t, func(c *Config) {
		c.Admin.Disabled = true
	})
	tel.AddReadyCheck("database", func(context.Context) error { return errors.New("replaced") })
	tel.AddReadyCheck("database", func(context.Context) error { return nil })
	tel.AddReadyCheck("queue", func(context.Context) error { return errors.New("no broker at 127.0.0.1:5672") })
	tel.AddReadyCheck("cache", func(context.Context) error { panic("nil map") })
	tel.AddReadyCheck("slow", func(context.Context) error { calls <- struct{}{}; <-release; return nil })
	for range 2 {
		w := httptest.NewRecorder()
		tel.AdminHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/readyz", nil))
		body := w.Body.String()
		for _, want := range []string{`"database": "ok"`, "no broker at", "the check panicked: nil map", `"ready": false`} {
			if !strings.Contains(body, want) {
				t.Errorf("no %q in %s", want, body)
			}
		}
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", w.Code)
		}
	}
	if len(calls) != 1 {
		t.Errorf("the check that hangs was started %d times", len(calls))
	}
	close(release)
}

func TestDashboard(t *testing.T) {
	tel, _ := admin(t, func(c *Config) {
		c.Admin.Disabled = true
		c.Domain.Events = []domain.Event{{Name: "pedidos", Attributes: map[string][]string{"canal": {"web"}}}, {Name: "valor", Kind: domain.KindHistogram}}
	})
	mux := tel.NewServeMux()
	mux.HandleFunc("GET /good", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /bad/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	for i := range 100 {
		mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/good", nil))
		mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, fmt.Sprintf("/bad/%d", i), nil))
	}
	tel.Counter("pedidos").With("canal", "web").Add(3)
	tel.Histogram("valor").With().Record(t.Context(), 40)
	tel.APIErrorType("timeout")
	tel.Counter("pedido").With().Add(1) // a problem

	d := tel.dashboard(t.Context())
	if d.SystemStatus != "degraded" || len(d.Reasons) != 1 || !strings.Contains(d.Reasons[0], "GET /bad/{id} answers 100 %") {
		t.Errorf("status %s for %q", d.SystemStatus, d.Reasons)
	}
	found := false
	for _, e := range d.Endpoints {
		if e.Endpoint == "/good" {
			found = e.Requests == 100 && e.Errors == 0 && *e.ErrorRatio == 0 && *e.P95 > 0 && *e.P95 <= 0.005
		}
	}
	if !found {
		t.Errorf("endpoints %+v", d.Endpoints)
	}
	values := map[string]float64{}
	for _, e := range append(d.Events, d.Errors...) {
		values[e.Name] += e.Value
	}
	if values["pedidos"] != 3 || values["valor"] != 40 || values["api_errors"] != 1 {
		t.Errorf("events %v", values)
	}
	if len(d.Problems) != 1 || !strings.Contains(d.Problems[0], "nearest=pedidos") {
		t.Errorf("problems %q", d.Problems)
	}
}

func TestQuantile(t *testing.T) {
	bounds := []float64{1, 2, 4}
	for _, c := range []struct {
		q      float64
		counts []uint64
		want   float64
	}{
		{0.5, []uint64{10, 0, 0, 0}, 0.5},
		{0.5, []uint64{5, 10, 5, 0}, 1.5},
		{0.95, []uint64{0, 0, 10, 0}, 3.9},
		{0.99, []uint64{1, 0, 0, 10}, 4},
		{0.5, []uint64{0, 4, 0, 0}, 1.5},
	} {
		if got := quantile(c.q, bounds, c.counts); *got < c.want-1e-9 || *got > c.want+1e-9 {
			t.Errorf("quantile(%v, %v) = %v, want %v", c.q, c.counts, *got, c.want)
		}
	}
	if quantile(0.5, bounds, []uint64{0, 0, 0, 0}) != nil {
		t.Error("a quantile of nothing")
	}
}
