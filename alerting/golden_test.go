package alerting

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latido-dev/latido/domain"
)

var update = flag.Bool("update", false, "write the golden files again")

// TestGolden holds all that a domain becomes against files that a person has
// read. What the tools of Prometheus and Alertmanager say of them is in e2e/.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"full", "shop_en"} {
		d, err := domain.Load(filepath.Join("..", "domain", "testdata", source+".good.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		server := Options{RunbookURL: "https://wiki.example.com/runbook", EvidenceURL: "http://service:9464/"}
		for file, content := range map[string]func() ([]byte, error){
			"rules.yaml":        func() ([]byte, error) { return RuleFile(d, server) },
			"fast.rules.yaml":   func() ([]byte, error) { return RuleFile(d, Options{Fast: true}) },
			"alertmanager.yaml": func() ([]byte, error) { return AlertmanagerFile(d, server) },
			"latido.tmpl":       func() ([]byte, error) { return Templates(d, server), nil },
			"runbook.md":        func() ([]byte, error) { return Runbook(d, server), nil },
		} {
			golden := filepath.Join("testdata", source+"."+file)
			got, err := content()
			if err != nil {
				t.Errorf("%s: %v", golden, err)
				continue
			}
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs: read the diff after go test ./alerting -update\n%s", golden, firstDifference(string(got), string(want)))
			}
			if again, err := content(); err != nil || !bytes.Equal(got, again) {
				t.Errorf("%s is not the same a second time: %v", golden, err)
			}
		}
	}
}

func firstDifference(got, want string) string {
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i, line := range gotLines {
		if i >= len(wantLines) {
			return "got more: " + line
		}
		if line != wantLines[i] {
			return "got:  " + line + "\nwant: " + wantLines[i]
		}
	}
	return "want more: " + wantLines[len(gotLines)]
}

// What is not valid becomes no file.
func TestInvalidDomain(t *testing.T) {
	t.Parallel()
	d := domain.Domain{Prefix: "Tienda"}
	for name, generate := range map[string]func() ([]byte, error){
		"rules":        func() ([]byte, error) { return RuleFile(d, Options{}) },
		"rule tests":   func() ([]byte, error) { return RuleTests(d, Options{}, "x.yaml") },
		"alertmanager": func() ([]byte, error) { return AlertmanagerFile(d, Options{}) },
	} {
		if content, err := generate(); err == nil || content != nil || !strings.Contains(err.Error(), "prefix") {
			t.Errorf("%s: %q, %v", name, content, err)
		}
	}
}
