package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/e2e/servers"
)

// breaks are the five ways in which the shop can be broken; the alert that each
// makes fire, by its name and endpoint; and what must stand in the annotations
// with which it comes from the process.
var breaks = []struct {
	name, alert string
	evidence    map[string]string
}{
	{"slow", "RespuestaLenta /inventario/proveedor", map[string]string{
		"cause": "shop.(*Supplier).awaitAnswer (supplier.go:", "waits_1": "shop.(*Supplier).awaitAnswer | supplier.go:"}},
	{"errors", "PagosFallando /pagos/estado", map[string]string{"cause": "pasarela_no_disponible"}},
	{"silence", "SinPedidos", map[string]string{"cause": "pedidos_procesados", "changed": "pedidos_procesados"}},
	{"leak", "GoroutineLeak", map[string]string{"cause": "shop.awaitPriceChange", "hot_1": "shop.awaitPriceChange | broken.go:"}},
	{"cpu", "CPUAlta", map[string]string{"hot_1": "shop.forecastSales | broken.go:", "cause": "shop.forecastSales"}},
}

// heartbeat is the alert of the shop that always fires.
const heartbeat = "Latido"

// hostAlert is about the whole machine, on which other tests may be busy too:
// only where the shop's own CPU time is the matter is it looked at.
const hostAlert = "CPUAlta"

// within is how soon an alert comes to both: twice what the README says, for a
// machine that does something else, too.
const within = 2 * time.Minute

// TestAlerts breaks the shop in five ways. The same files say what an alert is
// and who hears of it in the process, and on the real Prometheus and
// Alertmanager: the same alerts must arrive from both, and none else. From the
// process they come with their cause, by mail too.
func TestAlerts(t *testing.T) {
	inProcess, fromServers, mails := startWebhook(t), startWebhook(t), startMailbox(t)
	shop := startShop(t, []string{
		"ALERT_WEBHOOK=" + inProcess.URL,
		"ALERT_EMAIL_TO=guardia@example.com",
		"SMTP_ADDR=" + mails.addr,
	}, "-fast")
	prom, _ := startServers(t, shop.Running, exampleDomain, fromServers.URL)

	told := both{inProcess, fromServers, mails}
	for _, b := range breaks {
		ok := t.Run(b.name, func(t *testing.T) {
			var wrong []string
			for range 3 { // others may keep the machine busy: an alert is theirs then, or a cause is late
				if wrong = told.wrong(t, shop, prom, b.name, b.alert, b.evidence); len(wrong) == 0 {
					return
				}
				t.Log(strings.Join(wrong, "\n"))
			}
			t.Errorf("three times: %s", strings.Join(wrong, "\n"))
		})
		if !ok { // what is not over disturbs the others
			return
		}
	}
	t.Run("tools", func(t *testing.T) { testTools(t, shop) })
	t.Run("drill", func(t *testing.T) { testDrill(t, shop, inProcess) })
	t.Run("check", func(t *testing.T) {
		servers.WaitFor(t, servers.Patience, "a shop that is well", func() error {
			out, err := exec.Command(program(t, "cmd/latido"), "doctor", "-only", "url", "-url", shop.URL(), exampleDomain).CombinedOutput()
			if err == nil && strings.Contains(string(out), "FAIL") {
				err = errors.New("it says FAIL")
			}
			if err != nil {
				return fmt.Errorf("%w\n%s", err, out)
			}
			return nil
		})
	})
	t.Run("incidents", func(t *testing.T) {
		out := latido(t, "incidents", "-url", shop.URL())
		for _, b := range breaks {
			if name, _, _ := strings.Cut(b.alert, " "); !strings.Contains(out, name) {
				t.Errorf("no incident of %s:\n%s", name, out)
			}
		}
	})
}

// both are those who hear of the shop's alerts: from the process, and from real
// servers.
type both struct {
	inProcess, fromServers *webhook
	mails                  *mailbox
}

// wrong breaks the shop and heals it, and returns what was wrong with what was
// told of it.
func (told both) wrong(t *testing.T, shop shop, prom *servers.Prometheus, what, alert string, evidence map[string]string) (wrong []string) {
	name, _, _ := strings.Cut(alert, " ")
	about := func(labels map[string]string) bool {
		return labels["alertname"] != heartbeat && (labels["alertname"] != hostAlert || name == hostAlert)
	}
	prom.WaitForQuery(t, servers.Patience, `ALERTS{alertname="`+heartbeat+`"}`) // the rules are evaluated
	quiet(t, shop, prom, name)
	told.allOver(t, about)
	told.inProcess.forget()
	told.fromServers.forget()
	told.mails.forget()

	began := time.Now()
	shop.breakIt(t, http.MethodPost, what)
	defer shop.breakIt(t, http.MethodDelete, what) // also where the test ends early
	for where, w := range told.webhooks() {
		servers.WaitFor(t, within-time.Since(began), "the alert "+where, func() error {
			if got := w.names("firing", about); !slices.Contains(got, alert) {
				return fmt.Errorf("told of %v", got)
			}
			return nil
		})
	}
	t.Logf("both told after %v", time.Since(began).Round(time.Second))
	servers.WaitFor(t, servers.Patience, "the mail", func() (err error) {
		wrong, err = told.mails.has(name, evidence)
		return err
	})
	servers.WaitFor(t, servers.Patience, "the log and the action", func() error { // in no order, and through a pipe
		if output := shop.Output(); !strings.Contains(output, "ALERT "+name) || !strings.Contains(output, "name="+name) {
			return fmt.Errorf("one of them does not say %s", name)
		}
		return nil
	})

	shop.breakIt(t, http.MethodDelete, what)
	told.allOver(t, about)
	ours, theirs := told.inProcess.alerts("firing", about), told.fromServers.alerts("firing", about)
	if !slices.Equal(ours, theirs) {
		wrong = append(wrong, fmt.Sprintf("in the process:\n  %s\non servers:\n  %s", strings.Join(ours, "\n  "), strings.Join(theirs, "\n  ")))
	}
	for where, w := range told.webhooks() {
		if firing, over := w.alerts("firing", about), w.alerts("resolved", about); !slices.Equal(firing, over) {
			wrong = append(wrong, fmt.Sprintf("%s: firing %v, resolved %v", where, firing, over))
		}
	}
	if got := told.inProcess.names("firing", about); !slices.Equal(got, []string{alert}) {
		wrong = append(wrong, fmt.Sprintf("alerts %v, want %s and none else", got, alert))
	}
	for _, n := range told.inProcess.all() {
		if n.Status == "firing" && n.Labels["alertname"] == name {
			for annotation, want := range evidence {
				if !strings.Contains(n.Annotations[annotation], want) {
					wrong = append(wrong, fmt.Sprintf("%s: %q, want %q in it", annotation, n.Annotations[annotation], want))
				}
			}
		}
	}
	servers.WaitFor(t, servers.Patience, "the mail that it is over", func() error {
		_, err := told.mails.has("", nil)
		return err
	})
	return wrong
}

func (told both) webhooks() map[string]*webhook {
	return map[string]*webhook{"in the process": told.inProcess, "on servers": told.fromServers}
}

// allOver waits until everyone was told of the end of what they were told of.
func (told both) allOver(t *testing.T, about func(labels map[string]string) bool) {
	t.Helper()
	for where, w := range told.webhooks() {
		servers.WaitFor(t, servers.Patience, "all resolved "+where, func() error {
			over := w.alerts("resolved", about) // also of some that were told of before
			if firing := slices.DeleteFunc(w.alerts("firing", about), func(a string) bool { return slices.Contains(over, a) }); len(firing) > 0 {
				return fmt.Errorf("firing %v, resolved %v", firing, over)
			}
			return nil
		})
	}
}

// testTools asks the process with the tools of both projects.
func testTools(t *testing.T, s shop) {
	const expr = `sum(tienda_requests_total) > bool 0`
	if out, err := servers.Promtool(t, "", "query", "instant", s.URL(), expr); err != nil || !strings.Contains(out, "=> 1") {
		t.Errorf("promtool query instant: %v: %s", err, out)
	}
	if out, err := servers.Promtool(t, "", "query", "range", "--step=1s", s.URL(), expr); err != nil || !strings.Contains(out, "1 @[") {
		t.Errorf("promtool query range: %v: %s", err, out)
	}
	amtool := func(args ...string) string {
		out, err := servers.Amtool(t, "", append([]string{"--alertmanager.url=" + s.URL()}, args...)...)
		if err != nil {
			t.Errorf("amtool %v: %v: %s", args, err, out)
		}
		return out
	}
	if out := amtool("alert", "query"); !strings.Contains(out, heartbeat) {
		t.Errorf("amtool alert query: %s", out)
	}
	id := strings.TrimSpace(amtool("silence", "add", "--author=e2e", "--comment=e2e", "--duration=1h", "alertname="+heartbeat))
	if out := amtool("silence", "query"); id == "" || !strings.Contains(out, id) {
		t.Errorf("amtool silence query does not have %q: %s", id, out)
	}
	servers.WaitFor(t, servers.Patience, "the silence to hold", func() error {
		if out := amtool("alert", "query"); strings.Contains(out, heartbeat) {
			return fmt.Errorf("alerts %s", out)
		}
		return nil
	})
	amtool("silence", "expire", id)
}

// testDrill fires an alert for practice, by the command.
func testDrill(t *testing.T, s shop, w *webhook) {
	w.forget()
	out := latido(t, "fire", "RespuestaLenta", "-url", s.URL())
	for _, want := range []string{"RespuestaLenta", "webhook", "/incidents/"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in what latido fire says:\n%s", want, out)
		}
	}
	drill := func(labels map[string]string) bool { return labels["drill"] == "true" }
	for _, status := range []string{"firing", "resolved"} {
		servers.WaitFor(t, servers.Patience, "the drill, "+status, func() error {
			if len(w.alerts(status, drill)) == 0 {
				return fmt.Errorf("told of %v", w.all())
			}
			return nil
		})
	}
}

// quiet waits until the alerts of former breaks are over on both sides. That on
// the machine's CPU is over when nobody else uses it up for a moment.
func quiet(t *testing.T, s shop, prom *servers.Prometheus, name string) {
	t.Helper()
	without := heartbeat
	if name != hostAlert {
		without += "|" + hostAlert
	}
	alerting := fmt.Sprintf("ALERTS{alertname!~%q}", without)
	servers.WaitFor(t, 3*servers.Patience, "a quiet shop", func() error {
		if alerts := prom.Query(t, alerting); len(alerts) > 0 {
			return fmt.Errorf("on servers: %v", alerts)
		}
		answer, err := s.get("/api/v1/query?query=" + url.QueryEscape(alerting))
		if err == nil && !strings.Contains(answer, `"result":[]`) {
			err = fmt.Errorf("in the process: %s", answer)
		}
		return err
	})
}

// breakIt breaks the shop, by POST, or heals it, by DELETE.
func (s shop) breakIt(t testing.TB, method, name string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL()+"/break/"+name, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Latido-Confirm", "yes")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		t.Fatalf("%s /break/%s: %s", method, name, response.Status)
	}
}

// startServers starts a Prometheus that scrapes a service, with the files that
// `latido generate -fast` writes for its domain, and their Alertmanager, which
// tells a webhook.
func startServers(t testing.TB, s *servers.Running, file, webhookURL string, more ...string) (*servers.Prometheus, *servers.Alertmanager) {
	t.Helper()
	dir := t.TempDir()
	d := loadDomain(t, file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	hook := "  - webhook: {url: \"" + webhookURL + "\"}\n"
	if len(d.Notify) == 0 {
		hook = "notify:\n" + hook
	}
	source := filepath.Join(dir, "domain.yaml")
	write(t, source, append(text, hook+strings.Join(more, "")...))
	out := map[string]string{"rules": filepath.Join(dir, "p.rules.yaml"), "alertmanager": filepath.Join(dir, "alertmanager.yaml")}
	for what, file := range out {
		latido(t, "generate", what, "-fast", "-domain", source, "-out", file)
	}
	// The login for the service's pages is where Compose puts secrets.
	receivers, err := os.ReadFile(out["alertmanager"])
	if err != nil {
		t.Fatal(err)
	}
	write(t, out["alertmanager"], bytes.ReplaceAll(receivers, []byte("/run/secrets/"), []byte(dir+"/")))
	write(t, filepath.Join(dir, "LATIDO_PASSWORD"), []byte("of nobody"))
	alertmanager := servers.StartAlertmanager(t, out["alertmanager"])
	prom := servers.StartPrometheus(t, servers.PrometheusConfig{
		Scrape: []servers.Scrape{{Job: d.Service(), Targets: []string{s.Addr(0)}}},
		Rules:  []string{out["rules"]}, Alertmanagers: []string{alertmanager.Addr(0)},
	})
	// Until it has scraped the service, to a server that one is down.
	prom.WaitForQuery(t, servers.Patience, `up{job="`+d.Service()+`"} == 1`)
	return prom, alertmanager
}
