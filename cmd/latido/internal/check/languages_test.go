package check

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/latido-dev/latido/internal/testkit"
)

// TestLanguages checks every wrong domain file that there is, in both languages:
// each mistake has its line and what to write instead, and no message is left
// in English.
func TestLanguages(t *testing.T) {
	files, err := filepath.Glob("../../../../domain/testdata/*.bad.yaml")
	if err != nil || len(files) < 80 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	var golden strings.Builder
	for _, file := range append(files, "testdata/impossible.yaml") {
		say := func(language string) []string {
			code, stdout, stderr := latido("check", "-language", language, file)
			if code != 1 || stderr != "" {
				t.Errorf("%s: exit %d %s", file, code, stderr)
			}
			return strings.Split(strings.TrimSpace(stdout), "\n")
		}
		english, spanish := say("en"), say("es")
		if len(english) != len(spanish) {
			t.Errorf("%s: %d lines in English, %d in Spanish", file, len(english), len(spanish))
			continue
		}
		golden.WriteString(filepath.Base(file) + "\n")
		for i, line := range english {
			if spanish[i] == line && strings.Contains(line, "FAIL") {
				t.Errorf("%s is said in English only: %s", file, line)
			}
			golden.WriteString("  " + strings.TrimSpace(line) + "\n  " + strings.TrimSpace(spanish[i]) + "\n")
		}
	}
	top, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	said := strings.NewReplacer("../../../../domain/testdata/", "", top+string(filepath.Separator), "").Replace(golden.String())
	testkit.Golden(t, "testdata/languages.golden.txt", []byte(filepath.ToSlash(said)))
}
