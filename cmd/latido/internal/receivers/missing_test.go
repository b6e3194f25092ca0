package receivers

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A value of .env that Compose or a shell would read as another one is named;
// one in single quotes is as it is written.
func TestValuesThatAreReadOtherwise(t *testing.T) {
	t.Parallel()
	for line, misread := range map[string]bool{
		"A=pa$word1":                      true,
		`A="pa$word1"`:                    true,
		"A='pa$word1'":                    false,
		"export A=pa$1":                   true,
		"A=https://x.example/?a=1&b=2":    true,
		"A='https://x.example/?a=1&b=2'":  false,
		`A="https://x.example/?a=1&b=2"`:  false,
		"A=two words":                     true,
		"A=word # a comment":              false,
		"A=word   \r":                     false,
		"A=it's":                          true,
		"A='it's'":                        true,
		"A='":                             true,
		"A=(a)":                           true,
		`A=a\b`:                           true,
		`A="a\b"`:                         true,
		"A=`id`":                          true,
		"A=0a1b#2c3d":                     false,
		"A=${B}":                          false,
		"A=${B}$c":                        true,
		"A=":                              false,
		"A=https://x.example/services/T0": false,
		"#A=pa$word1":                     false,
		"A":                               false,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ".env"), []byte("# mine\nB=b\n"+line+"\nC=c\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := Misread(dir); slices.Contains(got, "A") != misread || len(got) > 1 {
			t.Errorf("%s: told %q, want %v", line, got, misread)
		}
	}
	if got := Misread(t.TempDir()); got != nil {
		t.Errorf("without a file: %q", got)
	}
}
