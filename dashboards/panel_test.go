package dashboards

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/humanize"
)

// TestPanels: what each panel of each dashboard has, and that it stands where no
// other does.
func TestPanels(t *testing.T) {
	for _, file := range domainFiles {
		for _, m := range makeAll(t, load(t, file), Options{}) {
			ids, titles := map[int]bool{}, map[string]bool{}
			taken := map[[2]int]string{}
			for _, p := range m.Panels {
				if ids[p.ID] || p.ID == 0 {
					t.Errorf("%s: %s: the id %d is another panel's", m.file, p.Title, p.ID)
				}
				ids[p.ID] = true
				for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
					for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
						if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
							t.Fatalf("%s: %s stands on %q, or beyond the 24 columns", m.file, p.Title, other)
						}
						taken[[2]int{x, y}] = p.Title
					}
				}
				if p.Type == "row" {
					continue
				}
				if titles[p.Title] {
					t.Errorf("%s: two panels are called %s", m.file, p.Title)
				}
				titles[p.Title] = true
				for what, text := range map[string]string{
					"title": p.Title, "description": p.Description, "unit": p.FieldConfig.Defaults.Unit, "text for no value": p.FieldConfig.Defaults.NoValue,
				} {
					if strings.TrimSpace(text) == "" {
						t.Errorf("%s: %s has no %s", m.file, p.Title, what)
					}
				}
				if !strings.ContainsAny(p.Description[len(p.Description)-1:], ".?") {
					t.Errorf("%s: %s: not a sentence: %s", m.file, p.Title, p.Description)
				}
				if len(p.Targets) == 0 {
					t.Errorf("%s: %s asks nothing", m.file, p.Title)
				}
			}
		}
	}
}

// TestSpread: numbers fill their rows, no row is of more than six or of one more
// than another, and the later ones have that one.
func TestSpread(t *testing.T) {
	for n, want := range map[int]string{
		1: "24", 2: "12 12", 3: "8 8 8", 4: "6 6 6 6", 5: "4 4 4 4 4", 6: "4 4 4 4 4 4", 7: "8 8 8 6 6 6 6", 8: "6 6 6 6 6 6 6 6", 9: "8 8 8 8 8 8 8 8 8",
		10: "8 8 8 8 8 8 6 6 6 6", 11: "8 8 8 6 6 6 6 6 6 6 6", 12: "4 4 4 4 4 4 4 4 4 4 4 4", 13: "8 8 8 8 8 8 8 8 8 6 6 6 6",
	} {
		panels := make([]panel, n)
		spread(panels)
		var got []string
		for _, p := range panels {
			got = append(got, strconv.Itoa(int(p.width)))
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%d: %s, want %s", n, text, want)
		}
	}
}

// anyLanguage are the texts that are the same in Spanish and in English.
var anyLanguage = []string{"HTTP", "CPU", "p95", "p50, p95, p99", "GOGC", "Goroutines", "Job", "Endpoint"}

// TestLanguage makes the dashboards of one domain in both languages: each text
// that is not the domain's own is another one.
func TestLanguage(t *testing.T) {
	english := load(t, "testdata/clinic.yaml")
	spanish := english
	spanish.Language = "es"
	own := append([]string{english.Description + ".", english.Service()}, anyLanguage...)
	for _, e := range english.Events {
		m, _ := english.Metric(e.Name)
		own = append(own, humanize.Spoken(e.Name), sentence(m.Description))
	}
	for _, s := range english.Thresholds {
		own = append(own, s.Name)
	}
	own = append(own, humanize.Spoken(english.Entity))
	en, es := makeAll(t, english, Options{RunbookURL: "https://wiki.example.com/"}), makeAll(t, spanish, Options{RunbookURL: "https://wiki.example.com/"})
	differs := func(where, a, b string) {
		t.Helper()
		if a == b && !slices.Contains(own, a) {
			t.Errorf("%s: %q in both languages", where, a)
		}
	}
	for i := range en {
		differs(en[i].file, strings.TrimPrefix(en[i].Title, "clinic-api · "), strings.TrimPrefix(es[i].Title, "clinic-api · "))
		differs(en[i].file, en[i].Description, es[i].Description)
		differs(en[i].file, en[i].Annotations.List[0].Name, es[i].Annotations.List[0].Name)
		for j, v := range en[i].Templating.List {
			differs(en[i].file+": variable "+v.Name, v.Label, es[i].Templating.List[j].Label)
		}
		for j, p := range en[i].Panels {
			q := es[i].Panels[j]
			where := en[i].file + ": " + p.Title
			differs(where, p.Title, q.Title)
			if p.Type == "row" {
				continue
			}
			differs(where, p.Description, q.Description)
			differs(where, p.FieldConfig.Defaults.NoValue, q.FieldConfig.Defaults.NoValue)
			links := q.links(t)
			for k, l := range p.links(t) {
				if l.Title != "Runbook" {
					differs(where, l.Title, links[k].Title)
				}
			}
		}
	}
}

var usedVariable = regexp.MustCompile(`\$\{?(\w+)`)

// TestLinks follows every link: to another dashboard of the domain it takes the
// time range and all variables that both have, and it uses no variable that the
// dashboard where it stands has not.
func TestLinks(t *testing.T) {
	for _, file := range domainFiles {
		all := makeAll(t, load(t, file), Options{RunbookURL: "https://wiki.example.com/runbook"})
		variables := map[string][]string{} // by uid
		for _, m := range all {
			for _, v := range m.Templating.List {
				variables[m.UID] = append(variables[m.UID], v.Name)
			}
		}
		for _, m := range all {
			if l := m.Links[0]; l.Type != "dashboards" || !l.IncludeVars || !l.KeepTime {
				t.Errorf("%s: the link to the others: %+v", m.file, l)
			}
			for _, p := range m.shown() {
				for _, l := range p.links(t) {
					where := m.file + ": " + p.Title + ": " + l.Title
					for _, used := range usedVariable.FindAllStringSubmatch(l.URL, -1) {
						if !strings.HasPrefix(used[1], "__") && !slices.Contains(variables[m.UID], used[1]) {
							t.Errorf("%s: there is no variable %s", where, used[1])
						}
					}
					path, query, _ := strings.Cut(l.URL, "?")
					uid, ok := strings.CutPrefix(path, "/d/")
					if !ok {
						if u, err := url.Parse(l.URL); err != nil || u.Host != "wiki.example.com" && u.Path != "/a/grafana-pyroscope-app/explore" {
							t.Errorf("%s leads to %s (%v)", where, l.URL, err)
						}
						continue
					}
					if variables[uid] == nil {
						t.Errorf("%s leads to %q, which is no dashboard", where, uid)
					}
					parts := strings.Split(query, "&")
					if parts[0] != "${__url_time_range}" {
						t.Errorf("%s loses the time range: %s", where, l.URL)
					}
					for _, v := range variables[uid] {
						kept := slices.ContainsFunc(parts, func(p string) bool { return p == "${"+v+":queryparam}" || strings.HasPrefix(p, "var-"+v+"=") })
						if slices.Contains(variables[m.UID], v) && !kept {
							t.Errorf("%s loses %s: %s", where, v, l.URL)
						}
					}
				}
			}
		}
	}
}

// Every panel of a latency leads to the flame graph, of the endpoint if there is
// one to choose.
func TestFlameLinks(t *testing.T) {
	d := load(t, "testdata/clinic.yaml")
	duration, _ := d.Metric("response_duration")
	n := 0
	for _, m := range makeAll(t, d, Options{}) {
		endpoint := slices.ContainsFunc(m.Templating.List, func(v madeVariable) bool { return v.Name == "endpoint" })
		for _, p := range m.shown() {
			if !slices.ContainsFunc(p.Targets, func(q madeTarget) bool { return strings.Contains(q.Expr, duration.Family+"_bucket") }) {
				continue
			}
			n++
			if !slices.ContainsFunc(p.links(t), func(l madeLink) bool {
				return strings.HasPrefix(l.URL, "/d/clinic-profiles?") && (!endpoint || strings.Contains(l.URL, "endpoint"))
			}) {
				t.Errorf("%s: %s leads to no flame graph", m.file, p.Title)
			}
		}
	}
	if n < 5 {
		t.Errorf("only %d panels of latency were found", n)
	}
}

// TestThresholdLines finds the bound of every threshold as a line of a panel that
// shows what it is about, in the unit of that panel.
func TestThresholdLines(t *testing.T) {
	d := load(t, "testdata/academia.yaml")
	d.Thresholds = append(d.Thresholds,
		domain.Threshold{Name: "Rechazos", Metric: "telemetry_refused", Above: new(domain.Quantity(1))},
		domain.Threshold{Name: "MuchoReservado", Metric: "go_memory_allocated", Per: domain.Duration(time.Minute), Above: new(domain.Quantity(6e9))},
		domain.Threshold{Name: "Fallos", Metric: "failures", Above: new(domain.Quantity(1))},
		domain.Threshold{Name: "Frenado", Metric: "container_cpu_throttled_periods", Above: new(domain.Quantity(2))})
	all := makeAll(t, d, Options{})
	drawn := map[string]bool{}
	for _, c := range []struct {
		threshold, dashboard, panel string
		at                          float64
		color                       string
	}{
		{"PocasInscripciones", "business", "PocasInscripciones", 5, "red"},
		{"RitmoDeCursos", "business", "Cursos completados por minuto", 3.0 / 60, "blue"},
		{"CursosBasicos", "business", "CursosBasicos", 90, "orange"},
		{"AulaLlena", "business", "Estudiantes activos ahora", 500, "red"},
		{"AulaVirtualLlena", "business", "AulaVirtualLlena", 100, "orange"},
		{"NotasBajas", "business", "Nota final: valores habituales", 3, "orange"},
		{"LeccionesCortas", "business", "Minutos de leccion: valores habituales", 2, "orange"},
		{"CursoCaro", "business", "CPU de un evento", 0.05, "orange"},
		{"RespuestaLenta", "http", "p95 por endpoint", 1, "red"},
		{"InscripcionLenta", "http", "InscripcionLenta", 2, "orange"},
		{"MuchosErrores", "http", "Peticiones fallidas por endpoint", 5, "red"},
		{"NoEncontrados", "http", "NoEncontrados", 20, "blue"},
		{"Panicos", "http", "Panicos", 3, "orange"},
		{"SinAltas", "business", "Altas de curso", 1, "orange"},
		{"CPUAlta", "runtime", "CPU", 80, "red"},
		{"Memoria", "runtime", "Memoria del proceso", 256 << 20, "orange"},
		{"MuchasGoroutines", "runtime", "Goroutines", 5000, "orange"},
		{"PerfilesPerdidos", "business", "PerfilesPerdidos", 1, "orange"},
		{"Rechazos", "runtime", "Valores rechazados", 60, "orange"}, // of a second; the panel is by minute
		{"MuchoReservado", "runtime", "Bytes reservados", 1e8, "orange"},
		{"Fallos", "http", "Fallos", 1, "orange"},
		{"Frenado", "runtime", "Frenado", 2, "orange"}, // the panel of throttled periods is in percent
	} {
		drawn[c.threshold] = true
		f := find(t, all, c.dashboard, c.panel).FieldConfig.Defaults
		if !slices.ContainsFunc(f.Thresholds.Steps, func(s madeStep) bool { return s.Value != nil && *s.Value == c.at && s.Color == c.color }) {
			t.Errorf("%s is no %s line at %v of %s", c.threshold, c.color, c.at, c.panel)
		}
		if f.Custom.ThresholdsStyle.Mode != "dashed" {
			t.Errorf("%s: the line is not seen: %+v", c.panel, f.Custom)
		}
		// An axis of shares reaches its line; on another one a distant line would flatten
		// the curve.
		share := strings.HasPrefix(f.Unit, "percent")
		if share != (f.Custom.AxisSoftMax != nil) || share && *f.Custom.AxisSoftMax <= *f.Thresholds.Steps[1].Value {
			t.Errorf("%s, in %q: the axis reaches %v", c.panel, f.Unit, f.Custom.AxisSoftMax)
		}
	}
	for _, s := range d.Thresholds {
		if drawn[s.Name] == s.Heartbeat { // what always fires has no bound
			t.Errorf("%s: heartbeat %v, and a line %v", s.Name, s.Heartbeat, drawn[s.Name])
		}
	}
}

// A threshold whose subject no panel shows gets a panel of its own, which links
// to its section of the runbook.
func TestRunbookLink(t *testing.T) {
	d := load(t, "testdata/academia.yaml")
	for runbook, want := range map[string]string{"": "", "https://wiki.example.com/runbook": "https://wiki.example.com/runbook#panicos"} {
		got := ""
		for _, l := range find(t, makeAll(t, d, Options{RunbookURL: runbook}), "http", "Panicos").Links {
			got = l.URL
		}
		if got != want {
			t.Errorf("runbook at %q: the panel links to %q", runbook, got)
		}
	}
}

func TestUnitOf(t *testing.T) {
	for unit, want := range map[string]string{
		"": "short", "1": "short", "{bed}": "short", "s": "s", "By": "bytes", "%": "percent",
		"EUR": "currencyEUR", "COP": "currency:COP", "mL": "suffix:mL", "min": "m",
	} {
		if got := unitOf(unit); got != want {
			t.Errorf("unitOf(%q) = %q, want %q", unit, got, want)
		}
	}
	for unit, of := range grafanaUnits {
		if !slices.Contains(grafanaKnows, of) {
			t.Errorf("%s would be %q, which Grafana does not know", unit, of)
		}
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{" Pedidos ": "Pedidos.", "Hay pedidos?": "Hay pedidos?", "": ""} {
		if got := sentence(text); got != want {
			t.Errorf("sentence(%q) = %q, want %q", text, got, want)
		}
	}
}

// An objective's panel has every window that its alerts look at, and each
// dashboard marks when an alert fired.
func TestAlertsAreSeen(t *testing.T) {
	t.Parallel()
	d := domain.Domain{Prefix: "tienda", App: "tienda-api", Entity: "pedido", SLOs: []domain.SLO{{Name: "disponibilidad", Objective: 99.9, Good: domain.Good{Status: "!~5.."}}}}
	b := newBoard(d, Options{})
	var windows []string
	for _, p := range b.budgets() {
		if !strings.HasSuffix(p.title, "outside the objective") {
			continue
		}
		for _, q := range p.queries {
			windows = append(windows, q.legend)
		}
	}
	if got, want := strings.Join(windows, " "), "1h 6h 1d 3d"; got != want {
		t.Errorf("the panel of the budget has the windows %s, want %s", got, want)
	}
	c := b.dashboard(b.http())
	if n := len(c.Annotations.List); n != 2 || !strings.Contains(*c.Annotations.List[1].Expr, "ALERTS{") {
		t.Errorf("%d annotations: %+v", n, c.Annotations.List)
	}
}
