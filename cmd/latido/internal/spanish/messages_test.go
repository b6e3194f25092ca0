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
	"../../../../domain", "../../../../internal/labelmatch", "../../../../internal/drills", "../../../../internal/mute", "../../../../internal/ruletext", "../../../../internal/yamlpos",
	"../check", "../cli", "../expr", "../receivers", "../result", "../scaffold", "../..", "../generate", "../diff", "../backtest", "../drill", "../evidence", "../remote", "../doctor", "../importer", "../../../../internal/profiles", "../fleet",
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
					if folder == "../fleet" && !slices.Contains([]string{"alertmanager.go", "drill.go", "fleet.go"}, name) { // its server's log and answers
						return
					}
					if name == "names.go" { // the help texts of metrics, which are Prometheus'
						return
					}
					if name == "html.go" || name == "flame.go" || strings.Contains(text, "{{range .Events}}") {
						return // a page has its texts in both languages, and a template of Go is no text
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
	// of calls, code and servers; rows of tables; ends of sentences, which are said with their beginning
	"latido generate all -domain %s%s -prune", "n int64", "%d\t%s\t%s\t%d before", "is longer than",
	"FAIL\tnot told in time: is the alert silenced, or gathered for longer than -wait?", " by %s", "%s: %s, %s before", "too many samples", " or ",
	"%s\t%s\t%s\t%s at a time, %s before", "latido generate %s -domain %s%s%s", "%s\t%s\t%s\t%.0f, %.0f before", "s of waiting a second",
	"%s\t%.0f, %.0f before", "-try %s: %s", "generate WHAT", "timed out", "-\tis to be told", "ok\tit was told", "backtest [FILE]", "Record(ctx, value)",
	"latido generate %s -domain %s%s -prune", "value float64", "delta int64", "incidents [ID]", " -out %s", "\t%s, %s before",
	" -package %s", "doctor [FILE]", "malformed HTTP", "HTTPS server", "docker compose logs %s", "Bearer %s", "Get %q: ", " error=", " and ", " unknown", ", condition since %s", ", value %s", ", endpoint %s", "  version %s took the place of %s", " at %s", "evidence [FILE]", "evidence is served", "Basic realm=\"latido\", charset=\"UTF-8\"", "log in with LATIDO_USER and LATIDO_PASSWORD", " in %s",
	"connection refused", "no such host", "deadline exceeded", "status 400", "status 401", "status 403", "status 404", "HTTP response to HTTPS client", "metrics cannot be sent by OTLP",
	"prometheus_config_last_reload_successful 0", "ALERTS{alertstate=\"firing\", domain=%q}", "%s and %s offset 2m", "{__name__=~%q, job=%q}", "count by (job) ({__name__=~%q})",
	"sum(scrape_samples_scraped{job=%q} - scrape_samples_post_metric_relabeling{job=%q}) > 0", "group by (job, __name__) ({__name__=~%q, job!=%q})", "group by (instance) (%s_build_info{job=%q})",
	"time() - max(timestamp(%s_build_info{job=%q}))", "count by (__name__) ({__name__=~%q, job=%q})", "group by (__name__) ({__name__=~\".+_build_info\", job=%q})",
	"sum by (outcome) (increase(%s{job=%q, signal=%q}[5m]))", "merge goroutine profiles: %w", "\tmostly in %s", "fire NAME", "latido generate", "FAIL\t%s; the log of the service, or of Alertmanager, says why", " -main %s",
	"{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}",
}

// composed are entries that the code puts together, and words too short to be
// found.
var composed = []string{
	"WHEN\tLASTED\tSEVERITY\tALERT", "(drill)", "%s, %s", "en or es", "text, json or junit", "text, json, pprof or html",
	"open %s: no such file or directory", "open %s: permission denied", "read %s: is a directory", "dial tcp %s: connect: connection refused", "connect: connection refused",
	"there is no such rule as %q: the rules are %s", "help for %s", "version for latido", "Generate the autocompletion script for %s",
	"Generate the autocompletion script for latido for the specified shell.", "See each sub-command's help for details on how to use the generated script.",
	"1 recording", "%d recordings", "1 collection", "%d collections", "a Prometheus", "a Pyroscope", "a Grafana", "metric points", "log records",
	"sleep", "a free database connection", "lock", "other goroutines", "condition", "network or file", "channel receive", "channel send", "for ever", "system call",
	"%s.", "%s: %s.", "%s at the moment", "%s so far", "region %s", "%s. It hardly uses CPU: a faster machine would not help.",
	"nobody looked at the goroutines in that time, or there are too many of them", "no garbage collection ended in that time, and heap profiles are as of the last one",
	"leave out an attribute of it, or some of its values, or some of its buckets", "is there with other content", ": the alert has %s", "by go mod tidy",
	"the event %q", "%d sections", "1 section", "%s and %d more", "nothing", "none", "text", " first at %s", "Next:", "%s, %s, %s", "%d rules", "1 rule", "%d receivers", "1 receiver", "the messages", "usage: %s", "options:", "%s  written from %s", "cause", "also", "unknown: %s",
	"not told in time: is the alert silenced, or gathered for longer than -wait?", "%s; the log of the service, or of Alertmanager, says why", "is to be told", "it was told",
	"once", "twice", "never", "%s (drill) %s", "%s, goes on", "%s, lasted %s", "%s, condition since %s", "%s, value %s", "%s, endpoint %s",
	"%s at a time, %s before", "%s, %s before", "%d before", "%.0f, %.0f before", "%s cores", "%s s of waiting a second", "allocation", "blocking", "mostly in %s", "runs", "errors",
	"version %s took the place of %s", "version %s took the place of %s at %s",
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
		if a, b := verbsOf(m.english), verbsOf(m.spanish); a != b && !strings.Contains(m.spanish, "[") {
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
		verbs += v[3]
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
		"docs/runbook.md  written from domain.yaml":                                                                    "docs/runbook.md  escrito de domain.yaml",
		"ok    changed  objective rapidez: min_count: nothing, now 300":                                                "ok    changed  objective rapidez: min_count: nada, ahora 300",
		"FAIL  removed  event quejas\n      breaks rule Buena\n":                                                       "FAIL  removed  event quejas\n      rompe la regla Buena\n",
		"  - CPU: look at /ventas first. 86 % of its CPU time is in main.sum (a/b.go:30), mostly in slices.Sort; the endpoint uses 88 % of the service's CPU. Few samples (7): wait for more traffic before you trust this.": "  - CPU: mire primero /ventas. 86 % de su tiempo de CPU está en main.sum (a/b.go:30), sobre todo en slices.Sort; el endpoint usa el 88 % de la CPU del servicio. Pocas muestras (7): espere a tener más tráfico antes de fiarse.",
		"  - 60 % of its requests that were looked at wait in main.pay (a/b.go:3): lock in sync.(*Mutex).Lock. It hardly uses CPU: a faster machine would not help.":                                                         "  - 60 % de sus peticiones observadas espera en main.pay (a/b.go:3): un candado (lock) en sync.(*Mutex).Lock. Casi no usa CPU: una máquina más rápida no ayudaría.",
		"  - started by GET /a and still running: main.f (a.go:1) uses 9 % of the service's CPU, and counts for no endpoint; there are 200 such goroutines, which wait for: sleep.":                                          "  - iniciada por GET /a y aún en marcha: main.f (a.go:1) usa el 9 % de la CPU del servicio y no cuenta para ningún endpoint; hay 200 goroutines así, que esperan: pausa (sleep).",
		"  CPU 3.50 s, 88 % of the process (by 7 samples only); allocated 3.5 MiB, 9 % (by functions that only it runs); waiting 0.25 at a time\n":                                                                           "  CPU 3,50 s, el 88 % del proceso (con solo 7 muestras); reserva 3,5 MiB, el 9 % (por funciones que solo él ejecuta); 0,25 en espera a la vez\n",
		"  CPU 3.50 s, 88 % of the process; allocated 3.5 MiB, 9 %; waiting not measured":                                                                                                                                    "  CPU 3,50 s, el 88 % del proceso; reserva 3,5 MiB, el 9 %; esperas sin medir",
		"      5 %    0.12 s  main.f (a.go:1), started by GET /a, 2 at a time: una pausa":                                                                                                                                    "      5 %    0,12 s  main.f (a.go:1), iniciada por GET /a, 2 a la vez: una pausa",
		`-format "foo": write text, json or junit`: `-format "foo": escriba text, json o junit`,
		"nothing that anybody says":                "nothing that anybody says",
	} {
		if got := Of(english); got != want {
			t.Errorf("%q\ngot  %q\nwant %q", english, got, want)
		}
	}
}
