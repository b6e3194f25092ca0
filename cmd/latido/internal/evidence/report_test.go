package evidence

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latido-dev/latido/continuous"
)

// TestReport reads the report of a real profiler's handler.
func TestReport(t *testing.T) {
	profiler, err := continuous.Start(continuous.Config{Service: "tienda-api", Interval: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = profiler.Stop(t.Context()) }()
	var user, password string
	var findings atomic.Pointer[string] // what the service answers, nil for one that does not know of them
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ = r.BasicAuth()
		if strings.HasPrefix(r.URL.Path, "/closed") {
			http.Error(w, "closed to strangers", http.StatusForbidden)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/locked") {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		if r.URL.Path == "/api/findings" && findings.Load() != nil {
			_, _ = w.Write([]byte(*findings.Load()))
			return
		}
		profiler.Handler().ServeHTTP(w, r)
	}))
	defer server.Close()
	t.Setenv("LATIDO_USER", "ops")
	t.Setenv("LATIDO_PASSWORD", "secret")

	file := filepath.Join(t.TempDir(), "cpu.pb.gz")
	var code int
	var stderr string
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); { // until the first window ends
		if code, _, stderr = latido("report", "-url", server.URL, "-format", "pprof", "-out", file); code == 0 {
			break
		}
	}
	if code != 0 {
		t.Fatalf("pprof: exit %d %s", code, stderr)
	}
	if data, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		t.Errorf("the profile is no gzip: %v", err)
	}
	code, stdout, stderr := latido("report", "-url", server.URL, "-last", "5m")
	if code != 0 || !strings.Contains(stdout, "Look at this first") {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	// In a folder with a domain file, the report speaks its language.
	t.Setenv("LC_ALL", "C")
	t.Chdir(t.TempDir())
	if err := os.WriteFile("domain.yaml", []byte("prefix: tienda\nlanguage: es\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = latido("report", "-url", server.URL)
	if code != 0 || !strings.Contains(stdout, "Mire esto primero") || regexp.MustCompile(`(?i)\b(the|is|are|of|not|measured|nothing|its|what)\b`).MatchString(stdout) {
		t.Errorf("exit %d, and not all is in Spanish:\n%s%s", code, stdout, stderr)
	}
	t.Setenv("LC_ALL", "en")
	for answer, want := range map[string]string{
		`{"at":"2026-01-02T15:04:05Z","findings":[{"sentence":"GET /pagos waits.","next":"Ask the bank.","rests":["\u001b[2J 1 s"]},{"sentence":"Twice the traffic."}],"notes":["young"]}`: "\n\ncause\n  GET /pagos waits.\n  young\n\nwhat to do\n  Ask the bank.\n\nalso\n  Twice the traffic.\n\nit rests on\n  \\x1b[2J 1 s\n\n",
		`{"at":"2026-01-02T15:04:05Z","findings":[],"none":"Nothing changed."}`: "\n\ncause\n  unknown: Nothing changed.\n\n",
		`<html>`: "what to look at first is not known: URL is no service of Latido's",
	} {
		findings.Store(&answer)
		code, stdout, stderr := latido("report", "-url", server.URL)
		if stdout = strings.ReplaceAll(stdout, server.URL, "URL"); code != 0 || !strings.HasPrefix(stdout, "what to look at first") || !strings.Contains(stdout, want) || !strings.Contains(stdout, "Look at this first") {
			t.Errorf("exit %d, no %q in\n%s%s", code, want, stdout, stderr)
		}
	}
	if user != "ops" || password != "secret" {
		t.Errorf("asked as %s", user)
	}
	if code, stdout, _ := latido("report", "-url", server.URL, "-format", "json"); code != 0 || !json.Valid([]byte(stdout)) {
		t.Errorf("json: exit %d %s", code, stdout)
	}
	if code, _, stderr := latido("report", "-url", server.URL+"/closed"); code != 1 || !strings.Contains(stderr, "closed to strangers") {
		t.Errorf("exit %d %s", code, stderr)
	}
	if code, _, stderr := latido("report", "-url", server.URL+"/locked"); code != 1 || !strings.Contains(stderr, "set LATIDO_USER") || strings.Contains(stderr, "secret") {
		t.Errorf("exit %d %s", code, stderr)
	}
}

// TestReportElsewhere asks servers that are no service of Latido's. What they
// answer, and a password in the address, must not look like a report.
func TestReportElsewhere(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"hello":                 "is no service of Latido's",
		`{"status": "healthy"}`: "is no service of Latido's",
		"[]":                    "is no service of Latido's",
	} {
		t.Run(body, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
			defer server.Close()
			code, stdout, stderr := latido("report", "-url", strings.Replace(server.URL, "http://", "http://ops:secret@", 1))
			if code != 1 || stdout != "" || !strings.Contains(stderr, want) || strings.Contains(stderr, "secret") {
				t.Errorf("exit %d\n%s%s", code, stdout, stderr)
			}
		})
	}
}

// TestReportAsks checks what is asked, under a path and with a query of the
// address, which a proxy before the service may want.
func TestReportAsks(t *testing.T) {
	t.Parallel()
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		http.Redirect(w, r, "http://elsewhere.example.com/", http.StatusFound)
	}))
	defer server.Close()
	code, _, stderr := latido("report", "-url", server.URL+"/shop/", "-last", "5m", "-top", "3")
	if want := "/shop/debug/report?format=json&last=5m0s&top=3"; asked != want {
		t.Errorf("asked %s, want %s", asked, want)
	}
	latido("report", "-url", server.URL, "-last", "1w") // as Prometheus writes a duration
	if want := "/debug/report?format=json&last=168h0m0s&top=5"; asked != want {
		t.Errorf("asked %s, want %s", asked, want)
	}
	if code != 1 || !strings.Contains(stderr, "302 Found") { // not followed, with the password
		t.Errorf("exit %d %s", code, stderr)
	}
}
