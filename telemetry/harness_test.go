package telemetry

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
)

// tienda is the domain of most tests: a small shop.
func tienda() domain.Domain {
	return domain.Domain{
		Prefix: "tienda", App: "tienda-api", Entity: "pedido", Errors: []string{"pago"},
		Events: []domain.Event{
			{Name: "pedidos_procesados", Description: "Orders processed.", Attributes: map[string][]string{"canal": {"web", "movil", "tienda"}}},
			{Name: "envios", Attributes: map[string][]string{"ciudad": {"bogota", "cali"}, "modo": {"moto", "camion"}}},
			{Name: "carritos_activos", Kind: domain.KindUpDown, Attributes: map[string][]string{"canal": {"web", "movil"}}},
			{Name: "valor_pedido", Kind: domain.KindHistogram, Unit: "COP", Buckets: []float64{10, 50, 100}},
		},
	}
}

// start begins a Telemetry without listener, profiler and globals, so that
// tests run side by side, and ends it with the test.
func start(t testing.TB, change ...func(*Config)) *Telemetry {
	t.Helper()
	tel, err := Init(t.Context(), quiet(change...))
	if err != nil {
		t.Fatal(err)
	}
	stopWith(t, tel)
	return tel
}

func quiet(change ...func(*Config)) Config {
	cfg := Config{
		Domain: tienda(), Version: "v1.2.3", Logger: slog.New(&journal{}), KeepGlobals: true,
		Admin: AdminConfig{Disabled: true}, Profiling: continuous.Config{Disabled: true},
	}
	for _, c := range change {
		c(&cfg)
	}
	return cfg
}

func stopWith(t testing.TB, tel *Telemetry) {
	t.Cleanup(func() {
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// startTraced is start with tracing on, whose spans stay in the process.
func startTraced(t testing.TB, change ...func(*Config)) (*Telemetry, *tracetest.SpanRecorder) {
	t.Helper()
	return startSampled(t, sdktrace.AlwaysSample(), change...)
}

func startSampled(t testing.TB, sampler sdktrace.Sampler, change ...func(*Config)) (*Telemetry, *tracetest.SpanRecorder) {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	tel := newTelemetry(quiet(change...))
	tel.tracers = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans), sdktrace.WithSampler(sampler))
	tel.tracing = true
	if err := tel.run(t.Context(), tel.parts(environment{})); err != nil {
		t.Fatal(err)
	}
	stopWith(t, tel)
	return tel, spans
}

// labelling puts profile labels on requests without a profiler, of which a
// process has one.
func labelling(tel *Telemetry) *Telemetry {
	tel.cfg.Profiling.Disabled = false
	return tel
}

func noRequestContext(c *Config) { c.NoRequestContext = true }

// journal is a logger that keeps what it is told, one line a record.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (j *journal) WithAttrs([]slog.Attr) slog.Handler               { return j }
func (j *journal) WithGroup(string) slog.Handler                    { return j }

func (j *journal) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
	return nil
}

// told are the lines with a text in them.
func (j *journal) told(text string) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var lines []string
	for _, line := range j.lines {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

func journalOf(tel *Telemetry) *journal { return tel.cfg.Logger.Handler().(*journal) }

// wantTold checks that something was logged once.
func wantTold(t testing.TB, j *journal, text string) {
	t.Helper()
	if lines := j.told(text); len(lines) != 1 {
		t.Errorf("logged %d times, want once: %q\nall: %s", len(lines), text, strings.Join(j.told(""), "\n     "))
	}
}

// series maps each series, as /metrics writes it, to its value.
type series map[string]float64

// scrape reads what /metrics serves.
func scrape(t testing.TB, tel *Telemetry) series {
	t.Helper()
	return parse(t, metricsText(t, tel, ""))
}

// metricsText is /metrics as text, in the format that accept asks for.
func metricsText(t testing.TB, tel *Telemetry, accept string) string {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	tel.metricsHandler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("/metrics answered %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func parse(t testing.TB, text string) series {
	t.Helper()
	all := series{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		space := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(line[space+1:], 64)
		if err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		if _, twice := all[line[:space]]; twice {
			t.Errorf("the series %s is there twice", line[:space])
		}
		all[line[:space]] = value
	}
	return all
}

// of are the series of one name.
func (s series) of(name string) series {
	found := series{}
	for one, value := range s {
		if rest, ok := strings.CutPrefix(one, name); ok && (rest == "" || rest[0] == '{') {
			found[one] = value
		}
	}
	return found
}

// above0 are the series that have counted something.
func (s series) above0() series {
	found := series{}
	for one, value := range s {
		if value != 0 {
			found[one] = value
		}
	}
	return found
}

// want checks the value of some series.
func (s series) want(t testing.TB, want series) {
	t.Helper()
	for one, value := range want {
		if got, ok := s[one]; !ok || got != value {
			t.Errorf("%s = %v (there: %v), want %v", one, got, ok, value)
		}
	}
}

// wantOnly checks that these and no other series are there.
func (s series) wantOnly(t testing.TB, want series) {
	t.Helper()
	s.want(t, want)
	for one, value := range s {
		if _, ok := want[one]; !ok {
			t.Errorf("there is %s = %v", one, value)
		}
	}
}

// requests names a series of the request counter.
func requests(method, endpoint string, status any) string {
	return fmt.Sprintf(`tienda_requests_total{endpoint="%s",method="%s",status="%v"}`, endpoint, method, status)
}

// refused names a series of the counter of refusals.
func refused(reason string) string {
	return `tienda_telemetry_refused_total{reason="` + reason + `"}`
}

// collectErrors names a series of the counter of instruments left out.
func collectErrors(reason string) string {
	return `tienda_telemetry_collect_errors_total{reason="` + reason + `"}`
}

// served is a handler on a real server, with what came out of it: the value of
// a panic, or nil, for each request.
type served struct {
	*httptest.Server
	done chan any
}

// serverLog is of servers whose handlers fail on purpose.
var serverLog = log.New(io.Discard, "", 0)

// h2c is HTTP/2 without TLS, beside 1 and 2.
const h2c = 3

// serve runs h over HTTP/1, HTTP/2 or h2c.
func serve(t testing.TB, protocol int, h http.Handler, change ...func(*http.Server)) *served {
	t.Helper()
	s := &served{done: make(chan any, 100)}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			s.done <- p
			if p != nil {
				panic(http.ErrAbortHandler) // what net/http does for every panic, without the log
			}
		}()
		h.ServeHTTP(w, r)
	}))
	s.Config.ErrorLog = serverLog
	for _, c := range change {
		c(s.Config)
	}
	switch protocol {
	case 2:
		s.EnableHTTP2 = true
		s.StartTLS()
	case h2c:
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		s.Config.Protocols = protocols
		s.Start()
		s.Client().Transport.(*http.Transport).Protocols = protocols
	default:
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// get sends a request and waits until its handler is through. It returns the
// status (0 if there was no answer), the body, and what the handler panicked
// with.
func (s *served) get(t testing.TB, path string) (status int, body string, panicked any) {
	t.Helper()
	return s.send(t, http.MethodGet, path, nil)
}

func (s *served) send(t testing.TB, method, path string, sent io.Reader) (status int, body string, panicked any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, sent)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := s.Client().Do(r); err == nil {
		status = answer.StatusCode
		all, _ := io.ReadAll(answer.Body) // cut short where the handler panics
		body = string(all)
		_ = answer.Body.Close()
	}
	return status, body, s.wait(t)
}

// wait waits for the end of one handler.
func (s *served) wait(t testing.TB) (panicked any) {
	t.Helper()
	select {
	case p := <-s.done:
		return p
	case <-time.After(3 * time.Minute):
		t.Fatal("the handler did not end")
		return nil
	}
}

// eventually waits for what another goroutine does.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick, late := time.NewTicker(time.Millisecond), time.After(3*time.Minute)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not so within 3 minutes: %s", what)
		}
	}
}
