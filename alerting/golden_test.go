package alerting

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/testkit"
)

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
			testkit.Golden(t, golden, got)
			if again, err := content(); err != nil || !bytes.Equal(got, again) {
				t.Errorf("%s is not the same a second time: %v", golden, err)
			}
		}
	}
}

// TestGoldenTrials holds the series that are made up to try rules on, of
// thresholds of every kind and objectives of all three.
func TestGoldenTrials(t *testing.T) {
	t.Parallel()
	d, err := domain.Load(filepath.Join("..", "domain", "testdata", "full.good.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := RuleTests(d, Options{}, "full.rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	testkit.Golden(t, "testdata/full.rules.test.yaml", got)
}

// TestGoldenDefaults holds the rules that every domain gets, with their trials:
// each figure in them is a decision.
func TestGoldenDefaults(t *testing.T) {
	t.Parallel()
	d := domain.Domain{Prefix: "tienda", App: "tienda-api", Entity: "pedido", Language: "es", Notify: []domain.Receiver{{Webhook: &domain.WebhookReceiver{URL: "https://example.com/"}}}}
	for file, content := range map[string]func() ([]byte, error){
		"rules.yaml":        func() ([]byte, error) { return RuleFile(d, Options{}) },
		"rules.test.yaml":   func() ([]byte, error) { return RuleTests(d, Options{}, "defaults.rules.yaml") },
		"alertmanager.yaml": func() ([]byte, error) { return AlertmanagerFile(d, Options{}) },
	} {
		got, err := content()
		if err != nil {
			t.Fatal(err)
		}
		testkit.Golden(t, "testdata/defaults."+file, got)
	}
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
		content, err := generate()
		if content != nil {
			t.Errorf("%s: %q", name, content)
		}
		testkit.Error(t, err, "prefix")
	}
}
