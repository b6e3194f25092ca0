package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/latido-dev/latido/e2e/servers"
)

// fleetPassword is that of the pages of the evidence server.
const fleetPassword = "of the fleet"

// gate stands before a server, whose address may become known later, and may be
// shut: what is asked then has no answer.
type gate struct {
	*httptest.Server
	to   atomic.Pointer[url.URL]
	shut atomic.Bool
}

func startGate(t testing.TB) *gate {
	g := &gate{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(g.to.Load()) }}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.shut.Load() {
			_, _ = io.Copy(io.Discard, r.Body) // until then nobody hears that the other side left
			<-r.Context().Done()
			return
		}
		if g.to.Load() == nil {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(g.Close)
	t.Cleanup(g.CloseClientConnections)
	return g
}

func (g *gate) lead(t testing.TB, address string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	g.to.Store(u)
}

// fleet are three replicas of the shop, whose alerts Prometheus evaluates.
type fleet struct {
	shops    []shop
	hook     *webhook
	evidence *servers.Running
	prom     *servers.Prometheus
	// samples and profiles are what the evidence server asks.
	samples, profiles *gate
}

func startFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{hook: startWebhook(t), samples: startGate(t), profiles: startGate(t)}
	pyroscope := servers.StartPyroscope(t)
	f.profiles.lead(t, pyroscope.URL())
	var targets []string
	for range 3 {
		s := startShop(t, []string{"PYROSCOPE_SERVER_ADDRESS=" + pyroscope.URL(), "LATIDO_ALERTS=servers"}, "-fast")
		f.shops = append(f.shops, s)
		targets = append(targets, s.Addr(0))
	}
	dir := t.TempDir()
	text, err := os.ReadFile(exampleDomain)
	if err != nil {
		t.Fatal(err)
	}
	source, rules, receivers := filepath.Join(dir, "domain.yaml"), filepath.Join(dir, "p.rules.yaml"), filepath.Join(dir, "alertmanager.yaml")
	// Of two replicas, one that fails is half of all, which is no more than 50 %.
	text = bytes.Replace(text, []byte("above: 50%"), []byte("above: 20%"), 1)
	write(t, source, append(text, "  - webhook: {url: \""+f.hook.URL+"\"}\n"...))
	latido(t, "generate", "rules", "-fast", "-domain", source, "-out", rules)
	latido(t, "generate", "alertmanager", "-domain", source, "-out", receivers)
	// A group waits longer than it does for users: how soon the evidence is there is
	// the machine's, and that it is on the first message is ours. It waits less than
	// the minute after which Prometheus sends an alert again.
	if text, err = os.ReadFile(receivers); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte("group_wait: 10s")) {
		t.Fatalf("no group waits 10 seconds:\n%s", text)
	}
	write(t, receivers, bytes.ReplaceAll(text, []byte("group_wait: 10s"), []byte("group_wait: 45s")))
	alertmanager := servers.StartAlertmanager(t, receivers)
	f.evidence = servers.Run(t, servers.Process{
		Name: "latido evidence", Ports: 1, Ready: "/healthz",
		Command: func(addrs []string) *exec.Cmd {
			cmd := exec.Command(program(t, "cmd/latido"), "evidence", "-timeout", "38s", "-listen", addrs[0], "-prometheus", f.samples.URL, "-pyroscope", f.profiles.URL,
				"-alertmanager", alertmanager.URL(), "-dir", filepath.Join(dir, "incidents"), source)
			cmd.Env = append(os.Environ(), "LATIDO_PASSWORD="+fleetPassword)
			return cmd
		},
	})
	f.prom = servers.StartPrometheus(t, servers.PrometheusConfig{
		Scrape: []servers.Scrape{{Job: "tienda-api", Targets: targets}},
		Rules:  []string{rules}, Alertmanagers: []string{alertmanager.Addr(0), f.evidence.Addr(0)},
	})
	f.samples.lead(t, f.prom.URL())
	f.prom.WaitForQuery(t, servers.Patience, `count(up{job="tienda-api"} == 1) == 3`)
	return f
}

// told waits for an alert of an endpoint, or of none, that came to the webhook.
func (f *fleet) told(t *testing.T, name, endpoint string) notification {
	t.Helper()
	var found notification
	servers.WaitFor(t, servers.Patience, "the alert "+name, func() error {
		for _, n := range f.hook.all() {
			if n.Status == "firing" && n.Labels["alertname"] == name && n.Labels["endpoint"] == endpoint {
				found = n
				return nil
			}
		}
		return fmt.Errorf("told of %v", f.hook.names("firing", func(map[string]string) bool { return true }))
	})
	return found
}

// toldWhy breaks a replica, and returns the first message of it, whose cause has
// to have some words. The machine may be too busy to tell them in time, or make
// others slow too: once or twice that is tried again.
func (f *fleet) toldWhy(t *testing.T, broken shop, what, name, endpoint string, words ...string) (n notification) {
	t.Helper()
	lacks := words
	for try := range 3 {
		if try > 0 {
			_, incident := f.page(t, f.evidence.URL()+"/api/incidents/"+path.Base(n.Annotations["incident"]), fleetPassword)
			t.Logf("without %q: %v\n%.4000s", lacks, n.Annotations, incident)
			broken.breakIt(t, http.MethodDelete, what)
		}
		// What a busy machine made slow is over for longer than a group of alerts stays
		// open: in an open one an alert leaves at any time, with no evidence yet.
		f.prom.WaitForQuery(t, 3*servers.Patience, `absent(max_over_time(ALERTS{alertname=~"RespuestaLenta|PagosFallando|GoroutineLeak",alertstate="firing"}[75s:1s]))`)
		f.hook.forget()
		broken.breakIt(t, http.MethodPost, what)
		n = f.told(t, name, endpoint)
		if lacks = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.Contains(n.Annotations["cause"], w) }); len(lacks) == 0 {
			return n
		}
	}
	t.Errorf("%s without %q: %v", name, lacks, n.Annotations)
	return n
}

// page asks the evidence server.
func (f *fleet) page(t *testing.T, address, password string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("latido", password)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

// TestFleet breaks one of three replicas, whose alerts a real Prometheus
// evaluates. The first message that arrives names the function and the replica,
// and what is known stays when that replica is gone. Without Pyroscope's answer
// the figures still say it, and without the evidence server the alert arrives.
func TestFleet(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	bad := f.shops[1]
	// A time before, with samples and profiles of every replica, and none of their
	// start.
	f.prom.WaitForQuery(t, 3*servers.Patience, `count(min_over_time(up{job="tienda-api"}[30s:1s]) == 1 and count_over_time(up{job="tienda-api"}[150s]) > 120) == 3`)
	slow := f.toldWhy(t, bad, "slow", "RespuestaLenta", waitingEndpoint, bad.Addr(0)+" (1 de 3 instancias): ", waitingFunction)
	t.Logf("%v", slow.Annotations)
	if measured, err := fetch(f.evidence.URL() + "/metrics"); err == nil {
		for line := range strings.Lines(measured) {
			if strings.HasPrefix(line, "latido_evidence_request_duration_seconds_") && !strings.Contains(line, "_bucket") {
				t.Log(strings.TrimSpace(line)) // how long the servers took
			}
		}
	}
	if err := bad.Stop(t); err != nil {
		t.Logf("the replica ended: %v", err)
	}
	link := slow.Annotations["incident"]
	if status, _ := f.page(t, link, "wrong"); status != http.StatusUnauthorized {
		t.Errorf("without the password %s answers %d", link, status)
	}
	if status, text := f.page(t, link, fleetPassword); status != http.StatusOK || !strings.Contains(text, waitingFunction) || !strings.Contains(text, bad.Addr(0)) {
		t.Errorf("with the replica gone %s answers %d:\n%s", link, status, text)
	}
	cmd := exec.Command(program(t, "cmd/latido"), "incidents", "-url", f.evidence.URL())
	cmd.Env = append(os.Environ(), "LATIDO_PASSWORD="+fleetPassword)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "RespuestaLenta") {
		t.Errorf("latido incidents: %v: %s", err, out)
	}

	f.profiles.shut.Store(true) // Pyroscope hangs
	f.toldWhy(t, f.shops[2], "errors", "PagosFallando", "/pagos/estado", "pasarela_no_disponible", f.shops[2].Addr(0))

	if err := f.evidence.Stop(t); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	f.hook.forget()
	for _, i := range []int{0, 2} {
		_ = f.shops[i].Stop(t)
	}
	if n := f.told(t, "ServiceDown", ""); n.Annotations["cause"] != "" || n.Annotations["incident"] != "" {
		t.Errorf("nobody can have said why: %v", n.Annotations)
	}
}
