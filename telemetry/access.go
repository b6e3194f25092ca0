package telemetry

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v3"
)

// access says who may see what, of the requests that came to one address.
type access struct {
	local   bool        // only this machine reaches it
	trusted func() bool // whether strangers are kept out before they come here; nil for no
	hosts   []string    // names under which it may be asked, beside the loopback's
}

// inside tells whether whoever asks may see the inside of the service.
func (a access) inside() bool { return a.local || a.trusted != nil && a.trusted() }

type accessKey struct{}

// accessOf is the access of a request to an admin page.
func accessOf(r *http.Request) access {
	a, _ := r.Context().Value(accessKey{}).(access)
	return a
}

// private closes a page to strangers.
func private(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !accessOf(r).inside() {
			http.Error(w, "this page shows the inside of the service: it is served on a loopback address, or with "+
				"authentication (Config.Admin.WebConfigFile; Config.Admin.Guarded for AdminHandler behind your own)", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// guarded lets requests through that are what they seem. To an address that
// only this machine reaches, a browser on this machine may bring a stranger's
// page: under the stranger's host name, whose DNS was made to point here (DNS
// rebinding), or posting from another site. Other addresses are asked under
// names that nobody can know beforehand; what is private there needs
// authentication.
func guarded(accessFor func(*http.Request) access, next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		if header.Get("Content-Security-Policy") == "" { // or the web configuration has one; a page that needs more sets its own
			header.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		}
		a := accessFor(r)
		if a.local && !a.knows(r.Host) {
			http.Error(w, fmt.Sprintf("the host %q is not known here: add it to Config.Admin.Hosts", cleanValue(r.Host)), http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), accessKey{}, a)))
	})
}

// localNames are host names that no stranger's DNS can point here.
var localNames = []string{"localhost", "host.docker.internal"}

func (a access) knows(hostport string) bool {
	host := hostName(hostport)
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return true
	}
	return slices.Contains(localNames, host) || strings.HasSuffix(host, ".localhost") ||
		slices.ContainsFunc(a.hosts, func(h string) bool { return hostName(h) == host })
}

// hostName is a host without its port, as names are compared.
func hostName(hostport string) string {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// isLocal tells whether only this machine reaches an address. Of one of an
// unknown kind nobody knows.
func isLocal(a net.Addr) bool {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	parsed, err := netip.ParseAddrPort(a.String())
	return err == nil && parsed.Addr().Unmap().IsLoopback()
}

// webConfig is what has to be known of the toolkit's file.
type webConfig struct {
	Users map[string]string `yaml:"basic_auth_users"`
	TLS   struct {
		Cert         string `yaml:"cert"`
		CertFile     string `yaml:"cert_file"`
		ClientAuth   string `yaml:"client_auth_type"`
		ClientCA     string `yaml:"client_ca"`
		ClientCAFile string `yaml:"client_ca_file"`
	} `yaml:"tls_server_config"`
}

func readWebConfig(file string) (c webConfig, err error) {
	if file == "" {
		return c, nil
	}
	if err := web.Validate(file); err != nil {
		return c, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return c, err
	}
	return c, yaml.Unmarshal(data, &c)
}

func (c webConfig) https() bool { return c.TLS.Cert != "" || c.TLS.CertFile != "" }

// authenticates tells whether a stranger is kept out. A client's certificate
// says who it is only by an authority of the user's: without one, Go takes
// those of every public authority.
func (c webConfig) authenticates() bool {
	ownAuthority := c.TLS.ClientCA != "" || c.TLS.ClientCAFile != ""
	return len(c.Users) > 0 || c.https() && ownAuthority && c.TLS.ClientAuth == "RequireAndVerifyClientCert"
}
