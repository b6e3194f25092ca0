package embedded

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
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

// TestWrongCostsItself has one wrong rule or receiver beside one that is right:
// the right one fires and tells, the wrong one is named in the log with its
// reason, and counted.
func TestWrongCostsItself(t *testing.T) {
	t.Parallel()
	expr := func(expr string) func(*domain.Domain, *Config) {
		return func(d *domain.Domain, _ *Config) {
			d.Thresholds = append([]domain.Threshold{{Name: "Wrong", Expr: expr}}, d.Thresholds...)
		}
	}
	other := func(kind string, options map[string]any) func(*domain.Domain, *Config) {
		return func(d *domain.Domain, _ *Config) {
			d.Notify = append([]domain.Receiver{{Other: map[string]map[string]any{kind: options}}}, d.Notify...)
		}
	}
	ruleFile := func(text string) func(*domain.Domain, *Config) {
		return func(_ *domain.Domain, c *Config) {
			c.RuleFile = filepath.Join(t.TempDir(), "rules.yaml")
			if err := os.WriteFile(c.RuleFile, []byte("groups:\n- name: right\n  rules: [{alert: TooHigh, expr: levels_level > 5}]\n"+text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	const rule, receiver = `telemetry_store_faults_total{reason="rule"} `, `telemetry_alert_deliveries_total{outcome="failed"`
	for name, c := range map[string]struct {
		change  func(*domain.Domain, *Config)
		says    []string
		counted string
	}{
		"an expression that does not parse": {expr("sum("), []string{"rule=Wrong", "unclosed"}, rule},
		"a function that is none":           {expr("totals(levels_level)"), []string{"rule=Wrong", "unknown function"}, rule},
		"a regular expression":              {expr(`levels_level{a=~"("} > 1`), []string{"rule=Wrong", "missing closing"}, rule},
		"types that do not fit":             {expr(`rate(levels_level) > 1`), []string{"rule=Wrong", "range vector"}, rule},
		"a metric that does not exist":      {expr("levels_levl > 5"), []string{"rule=Wrong", "did you mean levels_level"}, rule},
		"a file: a template":                {ruleFile("- name: g\n  rules: [{alert: Wrong, expr: levels_level > 5, annotations: {summary: '{{ if }}'}}]\n"), []string{"rule=Wrong", "template"}, rule},
		"a file: a field":                   {ruleFile("- name: g\n  rules: [{alert: Wrong, exprs: a}]\n"), []string{"rule=Wrong", "exprs"}, rule},
		"a file: a duration":                {ruleFile("- name: g\n  rules: [{alert: Wrong, expr: up, for: soon}]\n"), []string{"rule=Wrong", "soon"}, rule},
		"a file: a group's name":            {ruleFile("- name: right\n  rules: [{alert: Wrong, expr: up}]\n"), []string{"rule=right", "repeated"}, rule},
		"a file: no rules":                  {ruleFile("- name: Wrong\n  rules: none\n"), []string{"rule=Wrong"}, rule},
		"a file: built on a record":         {ruleFile("- name: g\n  rules: [{record: 'levels:x', expr: 'sum('}, {alert: Wrong, expr: 'levels:x > 1'}]\n"), []string{"rule=levels:x", "rule=Wrong"}, rule},
		"an option that is none":            {other("discord", map[string]any{"webhook": "http://h/x"}), []string{"receiver=discord", "field webhook not found"}, receiver},
		"an option's type":                  {other("telegram", map[string]any{"chat_id": "@canal", "bot_token_file": "/x"}), []string{"receiver=telegram", "@canal"}, receiver},
		"an action without function": {func(d *domain.Domain, _ *Config) {
			d.Notify = append(d.Notify, domain.Receiver{Action: &domain.ActionReceiver{Name: "tel"}})
		}, []string{"receiver=action/tel", "no function"}, receiver},
		"a secret that is not there": {func(d *domain.Domain, _ *Config) {
			d.Notify = append(d.Notify, domain.Receiver{Webhook: &domain.WebhookReceiver{URLFile: filepath.Join(t.TempDir(), "none")}})
		}, []string{"receiver=webhook", "no such file"}, receiver},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := make(chan Alert, 10)
			d, cfg := levelDomain(), Config{Memory: true, Fast: true, Actions: map[string]Action{
				"tell": func(_ context.Context, a Alert) error { told <- a; return nil },
			}}
			c.change(&d, &cfg)
			log := &lines{}
			tel, err := telemetry.Init(t.Context(), telemetry.Config{
				Domain: d, KeepGlobals: true, Logger: slog.New(slog.NewTextHandler(log, nil)),
				Admin: telemetry.AdminConfig{Address: "127.0.0.1:0"}, Profiling: continuous.Config{Disabled: true},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tel.Shutdown(context.Background()) }()
			e, err := Start(t.Context(), tel, cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = e.Stop(context.Background()) }()
			tel.UpDown("level").With().Add(10)
			if a := receive(t, told); a.Name() != "TooHigh" && a.Name() != "Wrong" {
				t.Errorf("told of %s", a.Name())
			}
			eventually(t, "the wrong one is counted", func() bool {
				for line := range strings.Lines(ask(t, tel.Admin().URL()+"/metrics")) {
					if strings.Contains(line, c.counted) && !strings.HasSuffix(line, " 0\n") {
						return true
					}
				}
				return false
			})
			for _, want := range c.says {
				if !strings.Contains(log.String(), want) {
					t.Errorf("nothing says %q:\n%s", want, log)
				}
			}
		})
	}
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
	log := &lines{}
	tel, err := telemetry.Init(t.Context(), telemetry.Config{
		Domain: d, KeepGlobals: true, Logger: slog.New(slog.NewTextHandler(log, nil)),
		Admin: telemetry.AdminConfig{Address: "127.0.0.1:0"}, Profiling: continuous.Config{Disabled: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tel.Shutdown(context.Background()) }()
	e, err := Start(t.Context(), tel, Config{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Stop(context.Background()) }()
	out := log.String()
	if !strings.Contains(out, "LATIDO_TEST_NO_SUCH_VARIABLE") || !strings.Contains(out, missing) || strings.Contains(out, there) {
		t.Errorf("the log:\n%s", out)
	}
}
