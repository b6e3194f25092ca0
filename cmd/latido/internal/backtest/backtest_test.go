package backtest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	engine "github.com/prometheus/prometheus/promql"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
)

// build is there for as long as the service is: 6 h, a sample a minute.
const build = "  tienda_build_info{job=\"tienda-api\",instance=\"a\"} 1x360\n"

// cpu, orders and so on are series of the service.
func cpu(instance, values string) string {
	return fmt.Sprintf("  tienda_cpu_usage_percent{job=\"tienda-api\",instance=%q} %s\n", instance, values)
}

func orders(values string) string {
	return fmt.Sprintf("  tienda_pedidos_procesados_total{job=\"tienda-api\",instance=\"a\",canal=\"web\"} %s\n", values)
}

func slow(endpoint, sums string) string {
	labels := fmt.Sprintf("{job=\"tienda-api\",instance=\"a\",method=\"GET\",endpoint=%q}", endpoint)
	return fmt.Sprintf("  tienda_response_duration_seconds_count%s 0+60x360\n  tienda_response_duration_seconds_sum%s %s\n", labels, labels, sums)
}

// TestBacktestWords replays what happened in 6 h, and says it in words.
func TestBacktestWords(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		series string
		args   string
		want   string // a line; {t} is a time after the beginning
	}{
		"three times, and the limit from the data": {
			cpu("a", "50x59 82x9 50x49 85x4 50x59 95x9 50x200"), "-rule CPUAlta",
			"CPUAlta: would have fired 3 times in the last 6 h, 19 min in all, longest 8 min ({1h2m}); at 85 %: once\n",
		},
		"another limit": {
			cpu("a", "50x59 82x9 50x49 85x4 50x59 95x9 50x200"), "-rule CPUAlta -try CPUAlta=83% -try CPUAlta=96",
			"in all, longest 8 min ({1h2m}); at 83 %: twice; at 96: never\n",
		},
		"a lower limit, at which it would": {
			cpu("a", "50x59 70x9 50x300"), "-rule CPUAlta -try CPUAlta=60%",
			"CPUAlta: would not have fired in the last 6 h (highest 70 %, limit 80 % for 2 min); at 60 %: once\n",
		},
		"shorter than its pending time": {
			cpu("a", "50x59 90x1 50x300"), "-rule CPUAlta",
			"CPUAlta: would not have fired in the last 6 h (highest 90 %, limit 80 % for 2 min)\n",
		},
		"it fires still": {
			cpu("a", "50x349 90x10"), "-rule CPUAlta",
			"CPUAlta: would have fired once in the last 6 h, for 8 min ({5h52m} and still)\n",
		},
		"a gap in the data ends it": {
			cpu("a", "50x9 90x30 _x20 90x30 50x300"), "-rule CPUAlta",
			"CPUAlta: would have fired twice in the last 6 h, 62 min in all, longest 33 min ({12m}); at 90 %: never\n",
		},
		"a gap that a sample still bridges does not": {
			cpu("a", "50x9 90x30 _x3 90x30 50x300"), "-rule CPUAlta",
			"CPUAlta: would have fired once in the last 6 h, for 63 min ({12m})\n",
		},
		"each instance is an alert, and time counts once": {
			cpu("a", "50x9 90x11 50x300") + cpu("b", "50x14 95x11 50x300"), "-rule CPUAlta",
			"CPUAlta: would have fired twice in the last 6 h, 15 min in all, longest 10 min ({12m}, instance a); at 90 %: once\n",
		},
		"it goes on while it is kept firing": {
			slow("/pagos", "0+60x59 3600+120x4 4200+60x2 4400+120x4 4900+60x280"), "-rule RespuestaLenta",
			"RespuestaLenta: would have fired once in the last 6 h, for 13 min ({1h4m}, endpoint /pagos)\n",
		},
		"which endpoint, and milliseconds as the file has them": {
			slow("/", "0+6x360") + slow("/pagos", "0+60x59 3600+120x9 4800+60x50 7800+180x9 9600+60x280"), "-rule RespuestaLenta",
			"longest 13 min ({2h4m}, endpoint /pagos); at 2000 ms: once\n",
		},
		"bytes": {
			"  tienda_memory_usage_bytes{job=\"tienda-api\",instance=\"a\"} 400000000x59 700000000x9 400000000x30 900000000x9 400000000x280\n", "-rule PocaMemoria",
			"at 0.66 GiB: once\n",
		},
		"a counter that starts anew is no fall": {
			orders("0+10x60 0+10x100 0+10x200"), "-rule SinPedidos",
			"SinPedidos: would not have fired in the last 6 h (lowest 0, limit 1 for 5 min)\n",
		},
		"too few, for lack of any": {
			orders("0+10x60 610x60 620+10x240"), "-rule SinPedidos",
			"SinPedidos: would have fired once in the last 6 h, for 47 min ({1h15m})\n",
		},
		"no series, which is too few": {
			"", "-rule SinPedidos",
			"SinPedidos: would have fired once in the last 6 h, for 5.9 h ({5m} and still); no sample of tienda_pedidos_procesados_total\n",
		},
		"no data": {
			"", "-rule PocaMemoria",
			"PocaMemoria: no data: no sample of tienda_memory_usage_bytes in the last 6 h\n",
		},
		"no data of an expression": {
			"", "-rule Carga", "Carga: no data: no sample of tienda_active_requests in the last 6 h\n",
		},
		"no data of an expression of several": {
			"", "-rule CargaDeTodos", "CargaDeTodos: no data: no sample of tienda_active_requests and 2 more in the last 6 h\n",
		},
		"an expression has no limit of its own": {
			"  tienda_active_requests{job=\"tienda-api\",instance=\"a\"} 5x59 20x9 5x60 20x9 5x200\n", "-rule Carga",
			"Carga: would have fired twice in the last 6 h, 20 min in all, longest 10 min ({1h})\n",
		},
		"data of its own that begin later": {
			cpu("a", "_x200 50x160"), "-rule CPUAlta", "(highest 50 %, limit 80 % for 2 min); its data begin {3h20m}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPast(t, time.Minute, 6*time.Hour, build+c.series)
			code, stdout, stderr := p.backtest(append(strings.Fields(c.args), "-last", "6h")...)
			want := regexp.MustCompile(`\{[0-9hm]+\}`).ReplaceAllStringFunc(c.want, func(s string) string {
				d, err := time.ParseDuration(strings.Trim(s, "{}"))
				if err != nil {
					t.Fatal(err)
				}
				return clock(d)
			})
			if code != 0 || stderr != "" || !strings.Contains(stdout, want) {
				t.Errorf("exit %d, no %q in\n%s%s", code, want, stdout, stderr)
			}
		})
	}
}

// TestBacktestChunks evaluates every second, in more requests than one: an
// alert that fires from one to the next fires once.
func TestBacktestChunks(t *testing.T) {
	t.Parallel()
	p := newPast(t, time.Minute, 6*time.Hour, build+cpu("a", "50x159 90x14 50x300"))
	code, stdout, stderr := p.backtest("-last", "6h", "-step", "1s", "-rule", "CPUAlta")
	if want := "would have fired once in the last 6 h, for 13 min (" + clock(2*time.Hour+42*time.Minute); code != 0 || !strings.Contains(stdout, want) {
		t.Errorf("exit %d, no %q in\n%s%s", code, want, stdout, stderr)
	}
	if p.longer > 0 || p.ranges < 3 {
		t.Errorf("%d requests, %d of them refused", p.ranges, p.longer)
	}
	// A server with less memory is asked for less at once.
	p.most = 700
	if code, again, stderr := p.backtest("-last", "6h", "-step", "1s", "-rule", "CPUAlta"); code != 0 || again != stdout || p.longer == 0 {
		t.Errorf("exit %d, %d refused\n%s%s", code, p.longer, again, stderr)
	}
}

// TestBacktestInterval evaluates as often as the server does.
func TestBacktestInterval(t *testing.T) {
	t.Parallel()
	p := newPast(t, time.Minute, 6*time.Hour, build+cpu("a", "50x360"))
	p.rules = `{"status":"success","data":{"groups":[{"interval":60,"rules":[{"type":"alerting","name":"CPUAlta","labels":{"domain":"tienda"}},
		{"type":"alerting","name":"Carga","labels":{"domain":"other"}}]}]}}`
	var found backtestJSON
	_, stdout, _ := p.backtest("-format", "json", "-last", "6h")
	if err := json.Unmarshal([]byte(stdout), &found); err != nil {
		t.Fatal(err)
	}
	for _, r := range found.Rules {
		switch want := 15.0; {
		case r.Rule == "CPUAlta" && r.Step != 60, r.Rule == "Carga" && r.Step != want:
			t.Errorf("%s every %v s", r.Rule, r.Step)
		case r.Rule == "disponibilidadBurnsSlowly" && r.Step < 3*24*3600/1000: // a range of three days
			t.Errorf("%s every %v s: that takes long and shows nothing more", r.Rule, r.Step)
		}
	}
}

// TestBacktestLate says that the data begin later than asked for.
func TestBacktestLate(t *testing.T) {
	t.Parallel()
	p := newPast(t, time.Minute, 26*time.Hour, "  tienda_build_info{job=\"tienda-api\"} _x1200 1x360\n"+cpu("a", "_x1200 50x59 90x9 50x291"))
	code, stdout, stderr := p.backtest("-rule", "CPUAlta")
	for _, want := range []string{
		"tienda-api at URL: only 6 h of data are stored, since " + clock(20*time.Hour) + "; asked for 7 days\n",
		"CPUAlta: would have fired once in the last 6 h, for 8 min (" + clock(21*time.Hour+2*time.Minute),
	} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, no %q in\n%s%s", code, want, stdout, stderr)
		}
	}
	p = newPast(t, time.Minute, time.Hour, "  almacen_build_info 1x60\n")
	if code, stdout, stderr := p.backtest(); code != 1 || stdout != "" || !strings.Contains(stderr, "no data: URL has no sample of prefix tienda in the last 7 days") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	// A service without build_info is known by its other metrics.
	p = newPast(t, time.Minute, time.Hour, cpu("a", "50x60"))
	if code, stdout, stderr := p.backtest("-rule", "CPUAlta", "-last", "1h"); code != 0 || !strings.Contains(stdout, "would not have fired in the last 60 min") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

// TestBacktestRecords replays an objective twice: on what its recording rules
// recorded, and without that, on the requests. The alerts are the same.
func TestBacktestRecords(t *testing.T) {
	t.Parallel()
	requests := `  tienda_build_info{job="tienda-api"} 1x480
  tienda_requests_total{job="tienda-api",endpoint="/",status="200"} 0+100x480
  tienda_requests_total{job="tienda-api",endpoint="/",status="500"} 0x120 0+60x39 2340x99 2340+100x29 5240x189
`
	args := []string{"-last", "8h", "-step", "1m", "-rule", "disponibilidadBurnsFast", "-rule", "disponibilidadBurnsSlowly"}
	raw := newPast(t, time.Minute, 8*time.Hour, requests)
	code, computed, stderr := raw.backtest(args...)
	if code != 0 || !strings.Contains(computed, "disponibilidadBurnsFast: would have fired twice") {
		t.Fatalf("exit %d\n%s%s", code, computed, stderr)
	}
	recorded := newPast(t, time.Minute, 8*time.Hour, requests)
	recorded.record("testdata/backtest.yaml")
	recorded.broken = map[string]string{"tienda_requests_total": "the recorded series are there to be used"}
	if code, stdout, stderr := recorded.backtest(args...); code != 0 || stdout != computed {
		t.Errorf("exit %d, recorded\n%s%s\nwant, as computed\n%s", code, stdout, stderr, computed)
	}
}

// record evaluates the recording rules of a domain, as a server would have.
func (p *past) record(file string) {
	p.t.Helper()
	d, err := domain.Load(file)
	if err != nil {
		p.t.Fatal(err)
	}
	rules := alerting.Rules(d, alerting.Options{})
	for at := time.Unix(0, 0); !at.After(p.now); at = at.Add(time.Minute) {
		for _, r := range rules {
			if r.Record == "" {
				continue
			}
			q, err := p.engine.NewInstantQuery(p.t.Context(), p.storage, nil, r.Expr, at)
			if err != nil {
				p.t.Fatal(err)
			}
			vector, err := q.Exec(p.t.Context()).Vector()
			if err != nil {
				p.t.Fatal(err)
			}
			p.append(r, at, vector)
			q.Close()
		}
	}
}

func (p *past) append(r alerting.Rule, at time.Time, vector engine.Vector) {
	appender := p.storage.Appender(p.t.Context())
	for _, s := range vector {
		b := labels.NewBuilder(s.Metric)
		b.Set(model.MetricNameLabel, r.Record)
		for name, value := range r.Labels {
			b.Set(name, value)
		}
		if _, err := appender.Append(0, b.Labels(), at.UnixMilli(), s.F); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := appender.Commit(); err != nil {
		p.t.Fatal(err)
	}
}

// TestBacktestJSON has all that the words are made from, and twice the same.
func TestBacktestJSON(t *testing.T) {
	t.Parallel()
	p := newPast(t, time.Minute, 6*time.Hour, build+cpu("a", "50x9 90x11 50x300")+cpu("b", "50x14 95x11 50x300")+cpu("c", "50x14 95x11 50x300"))
	_, first, _ := p.backtest("-format", "json", "-last", "6h")
	_, text, _ := p.backtest("-last", "6h")
	for range 5 {
		if _, again, _ := p.backtest("-format", "json", "-last", "6h"); regexp.MustCompile("http://[0-9.:]+").ReplaceAllString(again, "URL") != regexp.MustCompile("http://[0-9.:]+").ReplaceAllString(first, "URL") {
			t.Fatalf("%s\nbut before\n%s", again, first)
		}
		if _, again, _ := p.backtest("-last", "6h"); again != text {
			t.Fatalf("%s\nbut before\n%s", again, text)
		}
	}
	var found backtestJSON
	if err := json.Unmarshal([]byte(first), &found); err != nil {
		t.Fatal(err)
	}
	r := found.Rules[0]
	if r.Rule != "CPUAlta" || r.Status != "fired" || r.Times != 3 || len(r.Episodes) != 3 || r.Seconds != 15*60 || r.Limit.Text != "80 %" ||
		r.Episodes[1].Labels["instance"] != "b" || r.Episodes[1].Labels["severity"] != "ticket" || r.Episodes[0].To.Sub(r.Episodes[0].From) != 10*time.Minute {
		t.Errorf("%+v", r)
	}
	if len(r.Tried) != 1 || !r.Tried[0].Suggested || r.Tried[0].Value != 95 || r.Tried[0].Times != 0 {
		t.Errorf("tried %+v", r.Tried)
	}
}

// TestBacktestTrouble breaks what is asked and what answers.
func TestBacktestTrouble(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-last 0":                       "-last is positive",
		"-last never":                   "never",
		"-step 1ms":                     "write 1s or more",
		"-step 1s -last 30d":            "write -step 11s",
		"-format xml":                   "text or json",
		"-rule CPUAlto":                 `did you mean "CPUAlta"?`,
		"-rule Latido":                  "always fires",
		"-try CPUAlta":                  "NAME=VALUE",
		"-try CPUAlto=3":                `did you mean "CPUAlta"?`,
		"-try CPUAlta=much":             "is no quantity",
		"-try CPUAlta=3s":               "write one such as 80%",
		"-try Carga=3":                  "no limit of its own",
		"-rule Carga -try CPUAlta=90%":  "add -rule CPUAlta",
		"again":                         "one file",
		"-url ftp://ops:hunter2@shop/x": "no address",
	} {
		t.Run(args, func(t *testing.T) {
			code, _, stderr := latido(append([]string{"backtest", "testdata/backtest.yaml"}, strings.Fields(args)...)...)
			if code != 2 || !strings.Contains(stderr, want) || strings.Contains(stderr, "hunter2") {
				t.Errorf("exit %d, no %q in\n%s", code, want, stderr)
			}
		})
	}
	p := newPast(t, time.Minute, 6*time.Hour, build+cpu("a", "50x360"))
	p.broken = map[string]string{"tienda_active_requests": "it hurts\x1b[2J"}
	code, stdout, _ := p.backtest("-last", "6h")
	if code != 1 || !strings.Contains(stdout, `Carga: could not be replayed: URL: it hurts\x1b[2J`) || !strings.Contains(stdout, "CPUAlta: would not have fired") {
		t.Errorf("exit %d\n%s", code, stdout)
	}
	if code, _, stderr := latido("backtest", "-url", "http://127.0.0.1:1", "testdata/backtest.yaml"); code != 1 || !strings.Contains(stderr, "nothing answers") {
		t.Errorf("exit %d %s", code, stderr)
	}
	if code, _, stderr := latido("backtest", "testdata/none.yaml"); code != 1 || !strings.Contains(stderr, "latido init") {
		t.Errorf("exit %d %s", code, stderr)
	}
}

// TestBacktestSpanish says all of it in Spanish, with the comma of figures.
func TestBacktestSpanish(t *testing.T) {
	t.Parallel()
	p := newPast(t, time.Minute, 6*time.Hour, build+cpu("a", "50x59 82x9 50x49 85.5x4 50x59 95x9 50x200"))
	code, stdout, stderr := p.backtest("-rule", "CPUAlta", "-rule", "PocaMemoria", "-try", "CPUAlta=90.5%", "-last", "6h", "-language", "es")
	for _, want := range []string{
		"tienda-api en URL: 6 h, de ", "CPUAlta: habría sonado 3 veces en 6 h, 19 min en total, la más larga 8 min (" + clock(time.Hour+2*time.Minute) + "); con 90,5 %: una vez\n",
		"PocaMemoria: sin datos: ninguna muestra de tienda_memory_usage_bytes en 6 h\n",
	} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, no %q in\n%s%s", code, want, stdout, stderr)
		}
	}
}
