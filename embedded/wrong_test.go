package embedded

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/telemetry"
)

// lines is a log that is read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// wrong is a rule or a receiver that is wrong.
type wrong struct {
	what   string
	change func(*domain.Domain, *Config)
	says   []string // on one line of the log
}

const (
	wrongRules     = `telemetry_store_faults_total{reason="rule"} `
	wrongReceivers = `telemetry_alert_deliveries_total{outcome="failed"`
)

// hasLine tells whether a line has all of some texts in it.
func (l *lines) hasLine(texts ...string) bool {
	for line := range strings.Lines(l.String()) {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			return true
		}
	}
	return false
}

// TestWrongCostsItself has wrong rules or receivers beside a rule and a receiver
// that are right: those fire and tell, and each of the wrong ones is named in the
// log with its reason, and counted. As each costs itself and no other, all of a
// kind are wrong in one service.
func TestWrongCostsItself(t *testing.T) {
	t.Parallel()
	expr := func(name, expr string) func(*domain.Domain, *Config) {
		return func(d *domain.Domain, _ *Config) {
			d.Thresholds = append([]domain.Threshold{{Name: name, Expr: expr}}, d.Thresholds...)
		}
	}
	other := func(kind string, options map[string]any) func(*domain.Domain, *Config) {
		return func(d *domain.Domain, _ *Config) {
			d.Notify = append([]domain.Receiver{{Other: map[string]map[string]any{kind: options}}}, d.Notify...)
		}
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	inFile := func(group string) func(*domain.Domain, *Config) {
		return func(_ *domain.Domain, c *Config) {
			text, err := os.ReadFile(c.RuleFile)
			if c.RuleFile == "" {
				c.RuleFile, text, err = file, []byte("groups:\n- name: right\n  rules: [{alert: TooHigh, expr: levels_level > 5}]\n"), nil
			}
			if err == nil {
				err = os.WriteFile(c.RuleFile, append(text, group...), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	missing := filepath.Join(t.TempDir(), "none")
	expressions := []wrong{
		{"an expression that does not parse", expr("Open", "sum("), []string{"rule=Open", "unclosed"}},
		{"a function that is none", expr("Function", "totals(levels_level)"), []string{"rule=Function", "unknown function"}},
		{"a regular expression", expr("Pattern", `levels_level{a=~"("} > 1`), []string{"rule=Pattern", "missing closing"}},
		{"types that do not fit", expr("Types", `rate(levels_level) > 1`), []string{"rule=Types", "range vector"}},
		{"a metric that does not exist", expr("Metric", "levels_levl > 5"), []string{"rule=Metric", "did you mean levels_level"}},
	}
	ofFile := []wrong{
		{"a template", inFile("- name: a\n  rules: [{alert: Template, expr: levels_level > 5, annotations: {summary: '{{ if }}'}}]\n"), []string{"rule=Template", "template"}},
		{"a field", inFile("- name: b\n  rules: [{alert: Field, exprs: a}]\n"), []string{"rule=Field", "exprs"}},
		{"a duration", inFile("- name: c\n  rules: [{alert: Duration, expr: up, for: soon}]\n"), []string{"rule=Duration", "soon"}},
		{"a group's name", inFile("- name: right\n  rules: [{alert: Twice, expr: up}]\n"), []string{"rule=right", "repeated"}},
		{"no rules", inFile("- name: None\n  rules: none\n"), []string{"rule=None"}},
		{"a record", inFile("- name: d\n  rules: [{record: 'levels:x', expr: 'sum('}]\n"), []string{"rule=levels:x", "unclosed"}},
		{"what is built on it", inFile("- name: e\n  rules: [{alert: Built, expr: 'levels:x > 1'}]\n"), []string{"rule=Built", "levels:x"}},
	}
	receivers := []wrong{
		{"an option that is none", other("discord", map[string]any{"webhook": "http://h/x"}), []string{"receiver=discord", "field webhook not found"}},
		{"an option's type", other("telegram", map[string]any{"chat_id": "@canal", "bot_token_file": "/x"}), []string{"receiver=telegram", "@canal"}},
		{"an action without function", func(d *domain.Domain, _ *Config) {
			d.Notify = append(d.Notify, domain.Receiver{Action: &domain.ActionReceiver{Name: "tel"}})
		}, []string{"receiver=action/tel", "no function"}},
		{"a secret that is not there", func(d *domain.Domain, _ *Config) {
			d.Notify = append(d.Notify, domain.Receiver{Webhook: &domain.WebhookReceiver{URLFile: missing}})
		}, []string{"receiver=webhook", "no such file"}},
	}
	t.Run("expressions", func(t *testing.T) {
		t.Parallel()
		wrongCostsItself(t, expressions, func(line string) bool { return strings.HasSuffix(line, wrongRules+"5\n") })
	})
	t.Run("a file", func(t *testing.T) {
		t.Parallel()
		wrongCostsItself(t, ofFile, func(line string) bool { return strings.HasSuffix(line, wrongRules+"7\n") })
	})
	t.Run("receivers", func(t *testing.T) {
		t.Parallel()
		counted := map[string]bool{}
		wrongCostsItself(t, receivers, func(line string) bool {
			for _, r := range receivers {
				if strings.Contains(line, wrongReceivers) && strings.Contains(line, `"`+strings.TrimPrefix(r.says[0], "receiver=")+`"`) && !strings.HasSuffix(line, " 0\n") {
					counted[r.what] = true
				}
			}
			return len(counted) == len(receivers)
		})
	})
}

// wrongCostsItself starts a service with all that is wrong. counted is asked of
// each line of /metrics.
func wrongCostsItself(t *testing.T, all []wrong, counted func(line string) bool) {
	told := make(chan Alert, 10)
	d, cfg := levelDomain(), Config{Memory: true, Fast: true, Actions: map[string]Action{
		"tell": func(_ context.Context, a Alert) error { told <- a; return nil },
	}}
	for _, w := range all {
		w.change(&d, &cfg)
	}
	tel, log := logged(t, d, cfg)
	tel.UpDown("level").With().Add(10)
	if a := receive(t, told); a.Name() != "TooHigh" {
		t.Errorf("told of %s", a.Name())
	}
	eventually(t, "each of the wrong ones is counted", func() bool {
		for line := range strings.Lines(ask(t, tel.Admin().URL()+"/metrics")) {
			if counted(line) {
				return true
			}
		}
		return false
	})
	for _, w := range all {
		if !log.hasLine(w.says...) {
			t.Errorf("%s: nothing says %q:\n%s", w.what, w.says, log)
		}
	}
}

// logged starts a service without profiles, whose log can be read.
func logged(t *testing.T, d domain.Domain, cfg Config) (*telemetry.Telemetry, *lines) {
	t.Helper()
	log := &lines{}
	tel, err := telemetry.Init(t.Context(), telemetry.Config{
		Domain: d, KeepGlobals: true, Logger: slog.New(slog.NewTextHandler(log, nil)),
		Admin: telemetry.AdminConfig{Address: "127.0.0.1:0"}, Profiling: continuous.Config{Disabled: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	e, err := Start(t.Context(), tel, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Stop(context.Background()) })
	return tel, log
}

func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.After(3 * time.Minute)
	for tick := time.Tick(50 * time.Millisecond); !so(); {
		select {
		case <-tick:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// TestUnmadeRules has thresholds of which no rule can be made, by whatever
// means they came into a domain: the others are made.
func TestUnmadeRules(t *testing.T) {
	d := levelDomain()
	above := domain.Quantity(1)
	d.Thresholds = append(d.Thresholds, domain.Threshold{Name: "Nothing", Metric: "nothing", Above: &above}, domain.Threshold{Name: "Both", Event: "level", Expr: "x"})
	d.SLOs = []domain.SLO{{Name: "empty"}}
	set, err := newRuleSet(d, Config{}, alerting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(set.rules) != 1 || set.rules[0].Alert != "TooHigh" || len(set.leftOut) != 3 {
		t.Errorf("rules %v, left out %v", set.rules, set.leftOut)
	}
	if err := recovered(func() error { panic("of a builder") }); err == nil || !strings.Contains(err.Error(), "of a builder") {
		t.Errorf("a panic is the error %v", err)
	}
}

// TestObjectiveOfHours has an objective of a month where samples are kept for six
// hours: what needs more is not evaluated, and that is said.
func TestObjectiveOfHours(t *testing.T) {
	t.Parallel()
	d := levelDomain()
	d.SLOs = []domain.SLO{{Name: "Available", Objective: 99.9, Good: domain.Good{Status: "!~5.."}}}
	for kept, want := range map[time.Duration]int{6 * time.Hour: 1, 31 * 24 * time.Hour: 0} {
		set, err := newRuleSet(d, Config{}, alerting.Options{Retention: kept})
		if err != nil {
			t.Fatal(err)
		}
		if budget := bytes.Contains(set.file, []byte("slo_budget_left")); len(set.notKept) != want || budget != (want == 0) {
			t.Errorf("kept for %v: left out of %v, a budget %t", kept, set.notKept, budget)
		}
	}
}

// TestSecretsMissingAtStart: a receiver without its secret is named in the log
// when the service starts, whether a variable or a file should have it, and not
// only when the first alert is lost.
func TestSecretsMissingAtStart(t *testing.T) {
	t.Parallel()
	there, missing := filepath.Join(t.TempDir(), "there"), filepath.Join(t.TempDir(), "missing")
	if err := os.WriteFile(there, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := domain.Domain{Prefix: "levels", Entity: "level", Notify: []domain.Receiver{
		{Webhook: &domain.WebhookReceiver{URLEnv: "LATIDO_TEST_NO_SUCH_VARIABLE"}},
		{Slack: &domain.SlackReceiver{Channel: "#x", URLFile: there}},
		{Other: map[string]map[string]any{"pagerduty": {"routing_key_file": missing}}},
	}}
	_, log := logged(t, d, Config{Memory: true})
	out := log.String()
	if !strings.Contains(out, "LATIDO_TEST_NO_SUCH_VARIABLE") || !strings.Contains(out, missing) || strings.Contains(out, there) {
		t.Errorf("the log:\n%s", out)
	}
}
