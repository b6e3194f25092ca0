package e2e

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latido-dev/latido/e2e/servers"
)

// sink takes whatever a service sends, and counts its bytes by path.
type sink struct {
	*httptest.Server

	mu    sync.Mutex
	bytes map[string]int64
	posts map[string]int64
}

func startSink(t testing.TB) *sink {
	s := &sink{bytes: map[string]int64{}, posts: map[string]int64{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.bytes[r.URL.Path] += n
		s.posts[r.URL.Path]++
	}))
	t.Cleanup(s.Close)
	return s
}

// of are the bytes and the requests of a path so far.
func (s *sink) of(path string) (bytes, posts float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return float64(s.bytes[path]), float64(s.posts[path])
}

// TestScale measures what one process of the example makes others keep: the
// figures of docs/scale.md. It fails only when a kind of them does not come at
// all, as they differ from machine to machine.
func TestScale(t *testing.T) {
	t.Parallel()
	sink := startSink(t)
	shop := startShop(t, []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + sink.URL, "OTEL_METRIC_EXPORT_INTERVAL=15000", "OTEL_BSP_SCHEDULE_DELAY=1000",
		"PYROSCOPE_SERVER_ADDRESS=" + sink.URL,
	})
	prom := servers.StartPrometheus(t, servers.PrometheusConfig{
		Scrape: []servers.Scrape{{Job: "tienda-api", Targets: []string{shop.Addr(0)}}}, Flags: []string{"--web.enable-admin-api"},
	})
	started := time.Now()
	servers.WaitFor(t, servers.Patience, "three exports of each kind", func() error {
		for _, path := range []string{"/v1/metrics", "/v1/traces", "/ingest"} {
			if _, posts := sink.of(path); posts < 3 {
				return io.ErrNoProgress
			}
		}
		return nil
	})
	minutes := time.Since(started).Minutes()
	families, err := shop.families()
	if err != nil {
		t.Fatal(err)
	}
	series, own, requests := 0, 0, 0.0
	for name, f := range families {
		n := 0
		for _, m := range f.GetMetric() {
			if h := m.GetHistogram(); h != nil {
				n += 2 + len(h.GetBucket()) // _sum and _count
			} else {
				n++
			}
			if name == "tienda_requests_total" {
				requests += m.GetCounter().GetValue()
			}
		}
		series += n
		if strings.HasPrefix(name, "tienda_go_") || strings.HasPrefix(name, "tienda_telemetry_") {
			own += n
		}
	}
	plain, packed := scrapeSize(t, shop.Running)
	metrics, exports := sink.of("/v1/metrics")
	traces, _ := sink.of("/v1/traces")
	profiles, uploads := sink.of("/ingest")
	t.Logf("series of one process: %d, of which %d are of the runtime and of the telemetry itself", series, own)
	t.Logf("a scrape: %d bytes, %d compressed", plain, packed)
	t.Logf("an export of metrics by OTLP: %.0f bytes", metrics/exports)
	t.Logf("spans: %.0f bytes a request, as sent (%.0f requests)", traces/requests, requests)
	t.Logf("profiles: %.0f KiB a minute in %.0f uploads", profiles/minutes/1024, uploads)
	// A chunk has 120 samples: then the bytes of one are those of every other.
	prom.WaitForQuery(t, 2*servers.Patience, `count_over_time(up{job="tienda-api"}[10m]) >= 130`)
	chunks, index, samples, stored := blockSize(t, prom)
	t.Logf("a block of Prometheus: %.2f bytes a sample, and %.0f bytes a series for its index (%.0f samples of %.0f series)", chunks/samples, index/stored, samples, stored)
	if series == 0 || plain == 0 || traces == 0 || profiles == 0 {
		t.Error("a kind of data is missing")
	}
}

// blockSize has Prometheus write what it has as a block, and measures that.
func blockSize(t *testing.T, prom *servers.Prometheus) (chunks, index, samples, series float64) {
	t.Helper()
	flags, err := prom.API().Flags(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := prom.API().Snapshot(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(flags["storage.tsdb.path"], "snapshots", snapshot.Name)
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		switch name := entry.Name(); {
		case name == "index":
			index += float64(info.Size())
		case filepath.Base(filepath.Dir(path)) == "chunks":
			chunks += float64(info.Size())
		case name == "meta.json":
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			var meta struct {
				Stats struct{ NumSamples, NumSeries float64 }
			}
			if err := json.Unmarshal(text, &meta); err != nil {
				return err
			}
			samples, series = samples+meta.Stats.NumSamples, series+meta.Stats.NumSeries
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if samples == 0 || series == 0 {
		t.Fatalf("the snapshot %s is empty", dir)
	}
	return chunks, index, samples, series
}

// scrapeSize is how long /metrics is, as text and as it is sent.
func scrapeSize(t *testing.T, service *servers.Running) (plain, packed int64) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, service.URL()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip") // by hand, so that it stays packed
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	counted := &counter{from: response.Body}
	unpacked, err := gzip.NewReader(counted)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err = io.Copy(io.Discard, unpacked); err != nil {
		t.Fatal(err)
	}
	return plain, counted.n
}

// counter counts what is read through it.
type counter struct {
	from io.Reader
	n    int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	return n, err
}
