package scaffold

import (
	"bytes"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/testkit"
)

// root is the checkout.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// start runs init with an input, and downloads nothing.
func start(s starter, stdin string, args ...string) (string, error) {
	var out bytes.Buffer
	if s.tidy == nil {
		s.tidy = func(string) error { return nil }
	}
	if s.from == (origin{}) {
		s.from = origin{version: "v1.2.3"}
	}
	cmd := s.command()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	for i, arg := range args {
		if strings.HasPrefix(arg, "-") { // as cli.Run does
			args[i] = "-" + arg
		}
	}
	cmd.SetArgs(args)
	err := cmd.Execute()
	return out.String(), err
}

// TestInitTemplates makes a service of every kind in each language: the check
// finds nothing, and a second run changes nothing.
func TestInitTemplates(t *testing.T) {
	for _, kind := range kinds {
		for _, language := range domain.Languages() {
			t.Run(kind+" "+language, func(t *testing.T) {
				dir := t.TempDir()
				out, err := start(starter{}, "", "-kind", kind, "-language", language, "-dir", dir)
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				d, err := domain.Load(filepath.Join(dir, cli.DomainFile))
				if err != nil {
					t.Fatal(err)
				}
				wellMade(t, d, language)
				t.Chdir(dir)
				if code, stdout, stderr := latido("check"); code != 0 || strings.Contains(stdout, "skip") {
					t.Errorf("check: exit %d\n%s%s", code, stdout, stderr)
				}
				if !strings.Contains(out, map[string]string{"en": "Nobody hears of alerts yet: write ALERT_WEBHOOK (", "es": "Nadie recibe las alertas todavía: escriba ALERT_WEBHOOK ("}[language]) {
					t.Errorf("that nobody hears is not said:\n%s", out)
				}
				before := clitest.Contents(t, dir)
				for _, name := range []string{"main.go", "routes.go", "go.mod", "events/events_gen.go", "docs/runbook.md"} {
					if before[name] == "" {
						t.Errorf("no %s", name)
					}
				}
				if kind != kinds[0] { // a second run is the same for all
					return
				}
				if out, err = start(starter{}, "", "-kind", kind, "-language", language); err != nil || strings.Contains(out, "written  ") {
					t.Errorf("a second run: %v\n%s", err, out)
				}
				for name, text := range clitest.Contents(t, dir) {
					if text != before[name] {
						t.Errorf("a second run changes %s", name)
					}
				}
			})
		}
	}
}

// wellMade checks what every template has.
func wellMade(t *testing.T, d domain.Domain, language string) {
	t.Helper()
	if d.Language != language || d.Description == "" || len(d.Errors) == 0 || len(d.Notify) != 2 || d.Notify[0].Log == nil || d.Notify[1].Webhook == nil {
		t.Errorf("language %q, description %q, errors %v, notify %v", d.Language, d.Description, d.Errors, d.Notify)
	}
	if n := len(d.Events); n < 4 || n > 7 {
		t.Errorf("%d events", n)
	}
	have := map[domain.Kind]bool{}
	for _, e := range d.Events {
		have[e.Kind] = true
		if e.Description == "" || e.Kind == domain.KindHistogram && len(e.Buckets) == 0 {
			t.Errorf("event %s has no description or no buckets", e.Name)
		}
	}
	if !have[""] || !have[domain.KindUpDown] || !have[domain.KindHistogram] {
		t.Errorf("kinds of events: %v", have)
	}
	heartbeat := false
	for _, r := range d.Thresholds {
		if r.Summary == "" || r.Impact == "" || len(r.Runbook) < 2 || r.Severity == "" {
			t.Errorf("threshold %s lacks a summary, an impact, steps or a severity", r.Name)
		}
		heartbeat = heartbeat || r.Event != "" && r.Stat == domain.StatIncrease && r.Below != nil && *r.Below == 1 && r.Severity == domain.SeverityPage
	}
	if !heartbeat {
		t.Error("no threshold says that business has stopped")
	}
	if n := len(d.SLOs); n < 1 || n > 2 {
		t.Errorf("%d SLOs", n)
	}
}

func TestInitNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out, err := start(starter{}, "", "-kind", "e-commerce", "-prefix", "ventas", "-entity", "luz", "-dir", dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	d, err := domain.Load(filepath.Join(dir, cli.DomainFile))
	if err != nil {
		t.Fatal(err)
	}
	if d.Prefix != "ventas" || d.App != "ventas-api" || d.Entity != "luz" || d.Events[0].Endpoint != "POST /luces" || d.SLOs[1].Where["endpoint"] != "=~/luces.*|/carritos.*|/pagos" {
		t.Errorf("%q %q %q %q %v", d.Prefix, d.App, d.Entity, d.Events[0].Endpoint, d.SLOs[1].Where)
	}
	dir = t.TempDir()
	if out, err = start(starter{}, "", "-kind", "saas", "-prefix", "otra", "-app", "Otra.App", "-entity", "true", "-language", "en", "-dir", dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if d, err = domain.Load(filepath.Join(dir, cli.DomainFile)); err != nil || d.Prefix != "otra" || d.App != "Otra.App" || d.Entity != "true" {
		t.Errorf("%v, %q %q %q", err, d.Prefix, d.App, d.Entity)
	}
}

// TestPlural knows the regular ones.
func TestPlural(t *testing.T) {
	t.Parallel()
	for words, language := range map[string]string{
		"pedido pedidos, luz luces, camion camiones, mes mes, unidad unidades":                       "es",
		"order orders, delivery deliveries, day days, box boxes, branch branches, address addresses": "en",
	} {
		for _, pair := range strings.Split(words, ", ") {
			one, many, _ := strings.Cut(pair, " ")
			if got := plural(one, language); got != many {
				t.Errorf("%s: %s, want %s", one, got, many)
			}
		}
	}
}

func TestInitCalls(t *testing.T) {
	for _, c := range []struct{ args, stderr string }{
		{"", "say the kind of business: -kind ecommerce"},
		{"-kind ecomerce", `did you mean "ecommerce"?`},
		{"-kind zoo", "write one of ecommerce, education"},
		{"-kind saas -prefix educación", `-prefix: "educación" may only have a-z, 0-9 and _ between them, and starts with a letter (did you mean "educacion"?)`},
		{"-kind saas -prefix tu_prefijo", "placeholder"},
		{"-kind saas -entity Cuenta", `-entity: "Cuenta" may only have`},
		{"-kind saas -app 1x", "-app: "},
		{"-kind saas -language fr", "write es or en"},
		{"-kind saas -notify ana", "-notify: is neither an e-mail address nor that of a webhook"},
		{"-kind saas -notify ana@example.com -smtp mail", "-smtp: "},
		{"-kind saas -smtp mail:25", "say -notify"},
		{"-kind saas -module a//b", "write a path such as"},
		{"-kind saas -latido /nowhere", "is no checkout of Latido"},
		{"-kind saas tienda", `unexpected "tienda"`},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Chdir(t.TempDir())
			code, stdout, stderr := latido(append([]string{"init"}, strings.Fields(c.args)...)...)
			if code != cli.Wrong || !strings.Contains(stderr, c.stderr) {
				t.Errorf("exit %d\n%s%s", code, stdout, stderr)
			}
			if files := clitest.Contents(t, "."); len(files) > 0 {
				t.Errorf("written all the same: %d files", len(files))
			}
		})
	}
}

// TestInitAsks answers the questions wrong first: each is asked again, with
// what is wrong.
func TestInitAsks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out, err := start(starter{terminal: true}, "english\nen\nedukation\neducación\neducación\n\tCurso\nclase\n", "-dir", dir)
	if err == nil { // the second word is a kind, and the third a prefix with an accent
		t.Fatalf("no error at the input's end\n%s", out)
	}
	for _, want := range []string{
		"Language, idioma: es, en [", "write es or en",
		"Kind of business: ecommerce, education, health, logistics, saas [ecommerce]: ", `did you mean "education"?`,
		"Prefix, how the names of all metrics begin [academy]: ", `(did you mean "educacion"?)`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if files := clitest.Contents(t, dir); !errors.Is(err, errInputEnded) || len(files) > 0 {
		t.Errorf("%v, %d files", err, len(files))
	}

	out, err = start(starter{terminal: true}, "en\neducation\neducacion\nCurso\nclase\nana\nana@example.com\nmail.example.com\n\n", "-dir", dir)
	if err != nil || strings.Count(out, "Entity, ") != 2 || !strings.Contains(out, `did you mean "curso"?`) {
		t.Fatalf("%v\n%s", err, out)
	}
	d, err := domain.Load(filepath.Join(dir, cli.DomainFile))
	if err != nil || d.Prefix != "educacion" || d.Entity != "clase" || d.App != "educacion-api" {
		t.Errorf("%v %q %q %q", err, d.Prefix, d.Entity, d.App)
	}
	if m := d.Notify[1].Email; m == nil || m.To[0] != "ana@example.com" || m.SMTP != "smtp.example.com:587" || strings.Count(out, "Mail server, ") != 2 || strings.Count(out, "Who hears of alerts: ") != 2 {
		t.Errorf("who hears of alerts: %+v\n%s", m, out)
	}

	out, err = start(starter{terminal: true}, "\n\n\n\n\n", "-dir", t.TempDir()) // the usual ones
	if err != nil || strings.Contains(out, "mean") {
		t.Errorf("%v\n%s", err, out)
	}
	out, _ = start(starter{terminal: true}, "es\n", "-dir", t.TempDir())
	if !strings.Contains(out, "es, en [en]: Tipo de negocio: ") {
		t.Errorf("after the language was answered:\n%s", out)
	}
	out, err = start(starter{terminal: true}, "", "-kind", "saas", "-prefix", "nube", "-entity", "cuenta", "-notify", "https://hooks.example.com/x", "-dir", t.TempDir()) // nothing to ask
	if err != nil || strings.Contains(out, "[") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestInitGolden is what the user gets.
func TestInitGolden(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := start(starter{}, "", "-kind", "logistica", "-prefix", "reparto", "-entity", "paquete", "-module", "example.com/reparto", "-dir", dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files := clitest.Contents(t, dir)
	for _, name := range []string{"domain.yaml", "main.go", "routes.go", "go.mod"} {
		golden := name
		if name != cli.DomainFile {
			golden += ".txt" // so that the go command does not take it for one of ours
		}
		testkit.Golden(t, "testdata/"+golden, []byte(files[name]))
	}
	if names := slices.Sorted(maps.Keys(files)); !slices.Contains(names, "events/events_gen.go") {
		t.Error(names)
	}
}
