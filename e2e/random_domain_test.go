package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latido-dev/latido/domain"
)

// scrape is the interval of the set-up that latido generate stack writes.
const scrape = 15 * time.Second

// wellAfter is how long a rule may go on after its windows are full: rules on too
// few fire until then, and keep firing for ten minutes.
const wellAfter = 15 * time.Minute

// longest is how long the series are: the windows of an objective, and wellAfter.
const longest = 2 * time.Hour

// chance draws a domain, and the series on which its rules fire or do not.
type chance struct {
	*rand.Rand
	d domain.Domain
	// fires and well are series in which every rule must fire, and none.
	fires, well []inputSeries
	alerts      []string
	until       time.Duration // by which all of them fire
}

type inputSeries struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

func newChance(seed uint64) *chance {
	return &chance{Rand: rand.New(rand.NewPCG(seed, 14))}
}

// one of some.
func oneOfThese[T any](c *chance, all ...T) T { return all[c.IntN(len(all))] }

func (c *chance) draw() {
	c.d = domain.Domain{
		Prefix: oneOfThese(c, "tienda", "clinica_sur", "abc", "a1b2", "shop_of_all_things_under_the_sun"), Entity: "pedido",
		Language: oneOfThese(c, "", "en", "es"), App: oneOfThese(c, "", "Tienda.api_2", "x"), TimeZone: oneOfThese(c, "", "America/Bogota", "Europe/Madrid"),
	}
	for i := range 1 + c.IntN(5) {
		c.event(fmt.Sprintf("evento_%d", i))
	}
	c.contract()
	c.objective()
	c.heartbeat()
	c.receivers()
	c.healthy()
}

// labelled is a series of the service.
func (c *chance) labelled(family string, labels map[string]string) string {
	all := map[string]string{"job": c.d.Service(), "instance": "10.0.0.1:9464"}
	for name, value := range labels {
		all[name] = value
	}
	var pairs []string
	for name, value := range all {
		pairs = append(pairs, name+"="+strconv.Quote(value))
	}
	return family + "{" + strings.Join(pairs, ",") + "}"
}

// line is a series that grows by step each scrape.
func (c *chance) line(into *[]inputSeries, family string, labels map[string]string, start, step float64) {
	sign := "+"
	if step < 0 {
		sign, step = "-", -step
	}
	format := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	*into = append(*into, inputSeries{c.labelled(family, labels), fmt.Sprintf("%s%s%sx%d", format(start), sign, format(step), int(longest/scrape))})
}

// threshold adds one with times by chance, and says how long it takes.
func (c *chance) threshold(t domain.Threshold) {
	t.Name = fmt.Sprintf("Alerta_%d", len(c.d.Thresholds))
	t.For = domain.Duration(oneOfThese(c, 0, 30*time.Second, time.Minute, 5*time.Minute, 90*time.Second))
	t.KeepFiring = domain.Duration(oneOfThese(c, 0, 0, 10*time.Minute))
	t.Severity = oneOfThese(c, "", domain.SeverityPage, domain.SeverityTicket, domain.SeverityInfo)
	if c.IntN(3) == 0 {
		t.Summary = oneOfThese(c, "{{ $labels.job }} at {{ $value }}", "Sin plantilla, con {{ `{{` }}", "{{ $value | humanize }} \"quoted\" 'and' \\ not")
	}
	if c.IntN(4) == 0 {
		t.Mute = []domain.Mute{{Weekdays: []string{oneOfThese(c, "sunday", "friday:monday")}, Times: []string{oneOfThese(c, "22:00-06:00", "00:00-24:00", "9:30-10:00")}}}
	}
	window := time.Duration(t.Window)
	if window == 0 {
		window = 5 * time.Minute
	}
	c.d.Thresholds = append(c.d.Thresholds, t)
	c.alerts = append(c.alerts, t.Name)
	c.until = max(c.until, window+time.Duration(t.For)+3*time.Minute)
}

// limit is a number as people choose them.
func (c *chance) limit() float64 {
	return float64(1+c.IntN(9)) * oneOfThese(c, 1, 1, 10, 100, 1000, 0.1)
}

func quantity(f float64) *domain.Quantity { q := domain.Quantity(f); return &q }

// window is how far back a rule looks: at least four scrapes.
func (c *chance) window() domain.Duration {
	return domain.Duration(oneOfThese(c, 0, time.Minute, 5*time.Minute, 10*time.Minute, 90*time.Second, time.Hour))
}

func seconds(window domain.Duration) float64 {
	if window == 0 {
		return 300
	}
	return time.Duration(window).Seconds()
}

// event draws an event and a rule on it.
func (c *chance) event(name string) {
	e := domain.Event{Name: name, Kind: oneOfThese(c, "", domain.KindUpDown, domain.KindGauge, domain.KindHistogram)}
	labels := map[string]string{}
	if c.IntN(2) == 0 {
		e.Attributes = map[string][]string{"canal": {"web", "movil"}, "zona.norte": {"1", "dos palabras", `com"illas`}}
		labels = map[string]string{"canal": "web", "zona_norte": oneOfThese(c, "1", "dos palabras", `com"illas`)}
	}
	if c.IntN(3) == 0 {
		e.Was, e.WasUntil = []string{name + "_antes"}, "2099-12-31"
	}
	if e.Kind == domain.KindHistogram {
		e.Unit, e.Buckets = oneOfThese(c, "", "COP", "s"), []float64{1, 5, 20, 100, 1000}
	} else {
		e.Unit = oneOfThese(c, "", "COP", "{pedido}")
	}
	c.d.Events = append(c.d.Events, e)
	m, _ := c.d.Metric(name)
	t := domain.Threshold{Event: name}
	if len(labels) > 0 {
		switch c.IntN(3) {
		case 0:
			t.By = "canal"
		case 1:
			t.Where = map[string]string{"canal": oneOfThese(c, "web", "=~we.", "!=movil")}
		}
	}
	high := c.IntN(2) == 0
	switch e.Kind {
	case domain.KindHistogram:
		c.onHistogram(t, m, labels, high)
	case domain.KindUpDown, domain.KindGauge:
		c.onLevel(t, m, labels, high)
	default:
		c.onCounter(t, m, labels, high)
	}
}

// leftOut are the labels of series that the rule's filter leaves out, nil
// without one: they say the contrary, and must change nothing.
func leftOut(t domain.Threshold, labels map[string]string) map[string]string {
	if len(t.Where) == 0 {
		return nil
	}
	others := maps.Clone(labels)
	others["canal"] = "movil"
	return others
}

// aboveOrBelow sets the limit, and gives values on either side of it.
func aboveOrBelow(t *domain.Threshold, limit float64, high bool) (fires, well float64) {
	if high {
		t.Above = quantity(limit)
		return 2 * limit, limit / 2
	}
	t.Below = quantity(limit)
	return limit / 2, 2 * limit
}

// contract draws rules on what every service has.
func (c *chance) contract() {
	if c.IntN(2) == 0 {
		limit := float64(1 + c.IntN(90))
		c.threshold(domain.Threshold{Metric: "cpu_usage", Above: quantity(limit + 1)})
		m, _ := c.d.Metric("cpu_usage")
		c.line(&c.fires, m.Family, nil, min(100, 2*limit+2), 0)
		c.line(&c.well, m.Family, nil, limit/2, 0)
	}
	if c.IntN(2) == 0 {
		t := domain.Threshold{Metric: "response_duration", Stat: oneOfThese(c, domain.StatP50, domain.StatP95, domain.StatP99), Window: c.window(), By: oneOfThese(c, "", "endpoint")}
		limit := oneOfThese(c, 0.05, 0.3, 2, 15)
		t.Above = quantity(limit)
		c.threshold(t)
		m, _ := c.d.Metric("response_duration")
		labels := map[string]string{"method": "GET", "endpoint": "/pedidos/{id}"}
		each := 20 / seconds(t.Window) * scrape.Seconds() * 2
		c.distribution(&c.fires, m, labels, limit*1.5, each)
		c.distribution(&c.well, m, labels, 0.001, each)
	}
	if c.IntN(2) == 0 {
		limit := float64(1 + c.IntN(40))
		c.threshold(domain.Threshold{Metric: "requests", Stat: domain.StatRatio, Window: c.window(), Where: map[string]string{"status": "=~5.."}, Above: quantity(limit)})
		c.requests(&c.fires, 2*limit)
		c.requests(&c.well, limit/2)
		return
	}
	c.requests(&c.fires, 60)
	c.requests(&c.well, 0)
}

// requests are 400 a minute, of which a part fails, in percent.
func (c *chance) requests(into *[]inputSeries, failing float64) {
	m, _ := c.d.Metric("requests")
	for status, n := range map[string]float64{"200": 100 - failing, "500": failing} {
		c.line(into, m.Family, map[string]string{"method": "GET", "endpoint": "/pedidos/{id}", "status": status}, 0, n)
	}
}

// objective draws one on answers, on their time or on two events. Of what it
// counts so much is bad that its budget burns in every pair of windows, or none.
func (c *chance) objective() {
	has := func(metric string) bool { // whose series are as its threshold likes
		return slices.ContainsFunc(c.d.Thresholds, func(t domain.Threshold) bool { return t.Metric == metric })
	}
	s := domain.SLO{Name: "disponible", Objective: oneOfThese(c, 99.9, 99, 97, 99.95), Window: domain.Duration(oneOfThese(c, 0, 7*24*time.Hour))}
	switch kind := c.IntN(4); {
	case kind == 0 && !has("requests"): // of which 60 % fail
		s.Good.Status = oneOfThese(c, "!~5..", "=~2..|3..")
	case kind == 1 && !has("response_duration"):
		limit := oneOfThese(c, 0.05, 0.3, 2, 15)
		s.Good.FasterThan = domain.Duration(limit * float64(time.Second))
		c.d.SLOs = []domain.SLO{s} // the limit is a bound now
		m, _ := c.d.Metric("response_duration")
		labels := map[string]string{"method": "GET", "endpoint": "/pedidos/{id}"}
		c.distribution(&c.fires, m, labels, limit*1.5, 100)
		c.distribution(&c.well, m, labels, limit/2, 100)
	case kind == 2:
		c.d.Events = append(c.d.Events, domain.Event{Name: "envios"}, domain.Event{Name: "entregas"})
		s.Good.Event, s.Total = "entregas", "envios"
		for _, name := range []string{"envios", "entregas"} {
			m, _ := c.d.Metric(name)
			c.line(&c.fires, m.Family, nil, 0, map[string]float64{"envios": 100, "entregas": 40}[name])
			c.line(&c.well, m.Family, nil, 0, 100)
		}
	default:
		return
	}
	c.d.SLOs = []domain.SLO{s}
	c.alerts = append(c.alerts, "disponibleBurnsFast", "disponibleBurnsSlowly")
	c.until = max(c.until, 90*time.Minute)
}

// heartbeat always fires, whatever the series are.
func (c *chance) heartbeat() {
	if c.IntN(2) == 0 {
		c.d.Thresholds = append(c.d.Thresholds, domain.Threshold{Name: "Vive", Heartbeat: true})
		c.alerts = append(c.alerts, "Vive")
	}
}

// receivers draws who hears of it.
func (c *chance) receivers() {
	all := []domain.Receiver{
		{Log: &domain.LogReceiver{}},
		{Webhook: &domain.WebhookReceiver{URL: "http://127.0.0.1:5001/x?y=1"}},
		{Webhook: &domain.WebhookReceiver{URLEnv: "HOOK"}},
		{Email: &domain.EmailReceiver{To: []string{"Guardia <a@example.com>", "b@example.com"}, SMTP: "smtp.example.com:587", PasswordEnv: "SMTP_PASSWORD"}},
		{Slack: &domain.SlackReceiver{Channel: "#guardia", URLFile: "/run/secrets/slack"}},
		{Action: &domain.ActionReceiver{Name: "reiniciar"}},
		{Other: map[string]map[string]any{"pagerduty": {"routing_key_file": "/run/secrets/pd", "details": map[string]any{"equipo": "citas"}}}},
		{Other: map[string]map[string]any{"telegram": {"bot_token_file": "/run/secrets/t", "chat_id": -100123}}},
	}
	c.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, r := range all[:1+c.IntN(4)] {
		if c.IntN(3) == 0 {
			r.Severities = []domain.Severity{domain.SeverityPage}
		}
		if c.IntN(3) == 0 {
			r.Mute = []domain.Mute{{Dates: []string{oneOfThese(c, "2026-12-24", "2026-12-30:2027-01-02")}}, {Weekdays: []string{"saturday", "sunday"}, Times: []string{"20:00-08:00"}}}
		}
		c.d.Notify = append(c.d.Notify, r)
	}
}

// healthy is what every service that is well says.
func (c *chance) healthy() {
	build, _ := c.d.Metric("build_info")
	for _, into := range []*[]inputSeries{&c.fires, &c.well} {
		c.line(into, build.Family, map[string]string{"version": "v1", "revision": "a", "goversion": "go1.26"}, 1, 0)
		c.line(into, "up", nil, 1, 0)
	}
}

// tests are promtool's: with the first series every rule of the domain fires,
// with the second none of all does, from when its windows are full.
func (c *chance) tests() map[string]any {
	fires := []any{}
	for _, alert := range c.alerts {
		fires = append(fires, map[string]any{
			"expr": fmt.Sprintf(`count(ALERTS{alertname=%q,alertstate="firing"}) > bool 0`, alert), "eval_time": c.until.String(),
			"exp_samples": []any{map[string]any{"labels": "{}", "value": 1}},
		})
	}
	well := []any{}
	for at := c.until + wellAfter - time.Minute; at <= c.until+wellAfter; at += scrape {
		well = append(well, map[string]any{
			"expr": `count by (alertname) (ALERTS{alertstate="firing",alertname!="Vive"})`, "eval_time": at.String(), "exp_samples": []any{},
		})
	}
	// Most of the time goes into evaluations, so most domains have Prometheus' own interval.
	evaluation := scrape
	if c.IntN(8) > 0 {
		evaluation = time.Minute
	}
	return map[string]any{
		"rule_files": []string{"p.rules.yaml"}, "evaluation_interval": evaluation.String(),
		"tests": []any{
			map[string]any{"name": "every rule fires", "interval": scrape.String(), "input_series": c.fires, "promql_expr_test": fires},
			map[string]any{"name": "none fires where all is well", "interval": scrape.String(), "input_series": c.well, "promql_expr_test": well},
		},
	}
}
