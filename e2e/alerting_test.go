package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/e2e/servers"
)

// The files that come from the example's domain.
var (
	exampleDomain = filepath.Join(repository, "examples", "echo-api", "domain.yaml")
	exampleRules  = filepath.Join(repository, "deploy", "prometheus", "rules", "tienda.rules.yaml")
	exampleTests  = filepath.Join(repository, "deploy", "prometheus", "rules", "tienda.rules.test.yaml")
	exampleConfig = filepath.Join(repository, "deploy", "alertmanager", "alertmanager.yaml")
)

// TestAlertingFiles has the projects' own tools read the committed files.
func TestAlertingFiles(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"check", "rules", "--lint=all", "--lint-fatal", exampleRules},
		{"test", "rules", exampleTests},
	} {
		if out, err := servers.Promtool(t, "", args...); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	if out, err := servers.Amtool(t, "", "check-config", exampleConfig); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestAlertingGolden does the same with what every other domain of the tests
// becomes, in either pace: each has rules of another kind.
func TestAlertingGolden(t *testing.T) {
	t.Parallel()
	var domains []string
	for _, pattern := range []string{"domain/testdata/*.good.yaml", "dashboards/testdata/*.yaml"} {
		found, err := filepath.Glob(filepath.Join(repository, filepath.FromSlash(pattern)))
		if err != nil || len(found) < 2 {
			t.Fatalf("%s: %d domains, %v", pattern, len(found), err)
		}
		domains = append(domains, found...)
	}
	for _, source := range domains {
		for _, o := range []alerting.Options{{}, {Fast: true, EvidenceURL: "http://tienda:9464", RunbookURL: "https://wiki.example.com/runbook"}} {
			t.Run(fmt.Sprintf("%s fast=%v", filepath.Base(source), o.Fast), func(t *testing.T) {
				t.Parallel()
				d := loadDomain(t, source)
				dir := t.TempDir()
				rules, tests, config := filepath.Join(dir, "p.rules.yaml"), filepath.Join(dir, "p.rules.test.yaml"), filepath.Join(dir, "alertmanager.yaml")
				write(t, rules, must(alerting.RuleFile(d, o))(t))
				write(t, tests, must(alerting.RuleTests(d, o, "p.rules.yaml"))(t))
				write(t, config, must(alerting.AlertmanagerFile(d, o))(t))
				write(t, filepath.Join(dir, alerting.TemplatesName), alerting.Templates(d, o))
				for _, args := range [][]string{{"check", "rules", rules}, {"test", "rules", tests}} {
					if out, err := servers.Promtool(t, "", args...); err != nil {
						t.Errorf("%v\n%s", err, out)
					}
				}
				if out, err := servers.Amtool(t, "", "check-config", config); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}

// limit is a number that something is compared with in an expression, and
// waiting how long it must hold.
var (
	limit   = regexp.MustCompile(`(>=|<=|>|<|==) (\d+(?:\.\d+)?)`)
	waiting = regexp.MustCompile(`(?m)^        for: .*\n`)
)

// TestAlertingThresholds changes each threshold of the example's rules by hand,
// up and down, and expects the rule's own unit tests to fail. In a round every
// rule has one change.
func TestAlertingThresholds(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(exampleRules)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile(exampleTests)
	if err != nil {
		t.Fatal(err)
	}
	type change struct{ rule, name, edited, what string }
	var rounds [][]change
	for _, rule := range strings.Split(string(text), "      - ")[1:] {
		name, ok := strings.CutPrefix(strings.SplitN(rule, "\n", 2)[0], "alert: ")
		if !ok {
			continue // it records
		}
		expr, _, _ := strings.Cut(rule, "        labels:")
		round := 0
		for where, e := range edits(expr) {
			if round == len(rounds) {
				rounds = append(rounds, nil)
			}
			rounds[round] = append(rounds[round], change{rule, name, rule[:where] + e.text + rule[where+len(e.was):], e.name})
			round++
		}
	}
	changed := 0
	for i, round := range rounds {
		changed += len(round)
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			dir, edited, names := t.TempDir(), string(text), []string{}
			for _, c := range round {
				edited = strings.Replace(edited, c.rule, c.edited, 1)
				names = append(names, c.name)
			}
			write(t, filepath.Join(dir, "tienda.rules.yaml"), []byte(edited))
			write(t, filepath.Join(dir, "tests.yaml"), tests)
			out, err := servers.Promtool(t, "", "test", "rules", "--run", "^("+strings.Join(names, "|")+"):", filepath.Join(dir, "tests.yaml"))
			if err == nil {
				t.Errorf("promtool finds nothing wrong:\n%s", out)
			}
			for _, c := range round {
				if !strings.Contains(out, "name: "+c.name+": ") {
					t.Errorf("%s, %s: no test of it fails", c.name, c.what)
				}
			}
		})
	}
	if changed < 60 {
		t.Errorf("only %d changes were tried", changed)
	}
	t.Logf("%d changes in %d rounds", changed, len(rounds))
}

// edit is one change by hand.
type edit struct{ name, was, text string }

// edits yields the changes of an expression, by where they are. A limit of 0
// inside the expression keeps out what has no traffic, and is no threshold.
func edits(expr string) func(yield func(int, edit) bool) {
	return func(yield func(int, edit) bool) {
		for _, m := range limit.FindAllStringSubmatchIndex(expr, -1) {
			op, was := expr[m[2]:m[3]], expr[m[4]:m[5]]
			v, _ := strconv.ParseFloat(was, 64)
			if v == 0 && strings.ContainsAny(expr[m[5]:m[5]+1], ")") {
				continue
			}
			for _, to := range []float64{v*1.3 + 3*zero(v), v*0.7 - zero(v)} {
				text := strconv.FormatFloat(to, 'f', -1, 64)
				if !yield(m[4], edit{op + " " + was + " to " + text, was, text}) {
					return
				}
			}
		}
		for _, m := range waiting.FindAllStringIndex(expr, -1) {
			was := expr[m[0]:m[1]]
			if !yield(m[0], edit{"at once", was, ""}) || !yield(m[0], edit{"for longer", was, "        for: 3h\n"}) {
				return
			}
		}
	}
}

// zero is 1 for 0, which no factor changes.
func zero(v float64) float64 {
	if v == 0 {
		return 1
	}
	return 0
}

// TestAlertingMessages has amtool render the messages of alerts with hostile
// texts: nothing of theirs is markup, and a subject has one line.
func TestAlertingMessages(t *testing.T) {
	t.Parallel()
	templates := filepath.Join(filepath.Dir(exampleConfig), alerting.TemplatesName)
	alert := `{"status":"firing","startsAt":"2026-01-02T03:04:05Z","labels":{"alertname":"RespuestaLenta","severity":"page","endpoint":"/<script>alert(%d)</script>"},
		"annotations":{"description":"<img src=x>","cause":"espera & más","hot_1":"40 %% | ×8 | main.<b>\"f\" | a.go:3","waits_1":"90 %% | IO | db.Query | b.go:7","incident":"javascript:alert(1)"}}`
	var alerts []string
	for i := range 12 {
		alerts = append(alerts, fmt.Sprintf(alert, i))
	}
	data := filepath.Join(t.TempDir(), "data.json")
	write(t, data, []byte(`{"status":"firing","alerts":[`+strings.Join(alerts, ",")+`],"groupLabels":{"alertname":"RespuestaLenta"},"commonLabels":{"job":"tienda-api"},"commonAnnotations":{"summary":"Lento"}}`))
	render := func(kind, name string) string {
		out, err := servers.Amtool(t, "", "template", "render", "--template.type="+kind, "--template.glob="+templates, "--template.data="+data, `--template.text={{ template "`+name+`" . }}`)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.TrimSuffix(out, "\n")
	}
	if got, want := render("text", "latido.subject"), "[ALERTA (12)] Lento · tienda-api"; got != want {
		t.Errorf("subject %q, want %q", got, want)
	}
	text := render("text", "latido.text")
	for _, want := range []string{"Causa probable: espera & más", `    40 % | ×8 | main.<b>"f" | a.go:3`, "    90 % | IO | db.Query | b.go:7", "Y además: 2"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the text:\n%s", want, text)
		}
	}
	if n := strings.Count(text, "ALERTA: RespuestaLenta"); n != 10 {
		t.Errorf("%d alerts are shown, want 10", n)
	}
	html := render("html", "latido.html")
	for _, want := range []string{"main.&lt;b&gt;&#34;f&#34;</td>", "<b>Causa probable:</b> espera &amp; más", "/&lt;script&gt;", ">porcentaje</th>"} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q in the page:\n%s", want, html)
		}
	}
	for _, harm := range []string{"<script", "<img", "main.<b>", `href="javascript:`} {
		if strings.Contains(html, harm) {
			t.Errorf("%q came through:\n%s", harm, html)
		}
	}
}

func loadDomain(t testing.TB, file string) domain.Domain {
	t.Helper()
	d, err := domain.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func write(t testing.TB, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// must takes what a generator returns.
func must(content []byte, err error) func(testing.TB) []byte {
	return func(t testing.TB) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
}
