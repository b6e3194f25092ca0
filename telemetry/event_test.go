package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/latido-dev/latido/domain"
)

// TestDeclaredSeries wants every declared combination at 0 from the start, so
// that increase() sees the first event.
func TestDeclaredSeries(t *testing.T) {
	t.Parallel()
	all := scrape(t, start(t))
	all.of("tienda_envios_total").wantOnly(t, series{
		`tienda_envios_total{ciudad="bogota",modo="moto"}`: 0, `tienda_envios_total{ciudad="bogota",modo="camion"}`: 0,
		`tienda_envios_total{ciudad="cali",modo="moto"}`: 0, `tienda_envios_total{ciudad="cali",modo="camion"}`: 0,
	})
	all.want(t, series{"tienda_valor_pedido_COP_count": 0, `tienda_carritos_activos{canal="movil"}`: 0})
}

// TestManyCombinations has an event with more series than exist at first: they
// appear when they are recorded.
func TestManyCombinations(t *testing.T) {
	t.Parallel()
	values := make([]string, 40)
	for i := range values {
		values[i] = "v" + strconv.Itoa(i)
	}
	tel := start(t, func(c *Config) {
		c.Domain.Events = []domain.Event{
			{Name: "few", Attributes: map[string][]string{"a": values[:20], "b": values[:20]}},
			{Name: "many", Attributes: map[string][]string{"a": values, "b": values}},
			{Name: "wide", Kind: domain.KindHistogram, Attributes: map[string][]string{"a": values, "b": values}},
		}
	})
	tel.Count("many", "a", "v3", "b", "v39")
	tel.Histogram("wide").With("a", "v1", "b", "v2").Record(t.Context(), 3)
	all := scrape(t, tel)
	if n := len(all.of("tienda_few_total")); n != 400 {
		t.Errorf("%d series of few at the start, want all 400", n)
	}
	all.of("tienda_many_total").wantOnly(t, series{`tienda_many_total{a="v3",b="v39"}`: 1})
	all.of("tienda_wide_count").wantOnly(t, series{`tienda_wide_count{a="v1",b="v2"}`: 1})
}

// TestEventAttributes records with names and values as people get them wrong.
func TestEventAttributes(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		attributes []string
		want       string // the labels of the series that counts
		refused    series
	}{
		"as declared":         {[]string{"ciudad", "cali", "modo", "moto"}, `ciudad="cali",modo="moto"`, nil},
		"in another order":    {[]string{"modo", "moto", "ciudad", "cali"}, `ciudad="cali",modo="moto"`, nil},
		"other, said so":      {[]string{"ciudad", "_other", "modo", "moto"}, `ciudad="_other",modo="moto"`, nil},
		"undeclared value":    {[]string{"ciudad", "lima", "modo", "moto"}, `ciudad="_other",modo="moto"`, series{refused("value"): 1}},
		"left out":            {[]string{"modo", "moto"}, `ciudad="_other",modo="moto"`, series{refused("value"): 1}},
		"nothing":             {nil, `ciudad="_other",modo="_other"`, series{refused("value"): 2}},
		"undeclared name":     {[]string{"ciudad", "cali", "modo", "moto", "pais", "co"}, `ciudad="cali",modo="moto"`, series{refused("attribute"): 1}},
		"given twice":         {[]string{"ciudad", "cali", "ciudad", "bogota", "modo", "moto"}, `ciudad="cali",modo="moto"`, nil},
		"one name, twice":     {[]string{"ciudad", "cali", "ciudad", "bogota"}, `ciudad="cali",modo="_other"`, series{refused("value"): 1}},
		"a name without more": {[]string{"ciudad", "cali", "modo", "moto", "x"}, `ciudad="cali",modo="moto"`, nil},
		"empty":               {[]string{"", "", "", ""}, `ciudad="_other",modo="_other"`, series{refused("attribute"): 2, refused("value"): 2}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			tel := start(t)
			tel.Count("envios", c.attributes...)
			all := scrape(t, tel)
			all.of("tienda_envios_total").above0().wantOnly(t, series{"tienda_envios_total{" + c.want + "}": 1})
			want := series{}
			for k, v := range c.refused {
				want[k] = v
			}
			all.of("tienda_telemetry_refused_total").above0().wantOnly(t, want)

			tel.Counter("envios").With(c.attributes...).Add(2) // the same series
			scrape(t, tel).want(t, series{"tienda_envios_total{" + c.want + "}": 3})
		})
	}
}

// TestWrongEvents uses names that the domain does not have, or not so: nothing
// is counted, and it is said once, with the nearest name.
func TestWrongEvents(t *testing.T) {
	t.Parallel()
	tel := start(t)
	for range 3 {
		tel.Count("pedidos_procesado", "canal", "web")
		tel.Counter("valor_pedido").With().Add(1)
		tel.Count("valor_pedido")
		tel.Histogram("carritos_activos").With().Record(t.Context(), 1)
	}
	all := scrape(t, tel)
	all.want(t, series{refused("event"): 12, "tienda_valor_pedido_COP_count": 0})
	wantTold(t, journalOf(tel), "nearest=pedidos_procesados")
	wantTold(t, journalOf(tel), "event=valor_pedido declared=histogram used=counter")
	wantTold(t, journalOf(tel), "event=carritos_activos declared=updown used=histogram")
}

// TestWrongNumbers records what would spoil a series for ever.
func TestWrongNumbers(t *testing.T) {
	t.Parallel()
	tel := start(t)
	web := tel.Counter("pedidos_procesados").With("canal", "web")
	value := tel.Histogram("valor_pedido").With()
	web.Add(5)
	web.Add(-5)
	web.Add(0)
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		value.Record(t.Context(), v)
	}
	for _, v := range []float64{10, 0.25, -4, 1 << 40, -0.5, 10.5} {
		value.Record(t.Context(), v)
	}
	scrape(t, tel).want(t, series{
		`tienda_pedidos_procesados_total{canal="web"}`: 5,
		refused("number"):                           6,
		"tienda_valor_pedido_COP_count":             4,
		"tienda_valor_pedido_COP_sum":               20.75 + 1<<40,
		`tienda_valor_pedido_COP_bucket{le="10"}`:   2, // a bound belongs to its bucket
		`tienda_valor_pedido_COP_bucket{le="50"}`:   3,
		`tienda_valor_pedido_COP_bucket{le="+Inf"}`: 4,
	})
}

// TestConcurrentRecording loses nothing.
func TestConcurrentRecording(t *testing.T) {
	t.Parallel()
	tel := start(t)
	value := tel.Histogram("valor_pedido").With()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			web := tel.Counter("pedidos_procesados").With("canal", "web")
			for i := range 1000 {
				web.Add(1)
				tel.Count("envios", "ciudad", "cali", "modo", "nuevo")
				value.Record(context.Background(), float64(i%2)+0.5)
				tel.APIError(fs.ErrNotExist)
			}
		})
	}
	wg.Wait()
	scrape(t, tel).want(t, series{
		`tienda_pedidos_procesados_total{canal="web"}`:     8000,
		`tienda_envios_total{ciudad="cali",modo="_other"}`: 8000,
		"tienda_valor_pedido_COP_sum":                      8000,
		"tienda_valor_pedido_COP_count":                    8000,
	})
}

// FuzzRecord records with any text: nothing panics, and the series stay within
// what the domain allows.
func FuzzRecord(f *testing.F) {
	f.Add("envios", "ciudad", "cali", "modo", "moto")
	f.Add("", "", "\xff", "le", "\x00")
	tel := start(f)
	tel.Count("envios")
	f.Fuzz(func(t *testing.T, event, a, b, c, d string) {
		for _, attributes := range [][]string{{a, b, c, d}, {a, b, c}, {a}, {"ciudad", b, a, d}} {
			tel.Count(event, attributes...)
			tel.Count("envios", attributes...)
			tel.Counter(event).With(attributes...).Add(1)
			tel.Histogram("valor_pedido").With(attributes...).Record(t.Context(), 1)
		}
		tel.APIError(ErrorType(a))
		if n := len(scrape(t, tel).of("tienda_envios_total")); n > 9 {
			t.Errorf("%d series of an event with nine combinations", n)
		}
	})
}

type paymentError struct{}

func (paymentError) Error() string     { return "refused" }
func (paymentError) ErrorType() string { return "pago" }

type strangeError struct{}

func (strangeError) Error() string     { return "strange" }
func (strangeError) ErrorType() string { return "nobody declared this" }

func TestAPIError(t *testing.T) {
	t.Parallel()
	_, numError := strconv.Atoi("x")
	for want, err := range map[string]error{
		"error":             errors.New("plain"),
		"canceled":          fmt.Errorf("query: %w", context.Canceled),
		"timeout":           fmt.Errorf("query: %w", os.ErrDeadlineExceeded),
		"*strconv.NumError": fmt.Errorf("id: %w", numError),
		"pago":              fmt.Errorf("charge: %w", paymentError{}),
		"_other":            strangeError{},

		"disk_full":          &fs.PathError{Op: "write", Path: "a", Err: syscall.ENOSPC},
		"too_many_files":     fmt.Errorf("accept: %w", os.NewSyscallError("accept4", syscall.EMFILE)),
		"connection_refused": &url.Error{Op: "Get", URL: "http://x", Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}},
	} {
		t.Run(want, func(t *testing.T) {
			tel := start(t)
			tel.APIError(err)
			tel.APIError(nil)
			scrape(t, tel).of("tienda_api_errors_total").above0().wantOnly(t, series{`tienda_api_errors_total{error_type="` + want + `"}`: 1})
		})
	}
}

// TestErrorTypesAreBounded makes more Go types of errors than are counted.
func TestErrorTypesAreBounded(t *testing.T) {
	t.Parallel()
	tel := start(t)
	for i := range maxErrorTypes - 1 {
		tel.goErrors.Store("type"+strconv.Itoa(i), nil)
		tel.goErrorCount.Add(1)
	}
	for range 2 {
		tel.APIError(&fs.PathError{Err: errors.New("x")})
		tel.APIError(&url.Error{Err: errors.New("x")})
	}
	scrape(t, tel).want(t, series{`tienda_api_errors_total{error_type="*fs.PathError"}`: 2, `tienda_api_errors_total{error_type="_other"}`: 2})
}

func TestMonitor(t *testing.T) {
	t.Parallel()
	tel := start(t)
	ctx := t.Context()
	must(t, tel.Monitor("cobrar", func(context.Context) error { return nil })(ctx))
	if err := tel.Monitor("cobrar", func(context.Context) error { return paymentError{} })(ctx); err == nil {
		t.Error("the error is lost")
	}
	func() {
		defer func() {
			if p := recover(); p != "boom" {
				t.Errorf("panicked with %v", p)
			}
		}()
		_ = tel.Monitor("cobrar", func(context.Context) error { panic("boom") })(ctx)
	}()
	value, err := Monitor(tel, "leer", func(context.Context) (string, error) { return "x", nil })(ctx)
	if value != "x" || err != nil {
		t.Errorf("%q %v", value, err)
	}
	scrape(t, tel).of("tienda_function_calls_total").wantOnly(t, series{
		`tienda_function_calls_total{error_type="",function="cobrar"}`:      1,
		`tienda_function_calls_total{error_type="pago",function="cobrar"}`:  1,
		`tienda_function_calls_total{error_type="panic",function="cobrar"}`: 1,
		`tienda_function_calls_total{error_type="",function="leer"}`:        1,
	})
	scrape(t, tel).want(t, series{`tienda_function_duration_seconds_count{function="cobrar"}`: 3})
	for i := range maxFunctions + 10 {
		_ = tel.Monitor("f"+strconv.Itoa(i), func(context.Context) error { return nil })(ctx)
	}
	if n := len(scrape(t, tel).of("tienda_function_duration_seconds_count")); n != maxFunctions+1 {
		t.Errorf("%d functions, want as many as may be, and _other", n)
	}
	wantTold(t, journalOf(tel), "too many monitored functions")
}

// TestExemplars leaves the trace of a sampled span on the bucket of its value.
func TestExemplars(t *testing.T) {
	t.Parallel()
	tel, _ := startTraced(t)
	ctx, span := tel.TracerProvider().Tracer("t").Start(t.Context(), "s")
	tel.Histogram("valor_pedido").With().Record(ctx, 60)
	span.End()
	id := span.SpanContext().TraceID().String()
	text := metricsText(t, tel, "application/openmetrics-text; version=1.0.0")
	found := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, `tienda_valor_pedido_COP_bucket{le="100.0"} 1 # {`) && strings.Contains(line, `trace_id="`+id+`"`) {
			found = true
		}
	}
	if !found {
		t.Errorf("no exemplar of the trace %s in\n%s", id, text)
	}
	if strings.Contains(metricsText(t, tel, ""), id) {
		t.Error("an exemplar in the classic format, which has none")
	}
}
