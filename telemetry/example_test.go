package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/telemetry"
)

// begin is what the examples have before them: a small domain, and nothing
// that listens or profiles.
func begin() *telemetry.Telemetry {
	tel, err := telemetry.Init(context.Background(), telemetry.Config{
		Domain: domain.Domain{
			Prefix: "tienda", Entity: "pedido", Errors: []string{"payment_refused"},
			Events: []domain.Event{
				{Name: "pedidos_procesados", Attributes: map[string][]string{"canal": {"web", "movil"}}},
				{Name: "carritos_activos", Kind: domain.KindUpDown},
				{Name: "valor_pedido", Kind: domain.KindHistogram, Unit: "COP", Buckets: []float64{10_000, 50_000}},
			},
		},
		KeepGlobals: true, Admin: telemetry.AdminConfig{Disabled: true}, Profiling: continuous.Config{Disabled: true},
	})
	if err != nil {
		log.Fatal(err)
	}
	return tel
}

// show prints the series of /metrics that begin so and are not 0.
func show(tel *telemetry.Telemetry, prefix string) {
	w := httptest.NewRecorder()
	tel.Admin().Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, prefix) && !strings.HasSuffix(line, " 0\n") {
			fmt.Print(line)
		}
	}
}

func ExampleInit() {
	tel, err := telemetry.Init(context.Background(), telemetry.Config{
		Domain: domain.Domain{Prefix: "educación", Entity: "curso"},
	})
	if err != nil {
		fmt.Println(err) // the service goes on; tel records nothing
	}
	defer tel.Shutdown(context.Background())
	// Output: latido: prefix: "educación" may only have a-z, 0-9 and _ between them, and starts with a letter (did you mean "educacion"?)
}

func ExampleTelemetry_NewServeMux() {
	tel := begin()
	defer tel.Shutdown(context.Background())
	mux := tel.NewServeMux() // instead of http.NewServeMux
	mux.HandleFunc("GET /pedidos/{id}", func(w http.ResponseWriter, _ *http.Request) {})
	for _, path := range []string{"/pedidos/1", "/pedidos/2", "/nowhere"} {
		mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	show(tel, "tienda_requests_total")
	// Output:
	// tienda_requests_total{endpoint="unmatched",method="GET",status="404"} 1
	// tienda_requests_total{endpoint="/pedidos/{id}",method="GET",status="200"} 2
}

func ExampleCounter_With() {
	tel := begin()
	defer tel.Shutdown(context.Background())
	web := tel.Counter("pedidos_procesados").With("canal", "web") // once
	web.Add(1)                                                    // one atomic addition
	web.Add(2)
	show(tel, "tienda_pedidos_procesados_total")
	// Output: tienda_pedidos_procesados_total{canal="web"} 3
}

func ExampleTelemetry_Count() {
	tel := begin()
	defer tel.Shutdown(context.Background())
	tel.Count("pedidos_procesados", "canal", "movil")
	tel.Count("pedidos_procesados", "canal", "fax") // not declared
	show(tel, "tienda_pedidos_procesados_total")
	// Output:
	// tienda_pedidos_procesados_total{canal="movil"} 1
	// tienda_pedidos_procesados_total{canal="_other"} 1
}

func ExampleBoundHistogram_Record() {
	tel := begin()
	defer tel.Shutdown(context.Background())
	value := tel.Histogram("valor_pedido").With()
	value.Record(context.Background(), 52_000)
	show(tel, "tienda_valor_pedido_COP")
	// Output:
	// tienda_valor_pedido_COP_bucket{le="+Inf"} 1
	// tienda_valor_pedido_COP_sum 52000
	// tienda_valor_pedido_COP_count 1
}

func ExampleTelemetry_Monitor() {
	tel := begin()
	defer tel.Shutdown(context.Background())
	charge := tel.Monitor("charge_card", func(context.Context) error { return context.DeadlineExceeded })
	_ = charge(context.Background())
	show(tel, "tienda_function_calls_total")
	// Output: tienda_function_calls_total{error_type="timeout",function="charge_card"} 1
}

func ExampleTelemetry_APIError() {
	tel := begin()
	defer tel.Shutdown(context.Background())
	tel.APIError(fmt.Errorf("load order: %w", errors.New("no such row")))
	tel.APIError(telemetry.ErrorType("payment_refused"))
	show(tel, "tienda_api_errors_total")
	// Output:
	// tienda_api_errors_total{error_type="payment_refused"} 1
	// tienda_api_errors_total{error_type="error"} 1
}
