package telemetry

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/latido-dev/latido/domain"
)

// inert are all the Telemetries that record nothing, and one that does.
func inert(t *testing.T) map[string]*Telemetry {
	t.Helper()
	failed, err := Init(t.Context(), Config{Domain: domain.Domain{Prefix: "tu_prefijo"}})
	if err == nil || !strings.Contains(err.Error(), "prefix") {
		t.Fatalf("a placeholder is accepted: %v", err)
	}
	halfway, err := Init(t.Context(), quiet(func(c *Config) {
		c.Views = []sdkmetric.View{func(sdkmetric.Instrument) (sdkmetric.Stream, bool) {
			return sdkmetric.Stream{Aggregation: sdkmetric.AggregationLastValue{}}, true
		}}
	}))
	if err == nil {
		t.Fatal("an aggregation that does not fit is accepted")
	}
	t.Setenv("OTEL_SDK_DISABLED", "true")
	disabled, err := Init(t.Context(), quiet())
	must(t, err)
	t.Setenv("OTEL_SDK_DISABLED", "")
	stopped, err := Init(t.Context(), quiet())
	must(t, err)
	must(t, stopped.Shutdown(t.Context()))
	return map[string]*Telemetry{
		"nil": nil, "zero": {}, "failed": failed, "failed half way": halfway, "disabled": disabled, "stopped": stopped, "running": start(t),
	}
}

// arguments are values of a type that a careless caller gives: nothing, or what
// makes no sense.
func arguments(of reflect.Type) []reflect.Value {
	values := []reflect.Value{reflect.Zero(of)}
	for _, one := range []any{
		"no such name", "\xff", context.Background(), errors.New("x"), http.StateNew, http.NotFoundHandler(), http.HandlerFunc(nil),
		func(context.Context) error { return nil }, slog.DiscardHandler, http.DefaultTransport, attribute.String("k", "v"), int64(-1), -1,
	} {
		if v := reflect.ValueOf(one); v.Type().AssignableTo(of) {
			values = append(values, v)
		}
	}
	return values
}

// TestEveryMethodAnywhere calls every exported method of Telemetry, those to
// come too, on every kind of Telemetry, with nil and with nonsense, and every
// method without arguments of what they return: none panics.
func TestEveryMethodAnywhere(t *testing.T) {
	for name, tel := range inert(t) {
		for i := range reflect.TypeFor[*Telemetry]().NumMethod() {
			method := reflect.TypeFor[*Telemetry]().Method(i)
			t.Run(name+" "+method.Name, func(t *testing.T) {
				most := 1
				choices := make([][]reflect.Value, method.Type.NumIn())
				for j := 1; j < len(choices); j++ {
					in := method.Type.In(j)
					if method.Type.IsVariadic() && j == len(choices)-1 {
						in = in.Elem()
					}
					choices[j] = arguments(in)
					most = max(most, len(choices[j]))
				}
				for k := range most {
					in := []reflect.Value{reflect.ValueOf(tel)}
					for _, choice := range choices[1:] {
						in = append(in, choice[min(k, len(choice)-1)])
					}
					if method.Name == "Shutdown" && name == "running" {
						continue // it has a test of its own, and ends the others
					}
					for _, out := range method.Func.Call(in) {
						callAll(out)
					}
				}
			})
		}
	}
	(&Counter{}).With("a", "b").Add(1)
	(&UpDown{}).With().Add(1)
	(&Histogram{}).With().Record(t.Context(), 1)
	BoundCounter{}.Add(1)
	BoundUpDown{}.Add(1)
	BoundHistogram{}.Record(t.Context(), 1)
}

// callAll calls the methods of what a method of ours returned that need no
// argument, or only a context.
func callAll(v reflect.Value) {
	for v.Kind() == reflect.Interface && !v.IsNil() {
		v = v.Elem()
	}
	if !v.IsValid() || v.Kind() == reflect.Interface || !strings.Contains(v.Type().String(), "telemetry.") {
		return
	}
	for i := range v.NumMethod() {
		method := v.Type().Method(i)
		switch {
		case method.Type.NumIn() == 1:
			v.Method(i).Call(nil)
		case method.Type.NumIn() == 2 && method.Type.IsVariadic():
			v.Method(i).Call(nil)
		}
	}
}

// TestInertGoesThrough: without telemetry the service is the same. Handlers
// answer, and functions run.
func TestInertGoesThrough(t *testing.T) {
	for name, tel := range inert(t) {
		t.Run(name, func(t *testing.T) {
			called := false
			must(t, tel.Monitor("f", func(context.Context) error { called = true; return nil })(t.Context()))
			if value, err := Monitor(tel, "g", func(context.Context) (int, error) { return 3, nil })(t.Context()); !called || value != 3 || err != nil {
				t.Errorf("monitored functions do not run: %v %v %v", called, value, err)
			}
			if _, err := Monitor(tel, "h", func(context.Context) (int, error) { return 0, io.EOF })(t.Context()); !errors.Is(err, io.EOF) {
				t.Errorf("the error is %v", err)
			}
			answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
			mux := tel.NewServeMux()
			mux.Handle("/", answer)
			for _, h := range []http.Handler{mux, tel.Middleware(answer), tel.RouteHandler("/", answer)} {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
				if w.Code != http.StatusTeapot {
					t.Errorf("status %d", w.Code)
				}
			}
			_, err := tel.MeterProvider().Meter("m").Int64Counter("c")
			must(t, err)
			_, span := tel.TracerProvider().Tracer("t").Start(t.Context(), "s")
			span.End()
			if tel.Propagator() == nil || tel.Logger() == nil {
				t.Error("no propagator, or no logger")
			}
			tel.Admin().Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://localhost/metrics", nil))
		})
	}
}
