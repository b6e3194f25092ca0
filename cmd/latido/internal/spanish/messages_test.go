package spanish

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// speaking are the folders of the packages whose messages reach a person by way
// of check, init and the mistakes of a domain file.
var speaking = []string{
	"../../../../domain", "../../../../internal/labelmatch", "../../../../internal/mute", "../../../../internal/ruletext", "../../../../internal/yamlpos",
	"../check", "../cli", "../expr", "../receivers", "../result", "../scaffold", "../..",
}

// prose is what reads like a sentence or a part of one.
var prose = regexp.MustCompile(`[a-z]{2,} \S|: [a-z]{2,}| [a-z]{2,}`)

// said are the texts of those packages, as formats, with a place of each.
func said(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, folder := range speaking {
		files := token.NewFileSet()
		packages, err := parser.ParseDir(files, folder, func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0) //nolint:staticcheck // no types are needed
		if err != nil {
			t.Fatal(err)
		}
		for _, pkg := range packages {
			for _, file := range pkg.Files {
				walk(file, func(n ast.Node, text string) {
					at := files.Position(n.Pos())
					name := filepath.Base(at.Filename)
					if name == "names.go" { // the help texts of metrics, which are Prometheus'
						return
					}
					for line := range strings.Lines(text) { // each is said by itself
						if line = strings.TrimSpace(line); len(strings.Split(text, "\n")) == 1 {
							line = text
						}
						if prose.MatchString(line) || line == text {
							found[line] = name + ":" + strconv.Itoa(at.Line)
						}
					}
				})
			}
		}
	}
	if len(found) < 200 {
		t.Fatalf("only %d messages were found", len(found))
	}
	return found
}

// walk gives each text of a file: a sum of texts is one, with %s where it is not
// a constant.
func walk(file *ast.File, text func(ast.Node, string)) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			if n.Tag != nil {
				ast.Inspect(n.Type, func(ast.Node) bool { return true })
				return false
			}
		case *ast.CallExpr:
			switch called := nameOf(n.Fun); called {
			case "MustCompile", "panic": // no messages
				return false
			case "meantOr":
				if last, ok := folded(n.Args[len(n.Args)-1]); ok {
					text(n, ": "+last+" %s")
				}
				return false
			case "Count":
				if what, ok := folded(n.Args[len(n.Args)-1]); ok {
					text(n, "1 "+what)
					text(n, "%d "+what+"s")
				}
				return false
			}
		case *ast.BinaryExpr, *ast.BasicLit:
			if whole, ok := folded(n.(ast.Expr)); ok {
				if prose.MatchString(whole) {
					text(n, whole)
				}
				return false
			}
		}
		return true
	})
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// folded is a text, or a sum with one in it.
func folded(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, err := strconv.Unquote(e.Value)
			return text, err == nil
		}
	case *ast.ParenExpr:
		return folded(e.X)
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return "", false
		}
		left, one := folded(e.X)
		right, two := folded(e.Y)
		if !one && !two {
			return "", false
		}
		if !one {
			left = "%s"
		}
		if !two {
			right = "%s"
		}
		return left + right, true
	}
	return "", false
}

// silent are texts that look like messages, and are none: names, commands, code,
// and parts of messages that are in the catalog as a whole.
var silent = []string{
	"unmarshal errors:", "check [FILE]", "-- Dashboard --", "-- Grafana --", "-- Mixed --", " -dir %s", " first at ", "latido report",
	"cd %s", "go mod tidy", "go work use .", "go run .", "set -a; . ./.env; set +a; go run . -demo", "latido doctor -only url", "a sample", "first notification",
	"go %s", "module %s", "require (", "tool %s", "latido fire %s", "- webhook: {url_env: %s}", "- slack: {url_env: %s, channel: \"#alerts\"}",
	"- email: {to: [%q], from: %[1]q, smtp: %q, password_env: %s}", "# Copy it to .env, which stays out of version control.", "# The service's secrets: it stays out of version control.",
	"replace (", "// A checkout, until there is a release to require.", "no verb", "problems were found",
	"%s  left     is there with other content", "go.sum  written  by go mod tidy", "d, err := domain.Load(%q)", "defer tel.Shutdown(context.Background())",
	"tel, err := telemetry.Init(ctx, telemetry.Config{Domain: d})", "%d ms", "%.0f min", "latido %s", "latido %s %s", "completion SHELL", "help [VERB]", "import URL|FILE", "diff OLD [NEW]",
	"go mod edit", "go tool pprof -http=localhost:8081 -tagroot=endpoint '%s/debug/pprof/profile?last=1m'",
	"{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}",
}

// composed are entries that the code puts together, and words too short to be
// found.
var composed = []string{
	"leave out an attribute of it, or some of its values, or some of its buckets", "is there with other content", ": the alert has %s", "by go mod tidy",
	"the event %q", "%d sections", "1 section", "%s and %d more", "nothing", "none", "text", " first at %s", "Next:", "%s, %s, %s", "%d rules", "1 rule", "%d receivers", "1 receiver", "the messages", "usage: %s", "options:",
}

// TestCatalog walks every message of the packages that speak: it is in the
// catalog, with the same arguments in Spanish, and the catalog has no other.
func TestCatalog(t *testing.T) {
	t.Parallel()
	all := said(t)
	known := map[string]bool{}
	for _, m := range messages() {
		if known[m.english] {
			t.Errorf("%q is there twice", m.english)
		}
		known[m.english] = true
		if a, b := verbsOf(m.english), verbsOf(m.spanish); a != b && !strings.Contains(m.spanish, "%[") {
			t.Errorf("%q has the arguments %s, and in Spanish %s", m.english, a, b)
		}
		if _, there := all[m.english]; !there && !slices.Contains(composed, m.english) {
			t.Errorf("nothing says %q any more", m.english)
		}
	}
	for text, place := range all {
		if !known[text] && !slices.Contains(silent, text) {
			t.Errorf("%s: %q is not in es.txt", place, text)
		}
	}
	for _, text := range silent {
		if _, there := all[text]; !there {
			t.Errorf("nothing says %q any more: leave it out of silent", text)
		}
	}
}

func verbsOf(format string) (verbs string) {
	for _, v := range verb.FindAllStringSubmatch(format, -1) {
		verbs += v[2]
	}
	return verbs
}

// TestOf: arguments are kept as they are, parts of messages are said in Spanish
// too, and a line keeps what stands around its message.
// A text of the user's within a message may be long. It stays, and takes the
// time of its length.
func TestOfLongTexts(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"sum(rate(a[5m])) by (x), ", "a, b: c ", "x"} {
		name := strings.Repeat(part, 30_000/len(part))
		want := `"` + name + `" tiene mayúsculas (¿quiso decir "tienda"?)`
		if got := Of(`"` + name + `" has upper case (did you mean "tienda"?)`); got != want {
			t.Errorf("%.60s... becomes %.60s...", want, got)
		}
		if got := Of("thresholds[0].expr: " + name); got != "thresholds[0].expr: "+name {
			t.Errorf("a text that is no message becomes %.60s...", got)
		}
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	for english, want := range map[string]string{
		`"Tienda" has upper case (did you mean "tienda"?)`:                                                             `"Tienda" tiene mayúsculas (¿quiso decir "tienda"?)`,
		`domain.yaml:3:9: events[0].kind: unknown value "con\"ter" (did you mean "counter"?)`:                          `domain.yaml:3:9: events[0].kind: valor desconocido "con\"ter" (¿quiso decir "counter"?)`,
		`expected a list, got text "a": write [a]`:                                                                     `se esperaba una lista, y hay el texto "a": escriba [a]`,
		`unknown metric "cpu": the metrics are a, b and 3 more; for a metric of others write expr`:                     `métrica desconocida "cpu": las métricas son a, b y 3 más; para una métrica de otros escriba expr`,
		`unknown key "day": the keys here are weekdays, times, dates`:                                                  `clave desconocida "day": las claves aquí son weekdays, times, dates`,
		`"a b" may only have a-z, 0-9, and single _ or . between them, and starts with a letter (did you mean "a_b"?)`: `"a b" solo puede tener a-z, 0-9, y un _ o un . entre ellos, y empieza por una letra (¿quiso decir "a_b"?)`,
		"3 events, 2 thresholds, 1 SLO":                                                                                "3 eventos, 2 umbrales, 1 SLO",
		"17 alerts and 30 recorded series in what latido generate rules would write":                                   "17 alertas y 30 series registradas en lo que escribiría latido generate rules",
		"Kind of business: a, b [a]: ":                                                                                 "Tipo de negocio: a, b [a]: ",
		"go.mod is there with other content: overwrite it? (y/N): ":                                                    "go.mod existe con otro contenido: ¿lo sobrescribo? (s/N): ",
		"domain.yaml  written  the template ecommerce, in es\n":                                                        "domain.yaml  written  la plantilla ecommerce, en es\n",
		"    # whether all that runs is as domain.yaml says":                                                           "    # si lo que está en marcha es como dice domain.yaml",
		"    # your service\n    go run .\n":                                                                           "    # su servicio\n    go run .\n",
		"p95 of x is in seconds: write 300ms or 300s":                                                                  "p95 de x está en segundos: escriba 300ms o 300s",
		"a, in a thing of others":                                                                                      "a, in a thing of others",
		"nothing that anybody says":                                                                                    "nothing that anybody says",
	} {
		if got := Of(english); got != want {
			t.Errorf("%q\ngot  %q\nwant %q", english, got, want)
		}
	}
}
