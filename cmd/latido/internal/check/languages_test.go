package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/internal/testkit"
)

// TestLanguages checks every wrong domain file that there is, in both languages:
// each mistake has its line and what to write instead.
func TestLanguages(t *testing.T) {
	bad, err := txtar.ParseFile("../../../../domain/testdata/bad.txtar")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var files []string
	for _, f := range bad.Files {
		if strings.HasSuffix(f.Name, ".yaml") {
			files = append(files, filepath.Join(dir, f.Name))
			testkit.Error(t, os.WriteFile(files[len(files)-1], f.Data, 0o600), "")
		}
	}
	if len(files) < 80 {
		t.Fatalf("%d files", len(files))
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
	said := strings.NewReplacer(dir+string(filepath.Separator), "", top+string(filepath.Separator), "").Replace(golden.String())
	testkit.Golden(t, "testdata/languages.golden.txt", []byte(filepath.ToSlash(said)))
}

// The command says in each language what bothLanguages takes it to say.
func TestLanguageOfTheCommand(t *testing.T) {
	t.Parallel()
	const file = "testdata/impossible.yaml"
	lines := strings.Split(bothLanguages(t, file), "\n")
	for i, language := range []string{"en", "es"} {
		out := say(t, 1, "check", "-language", language, file)
		for j, line := range strings.Split(strings.TrimRight(out, "\n"), "\n") {
			if want := strings.TrimSpace(lines[2*j+i]); strings.TrimSpace(line) != want {
				t.Errorf("%s: %q, want %q", language, line, want)
			}
		}
	}
}

// bothLanguages is what a check that fails says in English, and below each line
// in Spanish. No mistake, and nothing to write instead, is said in English only.
func bothLanguages(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := latido(append([]string{"check", "-format", "json", "-language", "en"}, args...)...)
	if code != 1 || stderr != "" {
		t.Errorf("%q: exit %d %s", args, code, stderr)
	}
	// What is found is the same in each language: it is looked for once.
	say := func(language string) []string {
		var found result.Set
		if err := json.Unmarshal([]byte(stdout), &found); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, stdout)
		}
		found.Language = language
		var text bytes.Buffer
		if err := found.Write(&text, "text"); !errors.Is(err, cli.ErrProblems) {
			t.Errorf("%q: %v", args, err)
		}
		return strings.Split(strings.TrimRight(text.String(), "\n"), "\n")
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
