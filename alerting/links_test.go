package alerting

import (
	"strings"
	"testing"

	"github.com/latido-dev/latido/domain"
)

// Links in messages are addresses that people reach, or are not there: never a
// path, nor what only this machine or Alertmanager's network has.
func TestLinks(t *testing.T) {
	t.Parallel()
	d, err := domain.Load("../domain/testdata/full.good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d.Links = domain.Links{}
	for _, r := range Rules(d, Options{EvidenceURL: "http://tienda-api:9464"}) {
		for name, text := range r.Annotations {
			if name != "summary" && name != "description" {
				t.Errorf("%s has the link %s: %q, and no address that people reach is given", r.Alert, name, text)
			}
		}
	}
	if text := string(Templates(d, Options{})); strings.Contains(text, ".GeneratorURL") {
		t.Error("messages link to the query in a Prometheus that nobody gave the address of")
	}

	d.Links = domain.Links{ExternalURL: "https://tienda.example.com/", Grafana: "https://grafana.example.com", Prometheus: "https://prometheus.example.com"}
	dashboards := map[string]bool{}
	for _, r := range Rules(d, Options{RunbookURL: "https://wiki.example.com/runbook", EvidenceURL: "http://tienda-api:9464"}) {
		if r.Alert == "" || r.Source == SourceHeartbeat {
			continue
		}
		for name, want := range map[string]string{
			"runbook_url": "https://wiki.example.com/runbook#" + strings.ToLower(r.Alert),
			"incident":    "https://tienda.example.com/incidents/?alert=" + r.Alert,
			"dashboard":   "https://grafana.example.com/d/" + d.Prefix + "-",
		} {
			if got := r.Annotations[name]; !strings.HasPrefix(got, want) {
				t.Errorf("%s: the link %s is %q, want %q", r.Alert, name, got, want)
			}
		}
		dashboards[strings.TrimPrefix(r.Annotations["dashboard"], "https://grafana.example.com/d/"+d.Prefix+"-")] = true
	}
	if len(dashboards) != 4 {
		t.Errorf("alerts lead to the dashboards %v: want that of what each is about", dashboards)
	}
	if text := string(Templates(d, Options{})); !strings.Contains(text, ".GeneratorURL") {
		t.Error("messages do not link to the query")
	}
}
