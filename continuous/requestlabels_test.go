package continuous

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/stacks"
)

// ofSpans is a CPU profile of one second for each of n requests to an endpoint,
// each with a span of its own, and of a second of "/other" without.
func ofSpans(t *testing.T, n int) []byte {
	t.Helper()
	fn := &profile.Function{ID: 1, Name: "shop.Pay"}
	at := &profile.Location{ID: 1, Line: []profile.Line{{Function: fn, Line: 7}}}
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "cpu", Unit: "nanoseconds"}},
		Function:   []*profile.Function{fn}, Location: []*profile.Location{at},
	}
	add := func(labels map[string][]string) {
		p.Sample = append(p.Sample, &profile.Sample{Value: []int64{1e9}, Location: []*profile.Location{at}, Label: labels})
	}
	for i := range n {
		add(map[string][]string{
			profiles.LabelEndpoint: {"/pay"}, profiles.LabelSpanID: {fmt.Sprintf("%016x", i*0x9e3779b97f4a7c1)}, "trace_id": {fmt.Sprintf("%032x", i)},
		})
	}
	add(map[string][]string{profiles.LabelEndpoint: {"/other"}})
	var buf bytes.Buffer
	if err := p.Write(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// wantAddedUp checks that a profile of ofSpans has one sample an endpoint, and
// no span.
func wantAddedUp(t *testing.T, p *profile.Profile, seconds map[string]int64) {
	t.Helper()
	for _, s := range p.Sample {
		if len(s.Label) != 1 || s.Value[0] != seconds[stacks.Label(s, profiles.LabelEndpoint)]*1e9 {
			t.Errorf("%v of %v, want %v seconds by endpoint", s.Value, s.Label, seconds)
		}
	}
	if len(p.Sample) != len(seconds) {
		t.Errorf("%d samples, want %d", len(p.Sample), len(seconds))
	}
}

func TestWithoutSpans(t *testing.T) {
	for n, seconds := range map[int]map[string]int64{0: {"/other": 1}, 1: {"/pay": 1, "/other": 1}, 500: {"/pay": 500, "/other": 1}} {
		data := ofSpans(t, n)
		slim, err := withoutSpans(data)
		if err != nil {
			t.Fatal(err)
		}
		if same := &slim[0] == &data[0]; same != (n == 0) {
			t.Errorf("%d spans: it is the same profile: %v", n, same)
		}
		p, err := profile.ParseData(slim)
		if err != nil {
			t.Fatal(err)
		}
		wantAddedUp(t, p, seconds)
	}
	if _, err := withoutSpans([]byte("no profile")); err == nil {
		t.Error("no error for what is no profile")
	}
}

// TestSpansAge: the last windows have them, for Pyroscope to fetch; older ones
// and what is added up for a report do not.
func TestSpansAge(t *testing.T) {
	p := &Profiler{quit: make(chan struct{}), cfg: Config{Interval: 10 * time.Second}, ring: ring{maxBytes: 1 << 20, keep: time.Hour}}
	start := time.Now()
	at := func(window int) time.Time { return start.Add(time.Duration(window) * 10 * time.Second) }
	whole := ofSpans(t, 100)
	slim, err := withoutSpans(whole)
	if err != nil {
		t.Fatal(err)
	}
	const kept = 8 // windows of 10 s in spansKept
	for window := range 20 {
		p.ring.add(capture{kindCPU, at(window), at(window + 1), whole})
		p.dropSpans(at(window + 1))
		captures := p.captures(kindCPU)
		for i, c := range captures {
			if old := i < len(captures)-kept; old != (len(c.data) == len(slim)) {
				t.Fatalf("window %d of %d has %d bytes, %d with spans and %d without", i, len(captures), len(c.data), len(whole), len(slim))
			}
		}
	}
	bytes, _ := p.ring.size()
	if want := kept*len(whole) + (20-kept)*len(slim) + 20*captureOverhead; bytes != want {
		t.Errorf("the ring counts %d bytes, want %d", bytes, want)
	}
	sum, _, err := p.Profile(ProfileCPU, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	wantAddedUp(t, sum, map[string]int64{"/pay": 2000, "/other": 20})
}

// TestSpansUploaded: what is sent to Pyroscope has the span of a CPU sample, and
// not that of a goroutine. What is served has it too, for who fetches it there.
func TestSpansUploaded(t *testing.T) {
	const span = "0123456789abcdef"
	var cpu, goroutines atomic.Pointer[profile.Profile]
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		f, _, err := r.FormFile("profile")
		if err != nil {
			t.Error(err)
			return
		}
		p, err := profile.Parse(f)
		if err != nil {
			t.Error(err)
			return
		}
		of := map[string]*atomic.Pointer[profile.Profile]{"cpu": &cpu, "goroutine": &goroutines}
		for _, s := range p.Sample {
			if last := of[p.SampleType[len(p.SampleType)-1].Type]; last != nil && stacks.Label(s, profiles.LabelEndpoint) == "/pay" {
				last.Store(p)
			}
		}
	}))
	defer server.Close()
	burn(t, profiles.LabelEndpoint, "/pay", profiles.LabelSpanID, span)
	p, err := Start(Config{ServerAddress: server.URL, Interval: testInterval, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	waitUntil(t, "both are uploaded", func() bool { return cpu.Load() != nil && goroutines.Load() != nil })
	spans := func(p *profile.Profile) (n int) {
		for _, s := range p.Sample {
			if stacks.Label(s, profiles.LabelSpanID) == span {
				n++
			}
		}
		return n
	}
	if spans(cpu.Load()) == 0 {
		t.Error("no CPU sample with its span is uploaded")
	}
	if spans(goroutines.Load()) > 0 {
		t.Error("goroutines are uploaded with their spans")
	}
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/pprof/profile?last=1m", nil))
	if served, err := profile.Parse(w.Body); err != nil || spans(served) == 0 {
		t.Errorf("no CPU sample with its span is served (%v)", err)
	}
}

// TestSpansOfOldWindows: what is too old loses its spans, one window after the
// other, whatever another one holds; the rest stays as it is, and so does the count
// of bytes.
func TestSpansOfOldWindows(t *testing.T) {
	t.Parallel()
	p := reaching()
	var logged bytes.Buffer
	p.log = &sparseLog{log: slog.New(slog.NewTextHandler(&logged, nil))}
	now := time.Now()
	data := ofSpans(t, 20)
	broken := append([]byte("no profile "), profiles.LabelSpanID...)
	old := now.Add(-p.cfg.spansKept() - time.Hour)
	for i, d := range [][]byte{data, broken, data, data} {
		at := old.Add(time.Duration(i) * defaultInterval)
		if i == 3 {
			at = now.Add(-time.Minute)
		}
		p.ring.list = append(p.ring.list, capture{kindCPU, at, at.Add(defaultInterval), d})
		p.ring.bytes += len(d) + captureOverhead
	}
	p.dropSpans(now)
	size := 0
	for i, c := range p.ring.list {
		size += len(c.data) + captureOverhead
		if has := mentions(c.data, requestLabels); has != (i == 1 || i == 3) {
			t.Errorf("window %d has spans: %v", i, has)
		}
	}
	if size != p.ring.bytes || !bytes.Contains(logged.Bytes(), []byte("could not be taken")) {
		t.Errorf("%d bytes are counted of %d, and the log says %s", p.ring.bytes, size, logged.Bytes())
	}
	p.ring.list[0].data = data // is not looked at again
	if p.dropSpans(now.Add(time.Second)); !mentions(p.ring.list[0].data, requestLabels) {
		t.Error("a window is read again and again")
	}
}

// TestGunzipLimit: as much as the limit is read, and not one byte more.
func TestGunzipLimit(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for limit, ok := range map[int64]bool{999: false, 1000: true, 1001: true} {
		if raw, err := gunzip(buf.Bytes(), limit); ok != (err == nil && len(raw) == 1000) || !ok && !errors.Is(err, errTooLarge) {
			t.Errorf("of %d bytes: %d, %v", limit, len(raw), err)
		}
	}
	if _, err := gunzip([]byte("x"), 10); err == nil {
		t.Error("what is no gzip has no error")
	}
}
