package importer

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/testkit"
)

// imported is the draft of a file whose process began ten days ago.
func imported(t *testing.T, file string, o Options) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	start := regexp.MustCompile(`(?m)^process_start_time_seconds .*$`)
	text = start.ReplaceAll(text, fmt.Appendf(nil, "process_start_time_seconds %d", time.Now().Add(-240*time.Hour).Unix()))
	path := filepath.Join(t.TempDir(), file+".txt")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	o.From = path
	var b bytes.Buffer
	if err := Run(t.Context(), &b, o); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return strings.ReplaceAll(b.String(), path, file+".txt")
}

// TestDrafts holds what becomes of the metrics of services that everybody can
// run: each is a domain that loads.
func TestDrafts(t *testing.T) {
	t.Parallel()
	for file, o := range map[string]Options{
		"coredns": {}, "caddy": {Entity: "request", App: "caddy"}, "gitea": {Language: "es"}, "checkout": {Prefix: "shop"},
		"fastapi": {Language: "es"}, "spring": {},
	} {
		draft := imported(t, file, o)
		if _, err := domain.Parse(file, []byte(draft)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		testkit.Golden(t, "testdata/"+file+".golden.yaml", []byte(draft))
	}
}

// TestLetters: the letters and digits of a name stay, and all else is a gap.
func TestLetters(t *testing.T) {
	t.Parallel()
	file, out := filepath.Join(t.TempDir(), "metrics.txt"), bytes.Buffer{}
	if err := os.WriteFile(file, []byte("# TYPE shop_az09_total counter\nshop_az09_total 1\n# TYPE shop_b:c__d_total counter\nshop_b:c__d_total 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	testkit.Error(t, Run(t.Context(), &out, Options{From: file}), "")
	for _, want := range []string{"name: az09\n", "name: b_c_d\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

// TestSeldom: an event that comes too seldom for its absence to say anything has no
// limit, and costs none of the others theirs.
func TestSeldom(t *testing.T) {
	t.Parallel()
	file, out := filepath.Join(t.TempDir(), "metrics.txt"), bytes.Buffer{}
	text := fmt.Sprintf("# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds %d\n", time.Now().Add(-100*time.Hour).Unix())
	for name, n := range map[string]int{"archive": 10, "orders": 1e6, "silent": 0, "visits": 1e6} {
		text += fmt.Sprintf("# TYPE shop_%s_total counter\nshop_%s_total %d\n", name, name, n)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	testkit.Error(t, Run(t.Context(), &out, Options{From: file}), "")
	var rules []string
	for line := range strings.Lines(out.String()) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "- name: No"); ok {
			rules = append(rules, name)
		}
	}
	if slices.Sort(rules); !slices.Equal(rules, []string{"Orders", "Visits"}) {
		t.Errorf("rules %q in\n%s", rules, &out)
	}
}

// TestWrongSources says what to give instead, and no password.
func TestWrongSources(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			_, _ = w.Write([]byte("# TYPE tienda_pedidos_total counter\ntienda_pedidos_total 3\n"))
			return
		}
		http.Error(w, "<html>", http.StatusNotFound)
	}))
	t.Cleanup(server.Close)
	address := strings.Replace(server.URL, "http://", "http://user:hunter2@", 1)
	empty, page := filepath.Join(t.TempDir(), "empty.txt"), filepath.Join(t.TempDir(), "page.html")
	for file, text := range map[string]string{empty: "", page: "<html><body>Not metrics</body></html>\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for from, want := range map[string]string{
		address + "/nothing":              "404",
		"http://user:hunter2@127.0.0.1:1": "connection refused",
		"nothing.txt":                     "give the address of /metrics",
		empty:                             "no metric",
		page:                              "no text of metrics",
	} {
		err := Run(t.Context(), &bytes.Buffer{}, Options{From: from})
		testkit.Error(t, err, want)
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password is told: %v", err)
		}
	}
	var b bytes.Buffer
	if err := Run(t.Context(), &b, Options{From: address + "/metrics"}); err != nil || strings.Contains(b.String(), "hunter2") || !strings.Contains(b.String(), "name: pedidos") {
		t.Errorf("%v\n%s", err, &b)
	}
}

// FuzzRun: whatever a service publishes becomes a domain that loads, or an
// error.
func FuzzRun(f *testing.F) {
	for _, file := range []string{"coredns", "caddy", "gitea", "checkout"} {
		text, err := os.ReadFile("testdata/" + file + ".txt")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("# TYPE a_b_total counter\na_b_total{le=\"x\",job=\"y\"} 1e400\n# TYPE A histogram\nA_bucket{le=\"NaN\"} 3\n")
	f.Fuzz(func(t *testing.T, text string) {
		families, err := parse([]byte(text))
		if err != nil {
			return
		}
		d, err := draftOf(families, Options{})
		if err != nil {
			return
		}
		if _, err := d.write("fuzz"); err != nil {
			t.Error(err)
		}
	})
}
