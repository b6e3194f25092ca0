package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/drills"
	"github.com/latido-dev/latido/internal/evidence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var tienda = domain.Domain{Prefix: "tienda", App: "tienda-api", Entity: "pedido"}

func at(t testing.TB, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// serving starts a server that ends with the test.
func serving(t testing.TB, h http.HandlerFunc) *url.URL {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		client.CloseIdleConnections()
		http.DefaultClient.CloseIdleConnections()
	})
	return at(t, s.URL)
}

// hanging never answers.
func hanging(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// receiver is an Alertmanager that keeps what it is posted.
type receiver struct {
	mu  sync.Mutex
	got []posted
}

func (a *receiver) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var list []posted
	_ = json.NewDecoder(r.Body).Decode(&list)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.got = append(a.got, list...)
}

// distinct are the endpoints of the alerts that came, by how often.
func (a *receiver) distinct() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := map[string]int{}
	for _, p := range a.got {
		all[p.Labels["endpoint"]]++
	}
	return all
}

// started is a server on these sources.
func started(t *testing.T, fleet *instances, targets ...*url.URL) (*alerts, http.Handler) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s := &alerts{fleet: fleet, service: "tienda-api", targets: targets, log: log, ctx: t.Context()}
	var err error
	s.recorder, err = evidence.Start(t.Context(), evidence.Config{Domain: tienda, Fleet: fleet, ReleaseAfter: -1, Timeout: time.Second, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	s.pipeline = evidence.NewPipeline(s.recorder.Enrich, s.put, 2*time.Second)
	s.drills = drills.New(alerting.Rules(tienda, alerting.Options{}), drillTime, s.drill, s.resolveDrill)
	t.Cleanup(func() {
		s.drills.Stop()
		s.pipeline.Close(context.Background())
		_ = s.recorder.Stop(context.Background())
	})
	return s, s.handler("latido", "secret")
}

// firing are alerts as Prometheus posts them.
func firing(t *testing.T, n int, ends time.Time) []byte {
	t.Helper()
	var all []posted
	for i := range n {
		all = append(all, posted{Labels: map[string]string{"alertname": "Errors", "domain": "tienda", "endpoint": fmt.Sprint("/", i)}, StartsAt: time.Now().Add(-time.Minute), EndsAt: ends})
	}
	body, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func post(h http.Handler, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/api/v2/alerts", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestSourcesHang: Prometheus is answered at once, and a hundred alerts at once are
// posted with a word on their evidence in bounded time, each twice, whoever hangs.
func TestSourcesHang(t *testing.T) {
	t.Parallel()
	to := &receiver{}
	_, h := started(t, &instances{domain: tienda, prometheus: serving(t, hanging), pyroscope: serving(t, hanging)}, serving(t, hanging), serving(t, to.ServeHTTP))
	began := time.Now()
	if w := post(h, firing(t, 100, time.Now().Add(4*time.Minute))); w.Code != http.StatusOK || time.Since(began) > 3*time.Second {
		t.Errorf("answered %d after %v", w.Code, time.Since(began))
	}
	deadline := time.After(3 * time.Minute)
	for tick := time.Tick(20 * time.Millisecond); ; {
		all := to.distinct()
		twice := 0
		for _, n := range all {
			if n == 2 {
				twice++
			}
		}
		if twice == 100 {
			break
		}
		select {
		case <-tick:
		case <-deadline:
			t.Fatalf("%d of 100 alerts came, %d twice", len(all), twice)
		}
	}
	for _, p := range to.got {
		if p.Annotations["evidence"] == "" || p.Annotations["incident"] == "" || !p.EndsAt.IsZero() {
			t.Fatalf("posted %+v", p)
		}
	}
}

// TestForeignAlerts: others' alerts, and what is none, are nobody's business here;
// pages want the password, and health does not.
func TestForeignAlerts(t *testing.T) {
	to := &receiver{}
	s, h := started(t, &instances{domain: tienda, prometheus: serving(t, http.NotFound)}, serving(t, to.ServeHTTP))
	for body, want := range map[string]int{
		`[{"labels":{"alertname":"Other","domain":"otra"}}]`:                     200,
		`[{"labels":{"alertname":"Beat","domain":"tienda","heartbeat":"true"}}]`: 200,
		`[]`: 200, `{`: 400, `{"a":1}`: 400,
		`[` + strings.Repeat(" ", maxPosted) + `]`: 400,
	} {
		if w := post(h, []byte(body)); w.Code != want {
			t.Errorf("%.80s: %d, want %d", body, w.Code, want)
		}
	}
	s.pipeline.Close(t.Context())
	if got := to.distinct(); len(got) > 0 {
		t.Errorf("posted %v", got)
	}
	for path, want := range map[string]int{"/healthz": 200, "/api/incidents": 401, "/incidents/": 401} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}

// TestManySeries: of a service with so many series that their samples would be too
// many, only some samples are read.
func TestManySeries(t *testing.T) {
	const second, quarter = 30 * 60, 30 * 60 / 15 // samples of a series, at their scrape intervals
	for _, test := range []struct {
		count, each int
		want        string
	}{{30, quarter, "query"}, {30, second, "query"}, {640, second, "query_range"}, {640, 0, "query_range"}, {20_000, quarter, "query_range"}} {
		count, want := test.count, test.want
		var asked []url.Values
		var path string
		store := serving(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.FormValue("query"), "count(") {
				fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"of":"series"},"value":[1,"%d"]},{"metric":{"of":"scrapes"},"value":[1,"%d"]}]}}`, count, test.each)
				return
			}
			path = strings.TrimPrefix(r.URL.Path, "/api/v1/")
			asked = append(asked, r.Form)
			fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"tienda_requests_total","instance":"a"},"values":[[1,"1"],[2,"2"]]}]}}`)
		})
		s := &instances{domain: tienda, prometheus: store}
		now := time.Now()
		ranges := []cause.Range{{From: now.Add(-40 * time.Minute), To: now.Add(-20 * time.Minute)}, {From: now.Add(-10 * time.Minute), To: now}}
		series, err := s.Series(t.Context(), map[string]string{"job": "tienda-api", "instance": `a"b`}, ranges...)
		if err != nil || len(series) != 1 || len(series[0].Points) != 4 || series[0].Name != "tienda_requests_total" || series[0].Labels["instance"] != "a" {
			t.Errorf("%v, %v", series, err)
		}
		if path != want || len(asked) != 2 {
			t.Errorf("%d series: asked %s %v", count, path, asked)
		}
		if query := asked[0].Get("query"); !strings.Contains(query, `job="tienda-api",instance="a\"b"`) {
			t.Errorf("asked %s", query)
		}
		if want == "query_range" {
			var step float64
			_, _ = fmt.Sscan(asked[0].Get("step"), &step)
			if points := float64(count) * (30 * time.Minute).Seconds() / step; points > 1.1*maxPoints {
				t.Errorf("a step of %v s is %.0f samples", step, points)
			}
		}
	}
}

// TestReportElsewhere: the report that the command asks of a service is of one
// instance; whoever asks here is told so, with the password.
func TestReportElsewhere(t *testing.T) {
	_, h := started(t, &instances{domain: tienda, prometheus: serving(t, http.NotFound)})
	for password, want := range map[string]int{"": http.StatusUnauthorized, "secret": http.StatusNotImplemented} {
		r := httptest.NewRequest(http.MethodGet, "/debug/report", nil)
		r.SetBasicAuth("latido", password)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if text := w.Body.String(); w.Code != want || (password != "") != strings.Contains(text, "latido report -url http://INSTANCE:9464") || len(text) > 500 { // the command shows as much
			t.Errorf("%d %d bytes: %s", w.Code, len(text), text)
		}
	}
}

// TestMeasures: the server counts what it asks and what failed, and each alert
// once, however often Prometheus sends it.
func TestMeasures(t *testing.T) {
	t.Parallel()
	to := &receiver{}
	own := newMeasures()
	source := &instances{domain: tienda, measures: own, prometheus: serving(t, http.NotFound)} // a wrong path
	s, _ := started(t, source, serving(t, to.ServeHTTP), serving(t, http.NotFound))
	s.measures = own
	h := s.handler("latido", "secret")
	s.pipeline = evidence.NewPipeline(s.enrich, s.put, 2*time.Second)
	text := func() string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		return w.Body.String()
	}
	for _, zero := range []string{`latido_evidence_alerts_total{outcome="explained"} 0`, `latido_evidence_request_duration_seconds_count{outcome="failed",source="pyroscope"} 0`} {
		if !strings.Contains(text(), zero+"\n") {
			t.Errorf("no %s", zero)
		}
	}
	body := firing(t, 3, time.Now().Add(4*time.Minute))
	for range 2 {
		post(h, body)
	}
	s.pipeline.Close(t.Context())
	got := text()
	for _, want := range []string{`latido_evidence_alerts_total{outcome="unexplained"} 3`, `latido_evidence_alerts_total{outcome="explained"} 0`} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	for _, some := range []string{`latido_evidence_request_duration_seconds_count{outcome="failed",source="prometheus"}`, `latido_evidence_posts_total{outcome="taken"}`, `latido_evidence_posts_total{outcome="failed"}`} {
		if !strings.Contains(got, some) || strings.Contains(got, some+" 0\n") {
			t.Errorf("%s is 0 in\n%s", some, got)
		}
	}
}

// TestAddresses: what is no address is told with one that fits the server.
func TestAddresses(t *testing.T) {
	for flag, port := range map[string]string{"prometheus": ":9090", "pyroscope": ":4040", "alertmanager": ":9093"} {
		if _, err := address(flag, "host"+port); err == nil || !strings.HasPrefix(err.Error(), "-"+flag+" ") || !strings.HasSuffix(err.Error(), port) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// TestOneOfTwoFails: of two Alertmanagers of which one takes no alert the log tells
// once, and once when it takes them again. Both are asked under their own names.
func TestOneOfTwoFails(t *testing.T) {
	var down atomic.Bool
	var hosts sync.Map
	half := serving(t, func(w http.ResponseWriter, r *http.Request) {
		hosts.Store(r.Host, true)
		if down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
		}
	})
	var said bytes.Buffer
	s := &alerts{targets: []*url.URL{half, serving(t, func(http.ResponseWriter, *http.Request) {})}, log: slog.New(slog.NewTextHandler(&said, nil)), ctx: t.Context()}
	for _, failing := range []bool{false, true, false} {
		down.Store(failing)
		for range 3 {
			if taken, err := s.post(); (err != nil) != failing || taken < 1 {
				t.Errorf("failing %v: %d took it, %v", failing, taken, err)
			}
		}
	}
	if text := said.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "is not handed on") || !strings.Contains(text, "handed on again") {
		t.Errorf("logged\n%s", text)
	}
	if err := send(t.Context(), half, "alertmanager.example.com", nil); err != nil {
		t.Error(err)
	}
	for _, host := range []string{half.Host, "alertmanager.example.com"} {
		if _, asked := hosts.Load(host); !asked {
			t.Errorf("nobody asked %s", host)
		}
	}
}

// TestUnlinked: where nobody has said how people reach the server, alerts have no
// link, rather than one that opens on its own machine alone.
func TestUnlinked(t *testing.T) {
	t.Parallel()
	to := &receiver{}
	s, h := started(t, &instances{domain: tienda, prometheus: serving(t, http.NotFound)}, serving(t, to.ServeHTTP))
	s.unlinked = true
	post(h, firing(t, 1, time.Now().Add(4*time.Minute)))
	s.pipeline.Close(t.Context())
	if len(to.got) != 2 {
		t.Fatalf("posted %v", to.got)
	}
	for _, p := range to.got {
		if p.Annotations["incident"] != "" || p.Annotations["evidence"] == "" {
			t.Errorf("posted %v", p.Annotations)
		}
	}
	for at, want := range map[string]string{"0.0.0.0:9466": "127.0.0.1:9466", "[::]:9466": "127.0.0.1:9466", "10.0.0.1:9466": "10.0.0.1:9466"} {
		addr, err := net.ResolveTCPAddr("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		if got := reached(addr); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
}
