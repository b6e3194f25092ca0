package check

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/latido-dev/latido/internal/testkit"
)

// TestLanguages checks every wrong domain file that there is, in both languages:
// each mistake has its line and what to write instead.
func TestLanguages(t *testing.T) {
	files, err := filepath.Glob("../../../../domain/testdata/*.bad.yaml")
	if err != nil || len(files) < 80 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	ours, err := filepath.Glob("testdata/*.wrong.yaml")
	if err != nil || len(ours) < 3 {
		t.Fatalf("%d files, %v", len(ours), err)
	}
	var golden strings.Builder
	for _, file := range append(append(files, "testdata/impossible.yaml", "testdata/impossible.sides.yaml"), ours...) {
		golden.WriteString(filepath.Base(file) + "\n" + bothLanguages(t, file))
	}
	top, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	said := strings.NewReplacer("../../../../domain/testdata/", "", top+string(filepath.Separator), "").Replace(golden.String())
	testkit.Golden(t, "testdata/languages.golden.txt", []byte(filepath.ToSlash(said)))
}

// bothLanguages is what a check that fails says in English, and below each line
// in Spanish. No mistake, and nothing to write instead, is said in English only.
func bothLanguages(t *testing.T, args ...string) string {
	t.Helper()
	say := func(language string) []string {
		code, stdout, stderr := latido(append([]string{"check", "-language", language}, args...)...)
		if code != 1 || stderr != "" {
			t.Errorf("%q: exit %d %s", args, code, stderr)
		}
		return strings.Split(strings.TrimRight(stdout, "\n"), "\n")
	}
	english, spanish := say("en"), say("es")
	if len(english) != len(spanish) {
		t.Errorf("%q: %d lines in English, %d in Spanish", args, len(english), len(spanish))
		return ""
	}
	var both strings.Builder
	for i, line := range english {
		if spanish[i] == line && (strings.Contains(line, "FAIL") || strings.HasPrefix(line, " ")) {
			t.Errorf("%q is said in English only: %s", args, line)
		}
		both.WriteString("  " + strings.TrimSpace(line) + "\n  " + strings.TrimSpace(spanish[i]) + "\n")
	}
	return both.String()
}
