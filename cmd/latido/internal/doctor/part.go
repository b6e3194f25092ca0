package doctor

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
)

// partTimeout is how long one answer of a part may take.
const partTimeout = 10 * time.Second

// none is the address of a part that there is not.
const none = "none"

// part is one program of a set-up, as it is reached from here.
type part struct {
	flag  string
	what  string // for people
	usual string // its usual address
	ready string // the path that tells whether it can work
	start string // the next step when it does not run
	log   string // where its log is
	login func(*http.Request)
	want  string // the next step when it wants a login

	base  *url.URL     // nil when it is left out
	first error        // why it cannot be asked; nil when it is ready
	hello remote.Reply // to the first question

	mu    sync.Mutex
	clock clockReading // the one that took the least time
}

// newParts are the parts of a set-up, at the addresses that the compose file
// of the repository publishes.
func newParts() map[string]*part {
	parts := map[string]*part{}
	own := "put user and password into the address, -%s http://USER:PASSWORD@HOST:PORT"
	for _, p := range []*part{
		{
			flag: "url", what: "the service's admin listener", usual: remote.DefaultURL, ready: "metrics", login: remote.ServiceLogin,
			start: "start the service; its admin listener is set by OTEL_EXPORTER_PROMETHEUS_HOST and OTEL_EXPORTER_PROMETHEUS_PORT",
			want:  "set LATIDO_USER and LATIDO_PASSWORD",
		},
		{flag: "prometheus", what: "Prometheus", usual: "http://127.0.0.1:9090", ready: "-/ready", log: "prometheus", want: own},
		{flag: "alertmanager", what: "Alertmanager", usual: "http://127.0.0.1:9093", ready: "-/ready", log: "alertmanager", want: own},
		{flag: "pyroscope", what: "Pyroscope", usual: "http://127.0.0.1:4040", ready: "ready", log: "pyroscope", want: own},
		{flag: "collector", what: "the Collector's health check", usual: "http://127.0.0.1:13133", ready: "", log: "otel-collector", start: ", with the extension health_check", want: own},
		{flag: "collector-metrics", what: "the Collector's own metrics", usual: "http://127.0.0.1:8888", ready: "metrics", log: "otel-collector", start: ", with service.telemetry.metrics published", want: own},
		{
			flag: "grafana", what: "Grafana", usual: "http://127.0.0.1:3000", ready: "api/health", log: "grafana", login: grafanaLogin,
			want: "set LATIDO_GRAFANA_TOKEN, or LATIDO_GRAFANA_USER and LATIDO_GRAFANA_PASSWORD",
		},
	} {
		if p.login == nil {
			p.login = func(*http.Request) {} // the address has it, or nobody
			p.want = fmt.Sprintf(p.want, p.flag)
		}
		if p.log == "" {
			p.log = "the service's own"
		} else {
			p.start = "start it: docker compose up -d " + p.log + p.start
			p.log = "docker compose logs " + p.log
		}
		parts[p.flag] = p
	}
	return parts
}

// grafanaLogin takes Grafana's credentials from the environment, where they are
// in no list of processes.
func grafanaLogin(r *http.Request) {
	if token := os.Getenv("LATIDO_GRAFANA_TOKEN"); token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	} else if user := os.Getenv("LATIDO_GRAFANA_USER"); user != "" {
		r.SetBasicAuth(user, os.Getenv("LATIDO_GRAFANA_PASSWORD"))
	}
}

// locate reads the part's address. What is wrong with one stays unsaid: there
// may be a password in it.
func (p *part) locate(text string) error {
	if text == none {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return cli.UsageError(fmt.Sprintf("-%s is no address: write one such as %s, or none", p.flag, p.usual))
	}
	p.base = u
	return nil
}

// probe asks every part whether it is ready, all at once: one that hangs costs
// its time only once.
func (x *examination) probe() {
	var asking sync.WaitGroup
	for _, p := range x.parts {
		if p.base != nil {
			asking.Go(func() { p.hello, p.first = p.ask(x.ctx, remote.Request{Path: p.ready}) })
		}
	}
	asking.Wait()
}

// trouble is why a part cannot be asked, and the next step.
type trouble struct{ cause, next string }

func (t trouble) Error() string { return t.cause }

// ask asks the part, and returns its answer if that is 200. Any error is a
// trouble.
func (p *part) ask(ctx context.Context, q remote.Request) (remote.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, partTimeout)
	defer cancel()
	began := time.Now()
	answer, err := remote.Exchange(ctx, p.base, q, p.login)
	if err != nil {
		return answer, p.unanswered(err)
	}
	p.readClock(answer.Header, began, time.Now())
	if answer.Code != http.StatusOK {
		return answer, p.refused(answer, q.Path)
	}
	return answer, nil
}

// unanswered tells the ways apart in which there is no answer.
func (p *part) unanswered(err error) trouble {
	at := remote.Address(p.base)
	if hint := schemeHint(p, err); hint != nil {
		return *hint
	}
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var network *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &name):
		return trouble{
			fmt.Sprintf("the name %s does not resolve on this machine", p.base.Hostname()),
			fmt.Sprintf("a name of a container network is only known inside it: give the address that is published, such as -%s %s", p.flag, p.usual),
		}
	case errors.As(err, &certificate):
		return trouble{fmt.Sprintf("the certificate of %s is not trusted: %v", at, certificate.Err), "name the authority's certificate: SSL_CERT_FILE=ca.pem latido doctor"}
	case errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded):
		return trouble{fmt.Sprintf("%s does not answer within %s", at, cli.Spell(partTimeout)), "it hangs, or something on the way drops what is sent to it: look at its log, and at firewalls"}
	case errors.As(err, &network) && network.Op == "dial":
		return trouble{fmt.Sprintf("nothing listens at %s: %v", at, network.Err), fmt.Sprintf("%s, or give its address with -%s", p.start, p.flag)}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(err.Error(), "malformed HTTP"), errors.As(err, &network):
		return trouble{fmt.Sprintf("%s has no whole answer in HTTP: %v", at, err), p.whose()}
	}
	return trouble{at + ": " + err.Error(), p.whose()}
}

// schemeHint is about http where https is spoken, and the other way round.
func schemeHint(p *part, err error) *trouble {
	var record tls.RecordHeaderError
	if !errors.Is(err, http.ErrSchemeMismatch) && !errors.As(err, &record) {
		return nil
	}
	return &trouble{remote.Address(p.base) + " speaks plain HTTP", fmt.Sprintf("write -%s http://%s", p.flag, p.base.Host)}
}

// whose is the next step when another program has the port.
func (p *part) whose() string {
	return fmt.Sprintf("see which program has the port, lsof -i :%s, or give another address with -%s", port(p.base), p.flag)
}

// refused tells what an answer other than 200 means.
func (p *part) refused(r remote.Reply, path string) trouble {
	at := remote.Address(p.base)
	switch {
	case r.Code == http.StatusUnauthorized:
		return trouble{fmt.Sprintf("%s wants a login", at), p.want}
	case r.Code == http.StatusForbidden:
		return trouble{fmt.Sprintf("%s does not let us see /%s: %s", at, path, r.Status), p.want}
	case r.Code >= 300 && r.Code < 400:
		to := "somewhere else"
		if u, err := p.base.Parse(r.Header.Get("Location")); err == nil && u.Host != "" {
			to = remote.Address(u) + u.Path
		}
		return trouble{fmt.Sprintf("%s sends us on to %s", at, to), fmt.Sprintf("give the address where it ends with -%s: no redirect is followed, as credentials would go along", p.flag)}
	case r.Code == http.StatusBadRequest && strings.Contains(r.Start(), "HTTPS server"):
		return trouble{at + " speaks HTTPS", fmt.Sprintf("write -%s https://%s", p.flag, p.base.Host)}
	case r.Code >= 500:
		return trouble{fmt.Sprintf("%s is not ready: /%s answers %s%s", at, path, r.Status, words(r)), "wait until it has started, then look at its log, " + p.log}
	}
	return p.stranger(r, path)
}

// stranger says that something else has the part's address.
func (p *part) stranger(r remote.Reply, path string) trouble {
	return trouble{fmt.Sprintf("%s is not %s: /%s answers %s, from %s", remote.Address(p.base), p.what, path, r.Status, who(r)), p.whose()}
}

// words is what a short text says, for the end of a message.
func words(r remote.Reply) string {
	text := strings.Join(strings.Fields(r.Start()), " ")
	if text == "" || strings.HasPrefix(text, "<") || strings.HasPrefix(text, "{") {
		return ""
	}
	return ": " + text[:min(len(text), 120)]
}

var pageTitle = regexp.MustCompile(`(?is)<title[^>]*>\s*([^<]{1,80})`)

// who guesses which program answered.
func who(r remote.Reply) string {
	text := string(r.Body[:min(len(r.Body), 64<<10)])
	for _, known := range []struct{ mark, name string }{
		{"prometheus_build_info", "a Prometheus"}, {"alertmanager_build_info", "an Alertmanager"},
		{"pyroscope_build_info", "a Pyroscope"}, {"otelcol_", "an OpenTelemetry Collector"},
		{"grafana_build_info", "a Grafana"}, {"node_cpu_seconds_total", "a node exporter"},
	} {
		if strings.Contains(text, known.mark) {
			return known.name
		}
	}
	server := ""
	if name := r.Header.Get("Server"); name != "" {
		server = ", server " + name[:min(len(name), 60)]
	}
	if title := pageTitle.FindStringSubmatch(text); title != nil {
		return fmt.Sprintf("a web page %q%s", strings.TrimSpace(title[1]), server)
	}
	switch {
	case len(r.Body) == 0:
		return "a program that says nothing" + server
	case strings.Contains(r.Header.Get("Content-Type"), "html"):
		return "a web page" + server
	}
	return fmt.Sprintf("a program that says %q%s", r.Start()[:min(len(r.Start()), 60)], server)
}

// json asks for an answer in JSON. Any error is a trouble.
func (p *part) json(ctx context.Context, q remote.Request, into any) error {
	answer, err := p.ask(ctx, q)
	if err != nil {
		return err
	}
	if json.Unmarshal(answer.Body, into) != nil {
		return trouble{fmt.Sprintf("%s is not %s: /%s answers what is not its JSON, from %s", remote.Address(p.base), p.what, q.Path, who(answer)), p.whose()}
	}
	return nil
}

// api asks Prometheus' API, and reads the data of its answer. Any error is a
// trouble.
func (p *part) api(ctx context.Context, path string, query url.Values, into any) error {
	answer, err := p.ask(ctx, remote.Request{Path: "api/v1/" + path, Query: query})
	var said remote.PrometheusAnswer
	if json.Unmarshal(answer.Body, &said) == nil && said.Error != "" {
		return trouble{fmt.Sprintf("%s refuses /api/v1/%s: %s", remote.Address(p.base), path, said.Error), "look at its log, " + p.log}
	}
	if err != nil {
		return err
	}
	if err := said.Read(p.base, path, into); err != nil {
		return p.stranger(answer, "api/v1/"+path)
	}
	return nil
}

// query asks a Prometheus what an expression gives now. Any error is a trouble.
func (p *part) query(ctx context.Context, expr string) ([]remote.Series, error) {
	var answer remote.Vector
	if err := p.api(ctx, "query", url.Values{"query": {expr}}, &answer); err != nil {
		return nil, err
	}
	all, err := answer.Series(p.base)
	if err != nil {
		return nil, trouble{err.Error(), p.whose()}
	}
	return all, nil
}

// version is the detail of a part that answers: its address, and its version if
// it says one.
func (p *part) version(version string) string {
	if version == "" {
		return remote.Address(p.base)
	}
	return fmt.Sprintf("%s, version %s", remote.Address(p.base), cli.Safe(version))
}
