package continuous

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"github.com/grafana/pyroscope-go/upstream"

	"github.com/latido-dev/latido/internal/testkit"
)

// uploading starts an uploader alone, with short pauses.
func uploading(t *testing.T, cfg Config) (*uploader, *logged) {
	t.Helper()
	out := &logged{}
	up, err := newUploader(cfg, &sparseLog{log: slog.New(slog.NewTextHandler(out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	up.first = time.Millisecond
	go up.run()
	t.Cleanup(func() {
		if !up.draining() {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = up.stop(ctx)
		}
	})
	return up, out
}

// serve answers each request with the next status, and with the last one from
// then on.
func serve(t *testing.T, statuses ...int) (address string, requests *atomic.Int64) {
	requests = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		i := int(requests.Add(1)) - 1
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(statuses[min(i, len(statuses)-1)])
	}))
	t.Cleanup(s.Close)
	return s.URL, requests
}

func heapCapture(size int) capture {
	now := time.Now()
	return capture{kindHeap, now.Add(-time.Second), now, make([]byte, size)}
}

// TestUpload reads what a server gets.
func TestUpload(t *testing.T) {
	type upload struct {
		query, user, password, tenant string
		types                         map[string]upstream.SampleType
		profile                       []byte
	}
	got := make(chan upload, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var u upload
		u.query = r.URL.Path + "?" + r.URL.RawQuery
		u.user, u.password, _ = r.BasicAuth()
		u.tenant = r.Header.Get("X-Scope-OrgID")
		for field, into := range map[string]func([]byte) error{
			"profile":            func(b []byte) error { u.profile = b; return nil },
			"sample_type_config": func(b []byte) error { return json.Unmarshal(b, &u.types) },
		} {
			f, _, err := r.FormFile(field)
			if err != nil {
				t.Errorf("%s: %v", field, err)
				return
			}
			b, _ := io.ReadAll(f)
			if err := into(b); err != nil {
				t.Errorf("%s: %v", field, err)
			}
		}
		got <- u
	}))
	defer server.Close()
	t.Setenv("PYROSCOPE_TENANT_ID", "tienda")
	up, _ := uploading(t, Config{Service: "tienda api", Tags: map[string]string{"a-b": "x,y", "service_name": "z"},
		ServerAddress: strings.Replace(server.URL, "http://", "http://ana:s3cret@", 1) + "/pyroscope/"})
	up.add(heapCapture(10))
	u := <-got
	for _, want := range []string{"/pyroscope/ingest?", "name=tienda_api%7B__session_id__%3D", "%2Ca_b%3Dx_y%7D", "spyName=gospy", "sampleRate=100", "from=1", "until=1"} {
		if !strings.Contains(u.query, want) {
			t.Errorf("%s: want %s", u.query, want)
		}
	}
	if u.user != "ana" || u.password != "s3cret" || u.tenant != "tienda" || len(u.profile) != 10 || u.types["alloc_space"].Units != "bytes" {
		t.Errorf("got %+v", u)
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		name                      string
		statuses                  []int
		uploaded, failed, dropped uint64
	}{
		{"ok", []int{200}, 2, 0, 0},
		{"accepted", []int{202}, 2, 0, 0},
		{"no content", []int{204}, 2, 0, 0},
		{"too large", []int{413, 200}, 1, 1, 1},
		{"not understood", []int{422, 200}, 1, 1, 1},
		{"redirect", []int{307, 200}, 1, 1, 1},
		{"too many", []int{429, 429, 200}, 2, 2, 0},
		{"server error", []int{500, 503, 200}, 2, 2, 0},
		{"always for one profile", []int{500, 500, 500, 500, 500, 500, 500, 500, 200}, 1, 8, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			address, requests := serve(t, c.statuses...)
			up, out := uploading(t, Config{ServerAddress: address})
			up.add(heapCapture(10))
			up.add(heapCapture(10))
			waitUntil(t, "both done", func() bool { return up.uploaded.Load()+up.dropped.Load() == 2 })
			if up.uploaded.Load() != c.uploaded || up.failed.Load() != c.failed || up.dropped.Load() != c.dropped {
				t.Errorf("uploaded %d, failed %d, dropped %d, want %d, %d, %d", up.uploaded.Load(), up.failed.Load(), up.dropped.Load(), c.uploaded, c.failed, c.dropped)
			}
			if n := uint64(requests.Load()); n != c.uploaded+c.failed {
				t.Errorf("%d requests", n)
			}
			if n := strings.Count(out.String(), "\n"); n != min(1, int(c.failed)) {
				t.Errorf("%d lines logged: %s", n, out)
			}
			if err := up.stop(context.Background()); err != nil {
				t.Error(err)
			}
			if up.bytes != 0 || len(up.queue) != 0 {
				t.Errorf("%d bytes, %d jobs are left", up.bytes, len(up.queue))
			}
		})
	}
}

// TestEveryAnswer walks all statuses: which make another try, and when.
func TestEveryAnswer(t *testing.T) {
	t.Parallel()
	up := &uploader{}
	for status := 200; status < 600; status++ {
		o := up.judge(&http.Response{StatusCode: status, Header: http.Header{"Retry-After": {"2"}}}, nil)
		good := status < 300
		denied := status == 401 || status == 403
		again := status == 408 || status == 429 || status >= 500
		if (o.err == nil) != good || o.answered == denied || o.final != (!good && !denied && !again) {
			t.Errorf("%d: %+v", status, o)
		}
		if redirects := o.err != nil && strings.Contains(o.err.Error(), "redirects are not followed"); redirects != (status >= 300 && status < 400) {
			t.Errorf("%d: %v", status, o.err)
		}
		want := time.Duration(0)
		switch status {
		case 401, 403:
			want = deniedPause
		case 429, 503:
			want = 2 * time.Second
		}
		if o.pause != want {
			t.Errorf("%d with Retry-After: 2 pauses for %v, want %v", status, o.pause, want)
		}
	}
	for after, want := range map[string]time.Duration{
		"1": time.Second, "60": time.Minute, "86400": deniedPause, "99999999999999999999": 0,
		"0": 0, "-1": 0, "": 0, "soon": 0, "Wed, 21 Oct 2026 07:28:00 GMT": 0,
	} {
		if o := up.judge(&http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {after}}}, nil); o.pause != want {
			t.Errorf("Retry-After: %s pauses for %v, want %v", after, o.pause, want)
		}
	}
}

func TestDenied(t *testing.T) {
	address, requests := serve(t, 401)
	up, out := uploading(t, Config{ServerAddress: address, BasicAuthUser: "ana", BasicAuthPassword: "s3cret"})
	for range 5 {
		up.add(heapCapture(10))
	}
	waitUntil(t, "a try", func() bool { return up.failed.Load() == 1 })
	waitUntil(t, "a line", func() bool { return strings.Contains(out.String(), "check BasicAuthUser") })
	if requests.Load() != 1 || up.dropped.Load() != 0 {
		t.Errorf("%d requests, %d dropped: want a long pause after the first", requests.Load(), up.dropped.Load())
	}
	start := time.Now()
	testkit.Error(t, up.stop(context.Background()), "5 profiles were not uploaded to 127.0.0.1")
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("stop took %v", d)
	}
	if strings.Contains(out.String(), "s3cret") || up.dropped.Load() != 5 {
		t.Errorf("dropped %d, logged %s", up.dropped.Load(), out)
	}
}

func TestServerDown(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://ana:s3cret@" + closed.Addr().String()
	closed.Close()
	up, out := uploading(t, Config{ServerAddress: address})
	const size = 100 << 10
	for range 1000 {
		up.add(heapCapture(size))
		up.mu.Lock()
		if up.bytes > maxQueueBytes || len(up.queue) > maxQueueCount {
			t.Errorf("%d bytes, %d jobs queued", up.bytes, len(up.queue))
		}
		up.mu.Unlock()
	}
	for range 1000 {
		up.add(heapCapture(1))
	}
	up.add(heapCapture(maxQueueBytes + 1))
	waitUntil(t, "tries", func() bool { return up.failed.Load() > 2 })
	if d := up.dropped.Load(); d < 2001-maxQueueCount-1 || d > 2001 {
		t.Errorf("%d dropped", d)
	}
	testkit.Error(t, up.stop(context.Background()), "connection refused")
	if up.dropped.Load() != 2001 {
		t.Errorf("%d dropped after stop, want all", up.dropped.Load())
	}
	if n := strings.Count(out.String(), "\n"); n != 1 || strings.Contains(out.String(), "s3cret") {
		t.Errorf("%d lines: %s", n, out)
	}
}

// The newest profiles are the ones that are kept.
func TestQueueOrder(t *testing.T) {
	up := &uploader{wake: make(chan struct{}, 1)}
	for i := range maxQueueCount + 10 {
		up.add(heapCapture(i))
	}
	j := up.next()
	if len(j.data) != 10 {
		t.Errorf("the oldest has %d bytes, want the tenth", len(j.data))
	}
	up.add(heapCapture(1)) // the queue was full with the one on its way
	up.finish(j, &up.uploaded)
	if n := up.next(); len(n.data) != 11 || len(up.queue) != maxQueueCount || up.uploaded.Load() != 0 || up.dropped.Load() != 11 {
		t.Errorf("%d jobs, the next has %d bytes, %d uploaded, %d dropped", len(up.queue), len(n.data), up.uploaded.Load(), up.dropped.Load())
	}
}

func TestHangingServer(t *testing.T) {
	release, hung := make(chan struct{}), make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		hung <- struct{}{}
		<-release
	}))
	defer server.Close()
	defer close(release)
	p, err := Start(Config{ServerAddress: server.URL, Interval: testInterval, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	<-hung
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	start := time.Now()
	err = p.Stop(ctx)
	if d := time.Since(start); d > 4*time.Second { // without a context it would be 5 s
		t.Errorf("Stop took %v, with 0.5 s", d)
	}
	testkit.Error(t, err, "were not uploaded")
	if again := p.Stop(context.Background()); again == nil || again.Error() != err.Error() {
		t.Errorf("a second Stop returns %v", again)
	}
}

// A Profiler's own last window reaches the server.
func TestStopUploads(t *testing.T) {
	address, requests := serve(t, 200)
	p, err := Start(Config{ServerAddress: address, Interval: time.Minute, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s := p.Stats(); s.Uploaded < 2 || requests.Load() < 2 {
		t.Errorf("uploaded %d in %d requests, want CPU and heap at least", s.Uploaded, requests.Load())
	}
}

func TestErrorBody(t *testing.T) {
	const size = 300 << 20
	var written atomic.Int64
	handled := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusBadRequest)
		block := bytes.Repeat([]byte("s3cret\n\x1b[2J"), 10_000)
		for written.Load() < size {
			n, err := w.Write(block)
			written.Add(int64(n))
			if err != nil {
				break
			}
		}
		handled <- struct{}{}
	}))
	defer server.Close()
	up, out := uploading(t, Config{ServerAddress: server.URL, BasicAuthUser: "ana", BasicAuthPassword: "s3cret"})
	up.add(heapCapture(10))
	<-handled
	waitUntil(t, "dropped", func() bool { return up.dropped.Load() == 1 })
	waitUntil(t, "a line", func() bool { return out.String() != "" })
	if written.Load() >= size {
		t.Error("the whole body was read")
	}
	if s := out.String(); len(s) > 1000 || strings.Contains(s, "s3cret") || strings.Count(s, "\n") != 1 || strings.Contains(s, "\x1b") {
		t.Errorf("logged %d bytes: %.1000s", len(s), s)
	}
}

func TestLabelNames(t *testing.T) {
	for name, want := range map[string]string{"endpoint": "endpoint", "a.b": "a_b", "9x": "_9x", "": "_", "año": "a_o", "bad name": "bad_name"} {
		if got := labelName(name); got != want {
			t.Errorf("%q became %q, want %q", name, got, want)
		}
	}
	for want, c := range map[string]struct {
		service string
		tags    map[string]string
	}{
		"tienda-api{}":                           {"tienda-api", nil},
		"unknown_service{}":                      {"", nil},
		"a_b{tag_region=eu,x_y=1}":               {"a/b", map[string]string{"x-y": "1", "x_y": "2", "region": "eu", "__name__": "x", "empty": ""}},
		"s{v=" + strings.Repeat("x", 1024) + "}": {"s", map[string]string{"v": strings.Repeat("x", 5000)}},
	} {
		if got := appName(c.service, c.tags, ""); got != want {
			t.Errorf("%q became %q", want, got)
		}
	}
}

func TestClean(t *testing.T) {
	function := &profile.Function{ID: 1, Name: "main.f"}
	location := &profile.Location{ID: 1, Line: []profile.Line{{Function: function}}}
	encode := func(labels map[string][]string) []byte {
		p := &profile.Profile{
			SampleType: []*profile.ValueType{{Type: "cpu", Unit: "nanoseconds"}}, Function: []*profile.Function{function},
			Location: []*profile.Location{location}, Sample: []*profile.Sample{{Location: []*profile.Location{location}, Value: []int64{1}, Label: labels}},
		}
		var buf bytes.Buffer
		if err := p.Write(&buf); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	good := encode(map[string][]string{"endpoint": {"/x"}})
	j := &job{capture: capture{kind: kindCPU, data: good}}
	if err := j.clean(); err != nil || &j.data[0] != &good[0] {
		t.Errorf("a good profile was encoded again: %v", err)
	}
	j = &job{capture: capture{kind: kindCPU, data: encode(map[string][]string{
		"endpoint": {"/x"}, "a b": {"1"}, "a_b": {"2"}, "a.b": {"3"}, "__name__": {"n"}, "service_name": {"s"}, "bytes": {"\xff"}, "long": {strings.Repeat("ñ", 2000)}})}}
	if err := j.clean(); err != nil {
		t.Fatal(err)
	}
	p, err := j.parse()
	if err != nil {
		t.Fatal(err)
	}
	labels := p.Sample[0].Label
	var names []string
	for name, values := range labels {
		names = append(names, name)
		if len(values) != 1 || len(values[0]) > maxLabelValue || labelName(name) != name {
			t.Errorf("label %q: %.100q", name, values)
		}
	}
	slices.Sort(names)
	if want := []string{"a_b", "bytes", "endpoint", "label_name__", "label_service_name", "long"}; !slices.Equal(names, want) || labels["a_b"][0] != "2" {
		t.Errorf("labels %q, want %q", names, want)
	}
	if err := (&job{capture: capture{kind: kindCPU, data: []byte("junk")}}).clean(); err == nil {
		t.Error("junk is clean")
	}
}
