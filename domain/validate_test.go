package domain

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/internal/testkit"
)

func quantity(q float64) *Quantity { return new(Quantity(q)) }

// TestValidate has mistakes that only code can make, and those whose errors
// must not need a file.
func TestValidate(t *testing.T) {
	over := func(t Threshold) func(*Domain) { return func(d *Domain) { d.Thresholds = []Threshold{t} } }
	event := func(e Event) func(*Domain) { return func(d *Domain) { d.Events = []Event{e} } }
	notify := func(r Receiver) func(*Domain) { return func(d *Domain) { d.Notify = []Receiver{r} } }
	for name, c := range map[string]struct {
		change func(*Domain)
		want   string
	}{
		"nothing wrong":    {func(*Domain) {}, ""},
		"empty":            {func(d *Domain) { *d = Domain{} }, "prefix: missing: write a short word"},
		"no line":          {func(d *Domain) { d.Prefix = "otel" }, `prefix: "otel" is taken`},
		"invalid UTF-8":    {func(d *Domain) { d.Description = "caf\xe9" }, "description: not valid UTF-8"},
		"control":          {func(d *Domain) { d.Description = "a\x1b[31m" }, "description: has the control character U+001B"},
		"long text":        {func(d *Domain) { d.Description = strings.Repeat("a", 5000) }, "is too long, 5000 of at most 4096 bytes"},
		"app":              {func(d *Domain) { d.App = "Mi Tienda" }, `app: "Mi Tienda" may only have letters, digits, ., - and _ between them, and starts with a letter (did you mean "mi-tienda"?)`},
		"long app":         {func(d *Domain) { d.App = strings.Repeat("a", 64) }, "too long, 64 of at most 63"},
		"entity":           {func(d *Domain) { d.Entity = "Artículo" }, `did you mean "articulo"`},
		"language":         {func(d *Domain) { d.Language = "English" }, `did you mean "en"`},
		"many error types": {func(d *Domain) { d.Errors = make([]string, 101) }, "errors: 101 error types, at most 100"},
		"long value":       {func(d *Domain) { d.Errors = []string{strings.Repeat("e", 257)} }, "errors[0]: is too long, 257 of at most 256 bytes"},
		"space in value":   {func(d *Domain) { d.Errors = []string{"pago "} }, "has space at an end"},

		"NaN bucket":                      {event(Event{Name: "valor", Kind: KindHistogram, Buckets: []float64{1, math.NaN()}}), "events[0].buckets[1]: NaN is no bound"},
		"many buckets":                    {event(Event{Name: "valor", Kind: KindHistogram, Buckets: make([]float64, 101)}), "101 buckets, at most 100"},
		"value UTF-8":                     {event(Event{Name: "uno", Attributes: map[string][]string{"canal": {"\xff"}}}), "events[0].attributes.canal[0]: not valid UTF-8"},
		"attribute labels":                {event(Event{Name: "uno", Attributes: map[string][]string{"a.b": {"x"}, "a_b": {"y"}}}), `"a.b" and "a_b" are the same label a_b`},
		"attribute __":                    {event(Event{Name: "uno", Attributes: map[string][]string{"__name__": {"x"}}}), `"__name__" is reserved`},
		"attribute -":                     {event(Event{Name: "uno", Attributes: map[string][]string{"": {"x"}}}), `events[0].attributes[""]: missing`},
		"strange values":                  {event(Event{Name: "uno", Attributes: map[string][]string{"canal": {"tienda 24h", "tienda-24h", "é", "è", "c", "c++"}}}), ""},
		"alike values":                    {event(Event{Name: "uno", Attributes: map[string][]string{"canal": {"web", "Web"}}}), `canal "Web" and canal "web" have the same name CanalWeb in Go`},
		"alike, after one without a name": {event(Event{Name: "uno", Attributes: map[string][]string{"canal": {"tienda 24h", "web", "Web"}}}), `canal "Web" and canal "web" have the same name CanalWeb in Go`},
		"go underscores":                  {func(d *Domain) { d.Events = []Event{{Name: "a_1"}, {Name: "a1"}} }, "have the same name A1 in Go"},
		"event __":                        {event(Event{Name: "a__b"}), `did you mean "a_b"`},
		"event long":                      {event(Event{Name: strings.Repeat("a", 64)}), "too long, 64 of at most 63"},
		"event go_":                       {event(Event{Name: "go_live"}), "names that start with go_ are reserved"},
		"updown total":                    {event(Event{Name: "carritos_total", Kind: KindUpDown}), `the ending of "carritos_total" is a counter's`},
		"updown count":                    {event(Event{Name: "carritos_count", Kind: KindUpDown}), "is a histogram's in Prometheus"},
		"counter total":                   {event(Event{Name: "pedidos_total"}), ""},
		"unit in the name":                {event(Event{Name: "espera_seconds", Kind: KindHistogram, Unit: "s"}), ""},
		"many attributes": {event(Event{Name: "uno", Attributes: func() map[string][]string {
			m := map[string][]string{}
			for r := 'a'; r <= 'z'; r++ {
				m[string(r)] = []string{"x"}
			}
			return m
		}()}), "26 attributes, at most 20"},

		"no metric":      {over(Threshold{Name: "a", Above: quantity(1)}), "thresholds[0]: needs one of metric, event, expr, heartbeat"},
		"NaN":            {over(Threshold{Name: "a", Expr: "x", Above: quantity(math.NaN())}), "thresholds[0].above: is not a finite number"},
		"two conditions": {over(Threshold{Name: "a", Expr: "x", Above: quantity(1), Below: quantity(2)}), "thresholds[0].below: cannot stand beside above"},
		"negative for":   {over(Threshold{Name: "a", Expr: "x", For: -1e9}), "thresholds[0].for: "},
		"microseconds":   {over(Threshold{Name: "a", Expr: "x", For: Duration(time.Minute + time.Microsecond)}), "is not in whole milliseconds"},
		"two lines":      {over(Threshold{Name: "a", Expr: "x", Summary: "one\ntwo"}), "summary: has more than one line"},
		"ratio in code":  {over(Threshold{Name: "a", Metric: "requests", Stat: StatRatio, Where: map[string]string{"status": "500"}, Above: quantity(0.5)}), ""},
		"ratio of what":  {over(Threshold{Name: "a", Metric: "requests", Stat: StatRatio, Above: quantity(5)}), "a ratio needs where"},
		"p95 below top":  {over(Threshold{Name: "a", Metric: "response_duration", Above: quantity(9.9)}), ""},
		"p95 above top":  {over(Threshold{Name: "a", Metric: "response_duration", Above: quantity(3600)}), ""},
		"p95 of months":  {over(Threshold{Name: "a", Metric: "response_duration", Above: quantity(1e7)}), "p95 of response_duration is never above 2592000: a bound of this histogram is at most that"},
		"mean above top": {over(Threshold{Name: "a", Metric: "response_duration", Stat: StatMean, Above: quantity(30)}), ""},
		"below beyond":   {over(Threshold{Name: "a", Metric: "response_duration", Below: quantity(11)}), ""},
		"negative wait":  {over(Threshold{Name: "a", Metric: "response_duration", Below: quantity(-1)}), "p95 of response_duration is never below 0"},
		"requests p95":   {over(Threshold{Name: "a", Metric: "requests", Stat: StatP95, Above: quantity(1)}), "p95 is none of requests, which is a counter: write rate, increase, ratio"},
		"quantile rate":  {over(Threshold{Name: "a", Metric: "response_duration", Stat: StatRate, Above: quantity(100)}), ""},
		"cpu negative":   {over(Threshold{Name: "a", Metric: "cpu_usage", Above: quantity(-1)}), "value of cpu_usage is never below 0"},
		"cpu 101":        {over(Threshold{Name: "a", Metric: "cpu_usage", Below: quantity(101)}), "value of cpu_usage is never above 100"},
		"p50 of refunds": {func(d *Domain) {
			d.Events = []Event{{Name: "saldo", Kind: KindHistogram, Buckets: []float64{-10, 0, 10}}}
			over(Threshold{Name: "a", Event: "saldo", Stat: StatP50, Below: quantity(-5)})(d)
		}, ""},
		"p50 below all": {func(d *Domain) {
			d.Events = []Event{{Name: "saldo", Kind: KindHistogram, Buckets: []float64{-10, 0, 10}}}
			over(Threshold{Name: "a", Event: "saldo", Stat: StatP50, Below: quantity(-11)})(d)
		}, ""},
		"p50 of no refunds": {func(d *Domain) {
			d.Events = []Event{{Name: "saldo", Kind: KindHistogram}}
			over(Threshold{Name: "a", Event: "saldo", Stat: StatP50, Below: quantity(-5)})(d)
		}, "p50 of saldo is never below 0"},
		"mean of refunds": {func(d *Domain) {
			d.Events = []Event{{Name: "saldo", Kind: KindHistogram, Buckets: []float64{-10, 0, 10}}}
			over(Threshold{Name: "a", Event: "saldo", Stat: StatMean, Below: quantity(-5)})(d)
		}, "thresholds[0].stat: there is no mean of saldo: values below 0 make its sum fall"},
		"mean without refunds": {func(d *Domain) {
			d.Events = []Event{{Name: "saldo", Kind: KindHistogram}}
			over(Threshold{Name: "a", Event: "saldo", Stat: StatMean, Below: quantity(-5)})(d)
		}, "mean of saldo is never below 0"},
		"gauge": {func(d *Domain) {
			d.Events = []Event{{Name: "nivel", Kind: KindGauge, Unit: "%"}}
			d.Thresholds = []Threshold{
				{Name: "a", Event: "nivel", Stat: StatMin, Window: Duration(time.Hour), Below: quantity(-5)},
				{Name: "b", Event: "nivel", Above: quantity(120)},
			}
		}, ""},
		"gauge rate": {func(d *Domain) {
			d.Events = []Event{{Name: "nivel", Kind: KindGauge}}
			over(Threshold{Name: "a", Event: "nivel", Stat: StatRate, Above: quantity(5)})(d)
		}, "rate is none of nivel, which is a gauge: write value, mean, max, min"},
		"gauge total": {event(Event{Name: "nivel_total", Kind: KindGauge}), "is a counter's"},
		"gauge sum":   {event(Event{Name: "nivel_sum", Kind: KindGauge}), "is a histogram's in Prometheus"},
		"max of sales": {func(d *Domain) {
			d.Events = []Event{{Name: "ventas"}}
			over(Threshold{Name: "a", Event: "ventas", Stat: StatMax, Above: quantity(5)})(d)
		}, "max is none of ventas, which is a counter"},

		"duration buckets":  {func(d *Domain) { d.Buckets.ResponseDuration = []Quantity{0.1, 3600} }, ""},
		"duration order":    {func(d *Domain) { d.Buckets.FunctionDuration = []Quantity{1, 0.5} }, "buckets.function_duration[1]: 0.5 does not rise above 1"},
		"duration negative": {func(d *Domain) { d.Buckets.FunctionDuration = []Quantity{-1, 0.5} }, "buckets.function_duration[0]: -1 s is no bound of a duration"},
		"duration NaN":      {func(d *Domain) { d.Buckets.FunctionDuration = []Quantity{Quantity(math.NaN())} }, "buckets.function_duration[0]: NaN is no bound"},
		"duration many":     {func(d *Domain) { d.Buckets.FunctionDuration = make([]Quantity, 101) }, "buckets.function_duration: 101 buckets, at most 100"},
		"many limits": {func(d *Domain) {
			for i := range 90 {
				d.Thresholds = append(d.Thresholds, Threshold{Name: fmt.Sprint("a", i), Metric: "response_duration", Above: quantity(20 + float64(i))})
			}
		}, "with the limits of thresholds and objectives response_duration has 107 bounds, at most 100"},
		"one limit too many": {func(d *Domain) {
			for i := range maxBuckets {
				d.Buckets.ResponseDuration = append(d.Buckets.ResponseDuration, Quantity(i+1))
			}
			d.Thresholds = []Threshold{{Name: "a", Metric: "response_duration", Above: quantity(0.5)}}
		}, "with the limits of thresholds and objectives response_duration has 101 bounds, at most 100"},
		"one limit too many of an event": {func(d *Domain) {
			e := Event{Name: "valor", Kind: KindHistogram}
			for i := range maxBuckets {
				e.Buckets = append(e.Buckets, float64(i+1))
			}
			d.Events, d.Thresholds = []Event{e}, []Threshold{{Name: "a", Event: "valor", Above: quantity(0.5)}}
		}, "events[0]: with the limits of thresholds and objectives valor has 101 bounds, at most 100"},
		"huge bucket": {event(Event{Name: "valor", Kind: KindHistogram, Buckets: []float64{1, 1e301}}), "events[0].buckets[1]: 1e+301 is beyond what can be recorded"},
		"many series": {func(d *Domain) {
			for i := range 20 {
				values := make([]string, 7000)
				for j := range values {
					values[j] = fmt.Sprint("v", i, "x", j)
				}
				d.Events = append(d.Events, Event{Name: fmt.Sprint("e", i), Attributes: map[string][]string{"a": values}})
			}
		}, "events: the events can make 140020 series, at most 100000: e0 alone can make 7001, so leave out an attribute of it, or some of its values"},
		"many buckets in all": {event(Event{Name: "valor", Kind: KindHistogram, Attributes: map[string][]string{"a": func() []string {
			values := make([]string, 6000)
			for j := range values {
				values[j] = fmt.Sprint("v", j)
			}
			return values
		}()}}), "the events can make 108018 series, at most 100000: valor alone can make 108018, so leave out an attribute of it, or some of its values, or some of its buckets"},
		"nearest event": {func(d *Domain) {
			d.Events = []Event{{Name: "ventas"}}
			over(Threshold{Name: "a", Metric: "venta", Above: quantity(1)})(d)
		}, "write event: ventas"},
		"event is metric": {over(Threshold{Name: "a", Event: "requests", Above: quantity(1)}), "write metric: requests"},
		"balance": {func(d *Domain) {
			d.Events = []Event{{Name: "saldo", Kind: KindUpDown}}
			over(Threshold{Name: "a", Event: "saldo", Below: quantity(-5)})(d)
		}, ""},

		"objective NaN": {func(d *Domain) { d.SLOs = []SLO{{Name: "a", Objective: math.NaN(), Good: Good{Status: "200"}}} }, "is not between 0 and 100"},
		"min requests": {func(d *Domain) {
			d.SLOs = []SLO{{Name: "a", Objective: 99, Good: Good{Status: "200"}, MinCount: new(-1)}}
		}, "min_count: -1 is not between 0 and 1000000000"},
		"fast as bucket": {func(d *Domain) {
			d.SLOs = []SLO{{Name: "a", Objective: 99, Good: Good{FasterThan: Duration(7500 * time.Millisecond)}}}
		}, ""},
		"faster": {func(d *Domain) {
			d.SLOs = []SLO{{Name: "a", Objective: 99, Good: Good{FasterThan: Duration(time.Millisecond)}}}
		}, ""},
		"faster than a day": {func(d *Domain) {
			d.SLOs = []SLO{{Name: "a", Objective: 99, Good: Good{FasterThan: Duration(25 * time.Hour)}}}
		}, "slos[0].good.faster_than: 1d1h is not between 1ms and 1d"},

		"no receiver":     {notify(Receiver{}), "notify[0]: needs one of log, action"},
		"unheard of":      {notify(Receiver{Other: map[string]map[string]any{"carrier_pigeon": {"a": 1}}}), `unknown receiver "carrier_pigeon": Alertmanager has discord`},
		"misspelt":        {notify(Receiver{Other: map[string]map[string]any{"pagerdut": {"a": 1}}}), `did you mean "pagerduty"`},
		"nested text":     {notify(Receiver{Other: map[string]map[string]any{"jira": {"a": []any{map[string]any{"b": "\x00"}}}}}), "notify[0].jira.a[0].b: has the control character"},
		"empty severity":  {notify(Receiver{Log: &LogReceiver{}, Severities: []Severity{""}}), "severities[0]: is empty"},
		"severity twice":  {notify(Receiver{Log: &LogReceiver{}, Severities: []Severity{"page", "page"}}), `severities[1]: "page" is there twice`},
		"password twice":  {notify(Receiver{Email: &EmailReceiver{To: []string{"a@b.c"}, SMTP: "h:25", PasswordEnv: "P", PasswordFile: "f"}}), "the password has one place"},
		"header in mail":  {notify(Receiver{Email: &EmailReceiver{To: []string{"a@b.c\r\nBcc: x@y.z"}, SMTP: "h:25"}}), "is no mail address"},
		"channel":         {notify(Receiver{Slack: &SlackReceiver{URLEnv: "SLACK"}}), "slack.channel: missing"},
		"url":             {notify(Receiver{Webhook: &WebhookReceiver{URL: "http://[::1"}}), "webhook.url: is no URL"},
		"url host":        {notify(Receiver{Webhook: &WebhookReceiver{URL: "http:///x"}}), "webhook.url: has no host"},
		"many receivers":  {func(d *Domain) { d.Notify = make([]Receiver, 101) }, "notify: 101 receivers, at most 100"},
		"many thresholds": {func(d *Domain) { d.Thresholds = make([]Threshold, 501) }, "thresholds: 501 thresholds, at most 500"},
		"many objectives": {func(d *Domain) { d.SLOs = make([]SLO, 501) }, "slos: 501 objectives, at most 500"},
	} {
		t.Run(name, func(t *testing.T) {
			d := Domain{Prefix: "tienda", Entity: "pedido"}
			c.change(&d)
			err := d.Validate()
			testkit.Error(t, err, c.want)
			var errs Errors
			if err == nil {
				return
			}
			if !errors.As(err, &errs) {
				t.Fatalf("%T is not Errors", err)
			}
			for _, e := range errs {
				if e.Line != 0 || e.File != "" {
					t.Errorf("an error with a place, without a file: %v", e)
				}
				if strings.Contains(e.Error(), "hunter2") {
					t.Errorf("an error with a secret: %v", e)
				}
			}
		})
	}
}

// TestSecretsStayOut gives a secret in each place where one may land by
// mistake, and looks for it in the errors.
func TestSecretsStayOut(t *testing.T) {
	for name, r := range map[string]Receiver{
		"userinfo":     {Webhook: &WebhookReceiver{URL: "https://user:hunter2@example.com/"}},
		"token in URL": {Webhook: &WebhookReceiver{URL: "ftp://example.com/hunter2"}},
		"broken URL":   {Webhook: &WebhookReceiver{URL: "http://example.com:hunter2/"}},
		"env":          {Email: &EmailReceiver{To: []string{"a@b.c"}, SMTP: "h:25", PasswordEnv: "hunter2!"}},
		"URL's query":  {Webhook: &WebhookReceiver{URL: "https://example.com/?access_token=hunter2"}},
		"list":         {Other: map[string]map[string]any{"pagerduty": {"http_config": map[string]any{"http_headers": map[string]any{"X-Api": map[string]any{"secrets": []any{"hunter2"}}}}}}},
		"header":       {Other: map[string]map[string]any{"pagerduty": {"http_config": map[string]any{"http_headers": map[string]any{"Authorization": map[string]any{"values": []any{"hunter2"}}}}}}},
		"proxy":        {Other: map[string]map[string]any{"telegram": {"http_config": map[string]any{"proxy_url": "http://u:hunter2@proxy:3128"}}}},
		"proxy header": {Other: map[string]map[string]any{"telegram": {"http_config": map[string]any{"proxy_connect_header": map[string]any{"Proxy-Authorization": []any{"hunter2"}}}}}},
		"link":         {Other: map[string]map[string]any{"pagerduty": {"links": []any{map[string]any{"href": "https://x/?sig=hunter2"}}}}},
		"signature":    {Other: map[string]map[string]any{"sns": {"sigv4": map[string]any{"secret_key": "hunter2"}}}},
		"key":          {Other: map[string]map[string]any{"webex": {"http_config": map[string]any{"tls_config": map[string]any{"key": "hunter2"}}}}},
		"option":       {Other: map[string]map[string]any{"pagerduty": {"routing_key": "hunter2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			err := Domain{Prefix: "tienda", Entity: "pedido", Notify: []Receiver{r}}.Validate()
			if err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	_, err := Parse("domain.yaml", []byte("prefix: otel\nentity: X\n"))
	var one *Error
	if !errors.As(err, &one) || one.Path != "prefix" || one.Line != 1 || one.Column != 1 || one.File != "domain.yaml" {
		t.Errorf("errors.As gives %#v", one)
	}
	if lines := strings.Count(err.Error(), "\n"); lines != 1 {
		t.Errorf("want two lines:\n%v", err)
	}
}

func TestStats(t *testing.T) {
	for kind, want := range map[Kind]Stat{KindCounter: StatRate, KindHistogram: StatP95, KindUpDown: StatValue, KindGauge: StatValue, "": StatRate} {
		if got := kind.Stats()[0]; got != want {
			t.Errorf("the stat of %q is %s, want %s", kind, got, want)
		}
	}
	if StatP99.Quantile() != 0.99 || StatMean.Quantile() != 0 {
		t.Error("quantiles are wrong")
	}
}
