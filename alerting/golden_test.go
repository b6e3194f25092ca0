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
// Of one domain the series that are made up to try rules on are held too, of
// thresholds of every kind and objectives of all three; and the rules that every
// domain gets, with theirs: each figure in them is a decision.
func TestGolden(t *testing.T) {
	t.Parallel()
	server, none := Options{RunbookURL: "https://wiki.example.com/runbook", EvidenceURL: "http://service:9464/"}, Options{}
	full, shop := load(t, "full"), load(t, "shop_en")
	defaults := domain.Domain{Prefix: "tienda", App: "tienda-api", Entity: "pedido", Language: "es", Notify: []domain.Receiver{{Webhook: &domain.WebhookReceiver{URL: "https://example.com/"}}}}
	files := map[string]func() ([]byte, error){
		"full.rules.test.yaml":       func() ([]byte, error) { return RuleTests(full, none, "full.rules.yaml") },
		"defaults.rules.yaml":        func() ([]byte, error) { return RuleFile(defaults, none) },
		"defaults.rules.test.yaml":   func() ([]byte, error) { return RuleTests(defaults, none, "defaults.rules.yaml") },
		"defaults.alertmanager.yaml": func() ([]byte, error) { return AlertmanagerFile(defaults, none) },
	}
	for source, d := range map[string]domain.Domain{"full": full, "shop_en": shop} {
		files[source+".rules.yaml"] = func() ([]byte, error) { return RuleFile(d, server) }
		files[source+".fast.rules.yaml"] = func() ([]byte, error) { return RuleFile(d, Options{Fast: true}) }
		files[source+".alertmanager.yaml"] = func() ([]byte, error) { return AlertmanagerFile(d, server) }
		files[source+".latido.tmpl"] = func() ([]byte, error) { return Templates(d, server), nil }
		files[source+".runbook.md"] = func() ([]byte, error) { return Runbook(d, server), nil }
	}
	for file, content := range files {
		got, err := content()
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		testkit.Golden(t, filepath.Join("testdata", file), got)
		if again, err := content(); err != nil || !bytes.Equal(got, again) {
			t.Errorf("%s is not the same a second time: %v", file, err)
		}
	}
}

// load reads a domain of package domain's tests.
func load(t *testing.T, name string) domain.Domain {
	t.Helper()
	d, err := domain.Load(filepath.Join("..", "domain", "testdata", name+".good.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return d
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
