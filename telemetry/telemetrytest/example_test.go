package telemetrytest_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/telemetry"
	"github.com/latido-dev/latido/telemetry/telemetrytest"
)

// tienda is a small shop; in a service it is what domain.Load reads.
var tienda = telemetry.Config{Domain: domain.Domain{
	Prefix: "tienda", Entity: "pedido", Errors: []string{"payment_refused"},
	Events: []domain.Event{
		{Name: "pedidos_procesados", Attributes: map[string][]string{"canal": {"web", "movil"}}},
		{Name: "valor_pedido", Kind: domain.KindHistogram, Unit: "COP"},
	},
}}

// exampleT stands in for the *testing.T of a test, which an example has not.
type exampleT struct {
	testing.TB
	end func()
}

func (t *exampleT) Helper()                      {}
func (t *exampleT) Context() context.Context     { return context.Background() }
func (t *exampleT) Output() io.Writer            { return io.Discard }
func (t *exampleT) Cleanup(end func())           { t.end = end }
func (t *exampleT) Fatalf(text string, a ...any) { log.Fatalf(text, a...) }
func (t *exampleT) Errorf(text string, a ...any) { log.Fatalf(text, a...) }

func ExampleRecorder_Value() {
	t := new(exampleT) // in a test: func TestOrders(t *testing.T)
	rec := telemetrytest.New(t, tienda)
	defer t.end() // a test ends by itself

	orders := rec.Telemetry.Counter("pedidos_procesados")
	orders.With("canal", "web").Add(2)
	orders.With("canal", "movil").Add(1)
	rec.Telemetry.APIError(telemetry.ErrorType("payment_refused"))

	fmt.Println(rec.Value("pedidos_procesados", "canal", "web"))
	fmt.Println(rec.Value("pedidos_procesados")) // of all channels
	fmt.Println(rec.Value("api_errors", "error.type", "payment_refused"))
	// Output:
	// 2
	// 3
	// 1
}

func ExampleRecorder_Requests() {
	t := new(exampleT) // in a test: func TestOrders(t *testing.T)
	rec := telemetrytest.New(t, tienda)
	defer t.end() // a test ends by itself

	mux := rec.Telemetry.NewServeMux()
	mux.HandleFunc("POST /pedidos", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) })
	mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/pedidos", nil))

	fmt.Println(rec.Requests("POST", "/pedidos", 201))
	// Output: 1
}

func ExampleRecorder_Histogram() {
	t := new(exampleT) // in a test: func TestOrders(t *testing.T)
	rec := telemetrytest.New(t, tienda)
	defer t.end() // a test ends by itself

	rec.Telemetry.Histogram("valor_pedido").With().Record(t.Context(), 52_000)

	count, sum := rec.Histogram("valor_pedido")
	fmt.Println(count, sum)
	// Output: 1 52000
}

func ExampleRecorder_Refused() {
	t := new(exampleT) // in a test: func TestOrders(t *testing.T)
	rec := telemetrytest.New(t, tienda)
	defer t.end() // a test ends by itself

	rec.Telemetry.Count("pedido_procesado") // the domain has pedidos_procesados

	fmt.Println(rec.Refused())
	// Output: 1
}
