package embedded

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/telemetry"
)

// levelDomain has an event whose level is too high above 5, and tells an
// action of it.
func levelDomain() domain.Domain {
	above := domain.Quantity(5)
	return domain.Domain{
		Prefix: "levels", Entity: "level",
		Events: []domain.Event{{Name: "level", Kind: domain.KindUpDown}},
		Thresholds: []domain.Threshold{{
			Name: "TooHigh", Event: "level", Above: &above, For: domain.Duration(time.Second), Severity: domain.SeverityPage,
		}},
		DefaultRules: domain.DefaultRules{Disable: []string{"all"}},
		Notify:       []domain.Receiver{{Action: &domain.ActionReceiver{Name: "tell"}}},
	}
}

// started starts telemetry and embedded for a domain, and stops both at the
// end of the test.
func started(t *testing.T, d domain.Domain, cfg Config) (*telemetry.Telemetry, *Embedded) {
	t.Helper()
	tel, err := telemetry.Init(t.Context(), telemetry.Config{
		Domain: d, KeepGlobals: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Admin: telemetry.AdminConfig{Address: "127.0.0.1:0"}, Profiling: continuous.Config{Interval: 200 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tel.Shutdown(context.Background()) })
	cfg.Fast = true
	if cfg.Dir == "" {
		cfg.Memory = true
	}
	e, err := Start(t.Context(), tel, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tel, e
}

// An alert goes from the rule, past the evidence, to a Go function; and is
// resolved.
func TestAlert(t *testing.T) {
	t.Parallel()
	told := make(chan Alert, 10)
	tel, e := started(t, levelDomain(), Config{Actions: map[string]Action{
		"tell": func(_ context.Context, a Alert) error { told <- a; return nil },
	}})
	tel.UpDown("level").With().Add(10)
	a := receive(t, told)
	if a.Name() != "TooHigh" || a.Resolved() || a.Labels["severity"] != "page" || a.Labels["domain"] != "levels" || a.Value != 10 {
		t.Errorf("told of %+v", a)
	}
	if !strings.Contains(a.Annotations["incident"], "/incidents/") {
		t.Errorf("no incident: %v", a.Annotations)
	}
	answer := ask(t, tel.Admin().URL()+"/api/v1/query?query=levels_level")
	if !strings.Contains(answer, `"10"`) {
		t.Errorf("the store answers %s", answer)
	}
	if answer := ask(t, tel.Admin().URL()+"/api/v2/alerts"); !strings.Contains(answer, `"TooHigh"`) {
		t.Errorf("the Alertmanager answers %s", answer)
	}
	var kept struct {
		Incidents []struct{ ID, Name string }
	}
	eventually(t, "the incident is kept", func() bool { // which is not waited for
		err := json.Unmarshal([]byte(ask(t, tel.Admin().URL()+"/api/incidents")), &kept)
		return err == nil && len(kept.Incidents) == 1 && kept.Incidents[0].Name == "TooHigh"
	})

	tel.UpDown("level").With().Add(-10)
	if a := receive(t, told); a.Name() != "TooHigh" || !a.Resolved() {
		t.Errorf("told of %+v, want that it is resolved", a)
	}
	if err := e.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	response, err := http.Get(tel.Admin().URL() + "/api/v1/query?query=up")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("after Stop the store answers %s", response.Status)
	}
}

func receive(t *testing.T, told <-chan Alert) Alert {
	t.Helper()
	select {
	case a := <-told:
		return a
	case <-time.After(3 * time.Minute):
		t.Fatal("nobody was told within 3 minutes")
		return Alert{}
	}
}

func ask(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body := readAll(t, response.Body)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s: %.500s", url, response.Status, body)
	}
	return body
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestWrongConfig(t *testing.T) {
	tel, err := telemetry.Init(t.Context(), telemetry.Config{Domain: levelDomain(), KeepGlobals: true, Admin: telemetry.AdminConfig{Disabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer tel.Shutdown(context.Background())
	for want, cfg := range map[string]Config{
		"Retention -1s":       {Retention: -time.Second},
		"MaxBytes -1":         {MaxBytes: -1},
		"has no meaning with": {Memory: true, Dir: "x"},
		"no such file":        {Memory: true, RuleFile: "nowhere.yaml"},
	} {
		e, err := Start(t.Context(), tel, cfg)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %s", cfg, err, want)
		}
		if err := e.Stop(t.Context()); err != nil { // one that does nothing
			t.Error(err)
		}
	}
}

// Where nothing is recorded nothing is started.
func TestOff(t *testing.T) {
	var off telemetry.Telemetry
	e, err := Start(t.Context(), &off, Config{})
	if err != nil || e == nil {
		t.Fatal(e, err)
	}
	if err := e.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
