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
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAdminStrangers asks as a page of another site would: under its own host
// name, after its DNS points here, or by a form.
func TestAdminStrangers(t *testing.T) {
	tel, _ := admin(t, func(c *Config) { c.Admin.Hosts = []string{"Tienda.internal:9464"} })
	tel.Admin().Handle("POST /silences", "", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for what, c := range map[string]struct {
		method, path, host, site string
		status                   int
	}{
		"by address":          {"GET", "/metrics-dashboard", "", "", 200},
		"localhost":           {"GET", "/metrics-dashboard", "localhost:9464", "", 200},
		"a full stop":         {"GET", "/metrics-dashboard", "localhost.:9464", "", 200},
		"under localhost":     {"GET", "/metrics-dashboard", "tienda.localhost:9464", "", 200},
		"listed":              {"GET", "/metrics-dashboard", "tienda.internal", "", 200},
		"ipv6":                {"GET", "/metrics-dashboard", "[::1]:9464", "", 200},
		"a container":         {"GET", "/metrics", "host.docker.internal:9464", "", 200},
		"rebinding":           {"GET", "/metrics-dashboard", "evil.example", "", 421},
		"rebinding, a view":   {"GET", "/alerts", "evil.example", "", 421},
		"rebinding, a part":   {"GET", "/page/profile", "evil.example", "", 421},
		"rebinding, metrics":  {"GET", "/metrics", "evil.example:9464", "", 421},
		"rebinding, post":     {"POST", "/silences", "evil.example", "same-origin", 421},
		"rebinding, a suffix": {"GET", "/metrics-dashboard", "evil-localhost", "", 421},
		"rebinding, a prefix": {"GET", "/metrics-dashboard", "127.0.0.1.evil.example", "", 421},
		"post":                {"POST", "/silences", "", "same-origin", 200},
		"post by a program":   {"POST", "/silences", "", "", 200},
		"cross-site post":     {"POST", "/silences", "", "cross-site", 403},
		"a link":              {"GET", "/metrics-dashboard", "", "cross-site", 200},
	} {
		t.Run(what, func(t *testing.T) {
			r := request(t, c.method, tel.Admin().URL()+c.path, func(r *http.Request) {
				r.Host = c.host
				if c.site != "" {
					r.Header.Set("Sec-Fetch-Site", c.site)
				}
			})
			status, body := ask(t, oneShot(nil), r)
			if status != c.status || status == http.StatusMisdirectedRequest && !strings.Contains(body, "Config.Admin.Hosts") {
				t.Errorf("status %d (%.200s), want %d", status, body, c.status)
			}
		})
	}
}

// privatePages show the inside, publicPages do not.
var privatePages = []string{"/", "/flame", "/graph", "/alerts", "/domain", "/findings", "/page/live.js", "/page/vendor/speedscope.html",
	"/metrics-dashboard", "/debug/pprof/", "/debug/pprof/heap", "/debug/report", "/added"}
var publicPages = []string{"/metrics", "/healthz", "/readyz"}

// TestAdminOutside is a listener that others reach.
func TestAdminOutside(t *testing.T) {
	tel, _ := admin(t, func(c *Config) { c.Admin.Address, c.Admin.Guarded = "0.0.0.0:0", true })
	tel.Admin().Handle("GET /added", "", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, path := range append([]string{"/endpoint", "/page/profile"}, privatePages...) {
		status, body := ask(t, oneShot(nil), request(t, http.MethodGet, tel.Admin().URL()+path, nil))
		if status != http.StatusForbidden || !strings.Contains(body, "Config.Admin.WebConfigFile") {
			t.Errorf("%s: status %d: %s; want 403 and what to do", path, status, body)
		}
	}
	for _, path := range publicPages {
		r := request(t, http.MethodGet, tel.Admin().URL()+path, func(r *http.Request) { r.Host = "tienda.shop:9464" })
		if status, body := ask(t, oneShot(nil), r); status != http.StatusOK {
			t.Errorf("%s: status %d: %s", path, status, body)
		}
	}
	tel.AddReadyCheck("database", func(context.Context) error { return errors.New("no route to admin@10.0.0.7") })
	status, body := ask(t, oneShot(nil), request(t, http.MethodGet, tel.Admin().URL()+"/readyz", nil))
	if status != http.StatusServiceUnavailable || !strings.Contains(body, `"database": "failed"`) {
		t.Errorf("/readyz: status %d, %s; want 503 and no more than the name", status, body)
	}
}

// basicAuth is a web configuration with the user ops, whose password is "secret".
const basicAuth = "basic_auth_users:\n  ops: $2a$04$l.CLEa1.EbEdbJhH3qRyeOWEEDrqSz4gRH042eCt5pIBnHk6CSbey\n"

// TestAdminSecured has TLS and basic auth by the toolkit's file, on a listener
// that others reach.
func TestAdminSecured(t *testing.T) {
	dir := t.TempDir()
	client := oneShot(&tls.Config{RootCAs: selfSigned(t, dir)})
	file := filepath.Join(dir, "web.yaml")
	configure := func(content string) { must(t, os.WriteFile(file, []byte(content), 0o600)) }
	const withTLS = "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n"
	configure(basicAuth + withTLS)
	tel, _ := admin(t, func(c *Config) { c.Admin.Address, c.Admin.WebConfigFile = "0.0.0.0:0", file })
	if !strings.HasPrefix(tel.Admin().URL(), "https://") {
		t.Fatalf("the URL is %q", tel.Admin().URL())
	}
	check := func(path, password string, want int) {
		t.Helper()
		r := request(t, http.MethodGet, tel.Admin().URL()+path, func(r *http.Request) {
			if password != "" {
				r.SetBasicAuth("ops", password)
			}
		})
		if status, body := ask(t, client, r); status != want {
			t.Errorf("%s with password %q: status %d (%.200s), want %d", path, password, status, body, want)
		}
	}
	check("/metrics", "", 401)
	check("/metrics-dashboard", "", 401)
	check("/metrics-dashboard", "wrong", 401)
	check("/metrics-dashboard", "secret", 200)
	check("/metrics", "secret", 200)
	configure(withTLS) // the toolkit heeds it at once: nobody is kept out any more
	check("/metrics", "", 200)
	check("/metrics-dashboard", "", 403)
	configure("basic_auth_users: [") // nothing is served any more
	if response, err := client.Do(request(t, http.MethodGet, tel.Admin().URL()+"/metrics", nil)); err == nil {
		_ = response.Body.Close()
		t.Errorf("status %d with a broken configuration", response.StatusCode)
	}
}

// TestWebConfigMistakes are errors of Init: nothing is served without the
// protection that was asked for.
func TestWebConfigMistakes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.yaml")
	for content, want := range map[string]string{
		"basic_auth_users: [":                      "yaml",
		"tls_server_config: {x: y}":                "field x",
		"basic_auth_users: {a: abc}":               "bcrypt",
		"tls_server_config: {cert_file: none.pem}": "key",
		"": "no such file",
	} {
		t.Run(content, func(t *testing.T) {
			_ = os.Remove(file)
			if content != "" {
				must(t, os.WriteFile(file, []byte(content), 0o600))
			}
			tel, err := Init(t.Context(), quiet(func(c *Config) { c.Admin = AdminConfig{Address: "127.0.0.1:0", WebConfigFile: file} }))
			for _, part := range []string{want, "Config.Admin.WebConfigFile: " + file} {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("error %v, want %q in it", err, part)
				}
			}
			if tel.Admin().URL() != "" {
				t.Errorf("served at %s", tel.Admin().URL())
			}
		})
	}
}

// TestWhoAuthenticates is what of the toolkit's file keeps strangers out.
func TestWhoAuthenticates(t *testing.T) {
	dir := t.TempDir()
	selfSigned(t, dir)
	const files = "cert_file: cert.pem, key_file: key.pem"
	for content, want := range map[string]bool{
		"":                                   false,
		"tls_server_config: {" + files + "}": false,
		basicAuth:                            true,
		"basic_auth_users: {}":               false,
		"tls_server_config: {" + files + ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: cert.pem}": true,
		"tls_server_config: {" + files + ", client_auth_type: VerifyClientCertIfGiven, client_ca_file: cert.pem}":    false,
		// Whoever has a certificate of any public authority.
		"tls_server_config: {" + files + ", client_auth_type: RequireAndVerifyClientCert}": false,
	} {
		file := filepath.Join(dir, "web.yaml")
		must(t, os.WriteFile(file, []byte(content), 0o600))
		c, err := readWebConfig(file)
		must(t, err)
		if c.authenticates() != want {
			t.Errorf("%s: authenticates: %v", content, c.authenticates())
		}
	}
}

// selfSigned writes cert.pem and key.pem for this machine, and returns who
// trusts them.
func selfSigned(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "EC PRIVATE KEY", Bytes: keyDER},
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
	certificate, err := x509.ParseCertificate(der)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return pool
}
