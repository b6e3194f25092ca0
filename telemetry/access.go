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

// access is what a request to an admin page may see. It is the least for a
// request that nothing is known of.
type access int

const (
	accessPublic  access = iota // /metrics, /healthz and /readyz
	accessLogin                 // the same, and more for who logs in
	accessInside                // every page
	accessRefused               // nothing: it was sent to another host
)

type accessKey struct{}

// seesInside tells whether a request to an admin page may see every page.
func seesInside(r *http.Request) bool {
	a, _ := r.Context().Value(accessKey{}).(access)
	return a == accessInside
}

// private closes a page to strangers.
func private(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !seesInside(r) {
			if a, _ := r.Context().Value(accessKey{}).(access); a == accessLogin {
				w.Header().Set("WWW-Authenticate", `Basic realm="latido", charset="UTF-8"`)
				http.Error(w, "log in with LATIDO_USER and LATIDO_PASSWORD of the service's environment", http.StatusUnauthorized)
				return
			}
			http.Error(w, "this page shows the inside of the service: ask the admin listener directly, from its own machine "+
				"and at a loopback address, or set up authentication (LATIDO_PASSWORD in its environment; Config.Admin.WebConfigFile for the listener, also "+
				"behind a proxy; Config.Admin.Guarded for Admin().Handler behind authentication of your own)", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// guarded finds out what a request may see, and refuses what a page of another
// site posts.
func guarded(accessOf func(*http.Request) access, who login, next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		if header.Get("Content-Security-Policy") == "" { // or the web configuration has one; a page that needs more sets its own
			header.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		}
		a := who.of(r, accessOf(r))
		if a == accessRefused {
			http.Error(w, fmt.Sprintf("the host %q is not known here: add it to Config.Admin.Hosts if it is a name of this machine "+
				"for itself; a listener behind a proxy needs authentication (Config.Admin.WebConfigFile)", cleanValue(r.Host)), http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), accessKey{}, a)))
	})
}

// adminAccess is what a listener of ours knows of those who ask it.
type adminAccess struct {
	loopback      bool        // only this machine reaches it
	authenticates func() bool // strangers are kept out before they come here
	hosts         []string    // names under which it may be asked, beside the loopback's
}

// of tells what a request may see. Through a loopback listener, two strangers
// reach the service without authentication. A browser on this machine brings one
// whose DNS points here (DNS rebinding): it asks under the stranger's host name.
// A proxy on this machine forwards one: most of them say so.
func (l adminAccess) of(r *http.Request) access {
	switch {
	case l.authenticates():
		return accessInside
	case !l.loopback:
		return accessPublic
	case !l.knows(r.Host):
		return accessRefused
	case forwarded(r):
		return accessPublic
	}
	return accessInside
}

// localNames are host names that no stranger's DNS can point here.
var localNames = []string{"localhost", "host.docker.internal"}

func (l adminAccess) knows(hostport string) bool {
	host := hostName(hostport)
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return true
	}
	return slices.Contains(localNames, host) || strings.HasSuffix(host, ".localhost") ||
		slices.ContainsFunc(l.hosts, func(h string) bool { return hostName(h) == host })
}

// hostName is a host without its port, as names are compared.
func hostName(hostport string) string {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// forwarded tells whether a request to a loopback listener shows that it comes
// from somewhere else. nginx, unless told more, shows it only by HTTP/1.0, which
// no browser and no client of today speaks. A proxy that changes nothing at all
// cannot be told from a request of this machine.
func forwarded(r *http.Request) bool {
	if !r.ProtoAtLeast(1, 1) {
		return true
	}
	for _, address := range []string{r.Host, r.RemoteAddr} {
		if ip, err := netip.ParseAddr(hostName(address)); err == nil && !ip.Unmap().IsLoopback() {
			return true
		}
	}
	for name := range r.Header {
		if slices.Contains(proxyHeaders, name) || slices.ContainsFunc(proxyPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			return true
		}
	}
	return false
}

// proxyHeaders and proxyPrefixes are what proxies, load balancers, content
// delivery networks and service meshes add to a request.
var (
	proxyHeaders = []string{
		"Via", "Forwarded", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Client-Ip", "Cdn-Loop",
		"Fastly-Client-Ip", "Fly-Client-Ip", "Do-Connecting-Ip", "X-Remote-Addr", "X-Scheme", "X-Proxyuser-Ip", "Proxy-Connection",
	}
	proxyPrefixes = []string{"X-Forwarded", "X-Original", "X-Envoy-", "X-Amzn-", "X-Azure-", "X-Arr-", "X-Appengine-", "X-Cloud-", "Cf-", "L5d-"}
)

// isLoopback tells whether only this machine reaches an address.
func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
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
