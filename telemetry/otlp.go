package telemetry

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

// signal is how one signal is sent by OTLP.
type signal struct {
	url     string            // with the signal's path; "" sends nothing
	headers map[string]string // nil for none
	tls     *tls.Config       // nil for the system's certificates
	timeout time.Duration     // of one request
	gzip    bool
}

// otlpTimeout is the specification's bound of one request.
const otlpTimeout = 10 * time.Second

// readSignal reads how METRICS or TRACES are sent: as the code has it, or else
// the signal's own variables, or else those of all signals.
func readSignal(r variables, name string, code OTLP) signal {
	first := func(what string) (string, string) {
		return r.first("OTEL_EXPORTER_OTLP_"+name+"_"+what, "OTEL_EXPORTER_OTLP_"+what)
	}
	s := signal{headers: code.Headers, tls: code.TLS}
	where, _ := first("ENDPOINT")
	s.url = s.address(r, name, where, code.Endpoint)
	if s.url == "" {
		return s
	}
	protocolName, protocol := first("PROTOCOL")
	switch protocol = strings.ToLower(protocol); {
	case protocol == "", protocol == "http/protobuf":
	case protocol == "http/json", code.Endpoint != "":
		r.warn(protocolName+" is not supported: http/protobuf is used", "value", cleanValue(protocol))
	default:
		r.warn(protocolName+": the OTLP protocol is not supported: use http/protobuf, mostly on port 4318; nothing is sent", "protocol", cleanValue(protocol))
		s.url = ""
		return s
	}
	timeoutName, _ := first("TIMEOUT")
	s.timeout = cmp.Or(r.milliseconds(timeoutName, otlpTimeout, 0), noTimeout)
	compressionName, _ := first("COMPRESSION")
	s.gzip = r.choice(compressionName, "none", "gzip", "none") == "gzip"
	if headersName, headers := first("HEADERS"); len(s.headers) == 0 && headers != "" {
		s.headers = readHeaders(r, headersName, headers)
	}
	s.authorize()
	s.readTLS(r, first)
	return s
}

// address is the URL that a signal is sent to, "" for none.
func (s *signal) address(r variables, name, where, code string) string {
	selector := "OTEL_" + name + "_EXPORTER"
	exporters := r.list(selector)
	sends := len(exporters) == 0
	for _, exporter := range exporters {
		switch {
		case exporter == "otlp":
			sends = true
		case exporter == "none", exporter == "prometheus" && name == "METRICS": // /metrics is served in any case
		default:
			r.warn(selector+" is not supported: use otlp or none", "value", cleanValue(exporter))
		}
	}
	if !sends {
		return ""
	}
	path := "v1/" + strings.ToLower(name)
	if code != "" {
		return join(code, path)
	}
	endpoint := r.text(where)
	if endpoint == "" {
		if len(exporters) > 0 {
			r.warn(selector + " is otlp, but no endpoint is set: nothing is sent; set OTEL_EXPORTER_OTLP_ENDPOINT, such as http://localhost:4318")
		}
		return ""
	}
	if err := checkURL(endpoint); err != nil {
		r.warn(where+" cannot be used: nothing is sent", "error", err)
		return ""
	}
	if where != "OTEL_EXPORTER_OTLP_ENDPOINT" {
		return endpoint // of one signal: as it is
	}
	return join(endpoint, path)
}

// join adds a signal's path to a base URL that checkURL took.
func join(base, signal string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	u.Path = path.Join("/", u.Path, signal)
	return u.String()
}

// readHeaders reads key=value pairs, separated by commas. Values are secrets,
// and never logged.
func readHeaders(r variables, name, text string) map[string]string {
	headers := map[string]string{}
	bad := 0
	for pair := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		key = http.CanonicalHeaderKey(strings.TrimSpace(key))
		switch {
		case strings.TrimSpace(pair) == "":
		case !ok || err != nil || key == "" || strings.ContainsAny(key, " \t\":;()") || strings.ContainsAny(value, "\r\n\x00"):
			bad++
		default:
			headers[key] = value
		}
	}
	if bad > 0 {
		r.warn(name+" is not all key=value pairs, separated by commas, with other characters as in a URL: the rest is used", "wrong", bad, "used", len(headers))
	}
	return headers
}

// authorize turns the user and password of the URL, which the exporters drop,
// into a header.
func (s *signal) authorize() {
	u, err := url.Parse(s.url)
	if err != nil || u.User == nil {
		return
	}
	headers := map[string]string{}
	set := false
	for key, value := range s.headers {
		headers[key] = value
		set = set || strings.EqualFold(key, "Authorization")
	}
	if password, _ := u.User.Password(); !set {
		headers["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))
	}
	u.User = nil
	s.url, s.headers = u.String(), headers
}

// readTLS reads the certificates for an https URL. Without TLS they have no
// effect, and the exporters refuse them.
func (s *signal) readTLS(r variables, first func(string) (string, string)) {
	caName, ca := first("CERTIFICATE")
	certName, cert := first("CLIENT_CERTIFICATE")
	keyName, key := first("CLIENT_KEY")
	insecureName, _ := first("INSECURE")
	insecure := r.flag(insecureName)
	if !strings.HasPrefix(strings.ToLower(s.url), "https:") {
		if ca+cert+key != "" || s.tls != nil {
			r.warn("certificates for OTLP have no effect, as the endpoint is not https: write https:// for it")
		}
		s.tls = nil
		return
	}
	if insecure {
		r.warn(insecureName + " has no effect: write http:// for an endpoint without TLS")
	}
	if s.tls != nil || ca+cert+key == "" {
		return
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pool := x509.NewCertPool()
		if pem, err := os.ReadFile(ca); err != nil { //nolint:gosec // the operator names it
			r.warn(caName+" cannot be read: the system's certificates are used", "error", err)
		} else if !pool.AppendCertsFromPEM(pem) {
			r.warn(caName+" has no certificate in it, in PEM: the system's certificates are used", "file", cleanValue(ca))
		} else {
			config.RootCAs = pool
		}
	}
	if (cert == "") != (key == "") {
		r.warn(certName + " and " + keyName + " go together: set both; neither is used")
	} else if cert != "" {
		if pair, err := tls.LoadX509KeyPair(cert, key); err != nil {
			r.warn(certName+" and "+keyName+" cannot be read: the client shows no certificate", "error", err)
		} else {
			config.Certificates = []tls.Certificate{pair}
		}
	}
	s.tls = config
}

// client makes the HTTP client of a signal. It is one of ours, since those of
// the exporters keep their connections, and the goroutines of these, for long
// after Shutdown.
func (t *Telemetry) client(s signal) *http.Client {
	client := &http.Client{Timeout: s.timeout, Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: s.tls, ForceAttemptHTTP2: true,
		MaxIdleConns: 2, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
	}}
	t.clients = append(t.clients, client)
	return client
}

// checkURL refuses what an exporter would take and then fail on at each
// upload: "localhost:4318" has the scheme localhost. It says what to write
// instead, and never shows a password.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		if !hasHost(u) {
			return fmt.Errorf("address %q: no host, or no port from 1 to 65535: write one such as http://localhost:4318", redactURL(text))
		}
		return nil
	}
	_, rest, found := strings.Cut(text, "://")
	if !found {
		rest = text
	}
	if u, err := url.Parse("http://" + rest); err == nil && hasHost(u) {
		return fmt.Errorf("address %q: write it with its scheme, http or https: http://%s", redactURL(text), redactURL(rest))
	}
	return fmt.Errorf("address %q: not a URL of HTTP: write one such as http://localhost:4318", redactURL(text))
}

func hasHost(u *url.URL) bool {
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return false
		}
	}
	return u.Hostname() != ""
}

// redactURL leaves a password out of an address.
func redactURL(text string) string {
	before, after, ok := strings.Cut(text, "@")
	if !ok {
		return text
	}
	if scheme, _, ok := strings.Cut(before, "://"); ok {
		return scheme + "://…@" + after
	}
	return "…@" + after
}
