package am

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"

	"github.com/latido-dev/latido/embedded/alert"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wait polls until it is so, or fails the test.
func wait(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.After(3 * time.Minute)
	for tick := time.Tick(10 * time.Millisecond); !so(); {
		select {
		case <-tick:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// message is what a webhook gets.
type message struct {
	Receiver string            `json:"receiver"`
	Status   string            `json:"status"`
	GroupKey string            `json:"groupKey"`
	Labels   map[string]string `json:"groupLabels"`
	Alerts   []struct {
		Status      string            `json:"status"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
		StartsAt    time.Time         `json:"startsAt"`
		EndsAt      time.Time         `json:"endsAt"`
	} `json:"alerts"`
	key string // Idempotency-Key
	at  time.Time
}

// states are the alerts of the message as "name status".
func (m message) states() []string {
	var all []string
	for _, a := range m.Alerts {
		all = append(all, a.Labels["alertname"]+" "+a.Status)
	}
	return all
}

// hook is a webhook's server. What it answers is answer's, nil for 200.
type hook struct {
	*httptest.Server
	mu       sync.Mutex
	answer   http.HandlerFunc
	messages []message
	tries    int
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.tries++
	answer := h.answer
	h.mu.Unlock()
	if answer != nil {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not notice that the client is gone
		answer(w, r)
		return
	}
	m := message{key: r.Header.Get("Idempotency-Key"), at: time.Now()}
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if r.Context().Err() != nil { // whoever sent it no longer waits, and will send it again
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages = append(h.messages, m)
}

func (h *hook) set(answer http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = answer
}

func (h *hook) got() []message {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]message(nil), h.messages...)
}

// states are those of all messages.
func (h *hook) states() []string {
	var all []string
	for _, m := range h.got() {
		all = append(all, m.states()...)
	}
	return all
}

// logs collects what is logged, as text.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// file is a configuration in the form that alerting writes: a receiver and a
// route for each entry, receivers being name and options in YAML's flow style.
func file(receivers ...[2]string) []byte {
	var b strings.Builder
	b.WriteString("route:\n  receiver: none\n  group_by: [alertname, job]\n  group_wait: 10ms\n  group_interval: 100ms\n  repeat_interval: 4h\n  routes:\n")
	for _, r := range receivers {
		fmt.Fprintf(&b, "    - receiver: %q\n      continue: true\n", r[0])
	}
	b.WriteString("receivers:\n  - name: none\n")
	for _, r := range receivers {
		fmt.Fprintf(&b, "  - name: %q\n", r[0])
		if r[1] != "" {
			fmt.Fprintf(&b, "    %s\n", r[1])
		}
	}
	return []byte(b.String())
}

func webhookTo(url string) string {
	return fmt.Sprintf("webhook_configs: [{url: %q, send_resolved: true, timeout: 10s, http_config: {follow_redirects: false}}]", url)
}

// start starts a server that stops with the test.
func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

// observed is a server, what it counts and what it logs.
type observed struct {
	*Server
	lines  *logs
	reader *sdkmetric.ManualReader
}

func observe(t *testing.T, cfg Config) *observed {
	t.Helper()
	o := &observed{lines: &logs{}, reader: sdkmetric.NewManualReader()}
	cfg.Logger, cfg.Meter = o.lines.logger(), sdkmetric.NewMeterProvider(sdkmetric.WithReader(o.reader)).Meter("")
	o.Server = start(t, cfg)
	return o
}

// outcomes counts the attempts, by receiver and outcome.
func (o *observed) outcomes(t *testing.T) map[string]int64 {
	t.Helper()
	var figures metricdata.ResourceMetrics
	if err := o.reader.Collect(t.Context(), &figures); err != nil {
		t.Fatal(err)
	}
	counted := map[string]int64{}
	for _, scope := range figures.ScopeMetrics {
		for _, m := range scope.Metrics {
			for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
				receiver, _ := p.Attributes.Value(attribute.Key("receiver"))
				outcome, _ := p.Attributes.Value(attribute.Key("outcome"))
				counted[receiver.AsString()+" "+outcome.AsString()] = p.Value
			}
		}
	}
	return counted
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

func firing(name string, labels ...string) alert.Alert {
	a := alert.Alert{
		Labels:      map[string]string{"alertname": name, "severity": "page", "domain": "tienda", "job": "tienda"},
		Annotations: map[string]string{"summary": "it is slow", "cause": "main.work takes 80 %", "hot_1": "80% | +60% | main.work | main.go:1"},
		Value:       2.5, ActiveAt: time.Now().Add(-2 * time.Minute), StartsAt: time.Now().Add(-time.Minute),
	}
	for i := 0; i+1 < len(labels); i += 2 {
		a.Labels[labels[i]] = labels[i+1]
	}
	return a
}

func resolved(a alert.Alert) alert.Alert {
	a = a.Clone()
	a.EndsAt = time.Now()
	return a
}

func TestWebhookAndLog(t *testing.T) {
	h, lines := newHook(t), &logs{}
	s := start(t, Config{File: file([2]string{"hook", webhookTo(h.URL + "/x")}, [2]string{"log", ""}), Logger: lines.logger()})
	a := firing("Slow")
	s.Put(a)
	wait(t, "a firing message", func() bool { return len(h.got()) == 1 })
	s.Put(a) // again, as rules do
	s.Put(resolved(a))
	wait(t, "a resolved message", func() bool { return len(h.got()) == 2 })
	if got := h.states(); got[0] != "Slow firing" || got[1] != "Slow resolved" {
		t.Errorf("messages: %v", got)
	}
	wait(t, "two lines", func() bool { return strings.Contains(lines.String(), "alert is resolved") })
	out := lines.String()
	for _, want := range []string{
		`level=ERROR msg="alert fires" name=Slow severity=page summary="it is slow" cause="main.work takes 80 %" hot="80% | +60% | main.work | main.go:1"`,
		`level=INFO msg="alert is resolved" name=Slow`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the log lacks %q:\n%s", want, out)
		}
	}
	if n := strings.Count(out, "\n"); n != 2 {
		t.Errorf("%d lines, want 2:\n%s", n, out)
	}
	if got := s.ReceiversOf(a); fmt.Sprint(got) != "[hook log]" {
		t.Errorf("receivers: %v", got)
	}
}

func get(t *testing.T, s *Server, path string, into any) {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	b, _ := io.ReadAll(w.Body)
	if w.Code != 200 {
		t.Fatalf("GET %s: %d: %s", path, w.Code, b)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

// silenceAlert adds a silence for a name.
func silenceAlert(t *testing.T, s *Server, name string) {
	t.Helper()
	body := fmt.Sprintf(`{"matchers":[{"name":"alertname","value":%q,"isRegex":false,"isEqual":true}],"startsAt":%q,"endsAt":%q,"createdBy":"test","comment":"test"}`,
		name, time.Now().Format(time.RFC3339Nano), time.Now().Add(time.Hour).Format(time.RFC3339Nano))
	r := httptest.NewRequest("POST", "/api/v2/silences", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Code != 200 {
		t.Fatalf("silence: %d: %s", w.Code, w.Body)
	}
}

func TestAPI(t *testing.T) {
	h := newHook(t)
	s := observe(t, Config{File: file([2]string{"hook", webhookTo(h.URL)})})
	silenceAlert(t, s.Server, "Quiet")
	s.Put(firing("Quiet"), firing("Loud"))
	var alerts []struct {
		Labels map[string]string
		Status struct{ State string }
	}
	wait(t, "the alerts", func() bool {
		get(t, s.Server, "/api/v2/alerts", &alerts)
		return len(alerts) == 2
	})
	for _, a := range alerts {
		want := map[string]string{"Quiet": "suppressed", "Loud": "active"}[a.Labels["alertname"]]
		if a.Status.State != want {
			t.Errorf("%s is %s, want %s", a.Labels["alertname"], a.Status.State, want)
		}
	}
	wait(t, "a message", func() bool { return len(h.got()) > 0 })
	if got := h.states(); len(got) != 1 || got[0] != "Loud firing" {
		t.Errorf("messages: %v, want only the one that is not silenced", got)
	}
	wait(t, "the outcome", func() bool { return s.outcomes(t)["hook success"] > 0 })
	// Another page in the browser must not read this.
	r := httptest.NewRequest("GET", "/api/v2/alerts", nil)
	r.Header.Set("Origin", "https://evil.example")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if got := w.Header().Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("Access-Control-Allow-Origin: %q", got)
	}
}
