package am

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/embedded/alert"
)

func TestMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  Config
		want string
	}{
		"nothing":        {Config{}, "no route provided"},
		"no YAML":        {Config{File: []byte("route: [")}, "its configuration: yaml"},
		"unknown option": {Config{File: []byte("rout: {}")}, "field rout not found"},
		"a bad template": {Config{File: file([2]string{"log", ""}), Templates: []byte("{{ define")}, "templates: "},
		"a huge file":    {Config{File: bytes.Repeat([]byte("#"), maxFile+1)}, "are refused"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Start(t.Context(), c.cfg)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if s != nil {
				t.Error("a server with an error")
			}
			s.Put(firing("Slow")) // does nothing
			if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

const token = "T0KEN-correct-horse-battery"

// No secret is in a log, an error, the status or the API, whatever fails.
func TestSecrets(t *testing.T) {
	t.Parallel()
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // hands back all that it hears
		http.Error(w, fmt.Sprint("no: ", r.URL, " ", r.Header), http.StatusBadRequest)
	}))
	defer echo.Close()
	dead := "http://127.0.0.1:1"
	for name, c := range map[string]struct{ options, secret string }{
		"a webhook":              {`webhook_configs: [{url: "` + echo.URL + `/` + token + `"}]`, ""},
		"a dead webhook":         {`webhook_configs: [{url: "` + dead + `/` + token + `"}]`, ""},
		"its file":               {`webhook_configs: [{url_file: /secrets/hook}]`, dead + "/x?key=" + token},
		"a URL that is none":     {`webhook_configs: [{url_file: /secrets/hook}]`, "http://[" + token},
		"basic auth":             {`webhook_configs: [{url: "` + echo.URL + `", http_config: {basic_auth: {username: u, password: ` + token + `}}}]`, ""},
		"an authorization":       {`webhook_configs: [{url: "` + echo.URL + `", http_config: {authorization: {credentials: ` + token + `}}}]`, ""},
		"Slack":                  {`slack_configs: [{api_url: "` + echo.URL + `/` + token + `", channel: c}]`, ""},
		"PagerDuty":              {`pagerduty_configs: [{url: "` + echo.URL + `", routing_key: ` + token + `}]`, ""},
		"Telegram":               {`telegram_configs: [{api_url: "` + echo.URL + `", bot_token: "` + token + `", chat_id: 1}]`, ""},
		"mail":                   {`email_configs: [{to: a@b.c, from: a@b.c, smarthost: "127.0.0.1:1", auth_username: u, auth_password: ` + token + `}]`, ""},
		"the password of a file": {`email_configs: [{to: a@b.c, from: a@b.c, smarthost: "127.0.0.1:1", auth_username: u, auth_password_file: /secrets/hook}]`, token},
		"a file that is missing": {`webhook_configs: [{url_file: /secrets/other}]`, token},
		"a function":             {"", token},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines, receiver := &logs{}, "it"
			if c.options == "" {
				receiver = "action/it"
			}
			cfg := Config{File: file([2]string{receiver, c.options}),
				Logger:  slog.New(slog.NewTextHandler(lines, &slog.HandlerOptions{Level: slog.LevelDebug})),
				Actions: map[string]Action{"it": func(context.Context, alert.Alert) error { return errors.New("it said " + token) }}}
			if c.secret != "" {
				cfg.Secrets = map[string]string{"/secrets/hook": c.secret}
			}
			s, err := Start(t.Context(), cfg)
			if err != nil {
				if strings.Contains(err.Error(), token) {
					t.Errorf("the error has the secret: %v", err)
				}
				return
			}
			defer stop(t, s)
			s.Put(firing("Slow"))
			wait(t, "the failure", func() bool { return strings.Contains(lines.String(), "cannot be delivered") })
			var shown any
			get(t, s, "/api/v2/status", &shown)
			for what, text := range map[string]string{"log": lines.String(), "API": fmt.Sprint(shown)} {
				if strings.Contains(text, token) {
					t.Errorf("the secret is in the %s: %s", what, text)
				}
			}
		})
	}
}

func TestRedactor(t *testing.T) {
	t.Parallel()
	r := newRedactor(map[string]string{"a": "hunter22", "b": "https://user:pass-word@hooks.example/T000/B000/XXXXXXXXXXXXXXXXXXXX?key=abcd1234"}, nil)
	for text, want := range map[string]string{
		`Post "https://hooks.example/T000/B000/XXXX": refused`: `Post "https://hooks.example/<secret>": refused`,
		"http://localhost:8080 is down":                        "http://localhost:8080 is down",
		"http://u:p@host is down":                              "http://host/<secret> is down",
		"path T000/B000/XXXXXXXXXXXXXXXXXXXX":                  "path <secret>",
		"XXXXXXXXXXXXXXXXXXXX and abcd1234 and hunter22":       "<secret> and <secret> and <secret>",
		"two\nlines\r\nand\tmore":                              "two lines and more",
		strings.Repeat("á", 400):                               strings.Repeat("á", 150) + "…",
		"a\xffb":                                               "a�b",
	} {
		if got := r.text(text); got != want {
			t.Errorf("%q\n got %q\nwant %q", text, got, want)
		}
	}
}

// Five hundred alerts of a rule are one message, and ten lines.
func TestStorm(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	// With an interval as in production: a group that has to wait tries again at the next.
	text := strings.Replace(string(file([2]string{"hook", webhookTo(h.URL)}, [2]string{"log", ""})), "group_interval: 100ms", "group_interval: 5s", 1)
	s := observe(t, Config{File: []byte(text)})
	var storm []alert.Alert
	for i := range 500 {
		a := firing("Slow", "endpoint", fmt.Sprintf("GET /%d", i))
		a.StartsAt = time.Now()
		storm = append(storm, a)
	}
	s.Put(storm...)
	wait(t, "all alerts", func() bool { return len(h.states()) >= 500 })
	if got := h.got(); len(got) > 2 { // those that came before the first message went out, and the rest
		t.Errorf("%d messages", len(got))
	}
	wait(t, "the lines", func() bool { return strings.Contains(s.lines.String(), "more alerts of the same group") })
	if n := strings.Count(s.lines.String(), "alert fires"); n > 2*maxLines {
		t.Errorf("%d lines", n)
	}
	wait(t, "the outcomes", func() bool {
		counted := s.outcomes(t)
		return counted["hook success"] > 0 && counted["log success"] > 0
	})
}

// alerts is how many there are in Alertmanager's store.
func (k *known) alerts() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.count
}

// What is beyond the bounds is refused, and said once.
func TestBounds(t *testing.T) {
	lines := &logs{}
	text := strings.Replace(string(file()), "group_interval: 100ms", "group_interval: 5s", 1)
	s := start(t, Config{File: []byte(text), Logger: lines.logger()})
	before := heap()
	for i := range maxAlertsPerName + 500 {
		s.Put(firing("Slow", "endpoint", fmt.Sprintf("POST /%d", i)))
	}
	wait(t, "the bound of a name", func() bool { return s.known.alerts() == maxAlertsPerName })
	for i := range maxAlerts + 1000 {
		s.Put(firing(fmt.Sprint("A", i)))
	}
	wait(t, "the bound", func() bool { return s.known.alerts() == maxAlerts })
	if grown := int64(heap()) - int64(before); grown > 64<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	} else {
		t.Logf("the heap grew by %d KiB", grown>>10)
	}
	var groups []struct{}
	get(t, s, "/api/v2/alerts/groups", &groups)
	if extra := len(groups) - maxGroups; extra < 0 || extra > 8 { // each of the dispatcher's workers may be one ahead
		t.Errorf("%d groups", len(groups))
	}
	wait(t, "the warnings", func() bool {
		return strings.Contains(lines.String(), "alerts at once") && strings.Contains(lines.String(), "too many aggregation groups")
	})
	if n := strings.Count(lines.String(), "\n"); n > 10 {
		t.Errorf("%d lines:\n%s", n, lines)
	}
}

// A drill has messages and lines of its own, and silences nothing that is true.
func TestDrill(t *testing.T) {
	t.Parallel()
	h, lines := newHook(t), &logs{}
	text := append(file([2]string{"hook", webhookTo(h.URL)}, [2]string{"log", ""}), `
inhibit_rules:
  - source_matchers: [alertname="Down"]
    target_matchers: [alertname!="Down"]
    equal: [job]
`...)
	s := start(t, Config{File: text, Logger: lines.logger()})
	s.Put(firing("Down", "drill", "true"))
	wait(t, "the drill", func() bool { return len(h.got()) == 1 })
	s.Put(firing("Slow"), firing("Down", "drill", "true"))
	wait(t, "the true alert", func() bool { return len(h.got()) == 2 })
	s.Put(firing("Slow", "drill", "true"), firing("Down"))
	wait(t, "the next", func() bool { return len(h.got()) == 3 })
	got := h.got()
	if got[0].Labels["drill"] != "true" || got[2].Labels["drill"] != "" || len(got[2].Alerts) != 1 {
		t.Errorf("messages: %+v", got)
	}
	if !strings.Contains(lines.String(), `level=INFO msg="drill: alert fires" name=Down`) {
		t.Errorf("log:\n%s", lines)
	}
}

// What alerting writes is what this reads.
func TestDomain(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	box := (&mailbox{}).start(t)
	d := domain.Domain{Prefix: "tienda", Entity: "pedido", Notify: []domain.Receiver{
		{Log: &domain.LogReceiver{}},
		{Action: &domain.ActionReceiver{Name: "page"}},
		{Action: &domain.ActionReceiver{Name: "page"}, Severities: []domain.Severity{"info"}},
		{Webhook: &domain.WebhookReceiver{URLEnv: "HOOK"}},
		{Email: &domain.EmailReceiver{To: []string{"ana@example.org"}, SMTP: box.address, Plaintext: true}},
		{Alertmanager: &domain.AlertmanagerReceiver{URL: "http://localhost:9093"}, Severities: []domain.Severity{"ticket"}},
	}}
	o := alerting.Options{Fast: true}
	text, err := alerting.AlertmanagerFile(d, o)
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{}
	for _, s := range alerting.Secrets(d) {
		secrets[s.File] = h.URL + "/" + s.Env
	}
	var c calls
	s := start(t, Config{File: text, Templates: alerting.Templates(d, o), Secrets: secrets,
		Actions: map[string]Action{"page": func(_ context.Context, a alert.Alert) error { c.note(a); return nil }}})
	a := firing("TiendaSlow")
	if got := fmt.Sprint(s.ReceiversOf(a)); got != "[log action/page webhook email]" {
		t.Errorf("receivers: %s", got)
	}
	s.Put(a)
	wait(t, "all receivers", func() bool { return len(h.got()) == 1 && len(c.got()) == 1 && len(box.got()) == 1 })
	_, text2, html := box.got()[0].parts(t)
	for _, part := range []string{text2, html} {
		if !strings.Contains(part, "main.work") || !strings.Contains(part, "TiendaSlow") {
			t.Errorf("the mail lacks the hot function:\n%s", part)
		}
	}
	if dir := os.Getenv("LATIDO_SHOW_MAIL"); dir != "" {
		_ = os.WriteFile(dir+"/mail.eml", box.got()[0].raw, 0o600)
	}
}
