package generate_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
)

// TestGenerateDashboards writes the five into a folder beside those of others,
// and finds the one that a domain no longer has.
func TestGenerateDashboards(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "boards")
	generate := func(code, n int, want string, flags ...string) string {
		t.Helper()
		got, stdout, stderr := latido(append([]string{"generate", "dashboards", "-domain", "testdata/tienda.yaml", "-out", out}, flags...)...)
		if got != code || stderr != "" || strings.Count(stdout, want) != n {
			t.Errorf("%q: exit %d, want %d, and %q %d times\n%s%s", flags, got, code, want, n, stdout, stderr)
		}
		return stdout
	}
	again := "latido generate dashboards -domain testdata/tienda.yaml -out " + out + "\n"
	generate(1, 5, again, "-fast", "-check")
	generate(0, 5, "  written from ")
	generate(0, 1, "5 files  ok  ", "-check", "-fast") // which no dashboard depends on
	board, err := os.ReadFile(filepath.Join(out, "tienda-http.json"))
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(out, "tienda-old.json")
	for name, text := range map[string]string{
		"tienda_norte-http.json": strings.ReplaceAll(string(board), `"tienda"`, `"tienda_norte"`), "nodes.json": "{}", "tienda-notes.txt": "mine",
		"tienda-mine.json": "{}", "tienda-old.json": string(board),
	} {
		if err := os.WriteFile(filepath.Join(out, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, flags := range [][]string{{"-check"}, {}} { // nothing is removed unasked
		stdout := generate(1, 1, "5 files  ok  ", flags...)
		if strings.Count(stdout, "FAIL") != 1 || !strings.Contains(stdout, old+"  FAIL  was written from testdata/tienda.yaml, which no longer makes it") {
			t.Errorf("%q: a file too many is not found:\n%s", flags, stdout)
		}
		if _, err := os.Stat(old); err != nil {
			t.Error(err)
		}
	}
	if stdout := generate(0, 1, "5 files  ok  ", "-prune"); clitest.Exists(old) || strings.Count(stdout, "removed") != 1 {
		t.Errorf("one is left behind:\n%s", stdout)
	}
	if err := os.Remove(filepath.Join(out, "tienda-http.json")); err != nil {
		t.Fatal(err)
	}
	if code, stdout, _ := latido("generate", "dashboards", "-domain", "testdata/tienda.yaml", "-out", out, "-check"); code != 1 || !strings.Contains(stdout, "tienda-http.json  FAIL") {
		t.Errorf("a file that is missing: exit %d\n%s", code, stdout)
	}
}

// Dashboards in a place that is no folder are an error, and nothing else.
func TestGenerateDashboardsNowhere(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(out, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := latido("generate", "dashboards", "-domain", "testdata/tienda.yaml", "-out", out); code != 1 || !strings.Contains(stderr, out) {
		t.Errorf("exit %d %s", code, stderr)
	}
}
