package shop

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/telemetry"
	"github.com/latido-dev/latido/telemetry/telemetrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testShop is the API on a database of its own. rec is nil with a profiler.
type testShop struct {
	*testing.T
	api     *API
	handler http.Handler
	rec     *telemetrytest.Recorder
}

func open(t *testing.T, path string) *testShop {
	t.Helper()
	rec := telemetrytest.New(t, telemetry.Config{Domain: tienda(t)})
	s := openWith(t, path, rec.Telemetry)
	s.rec = rec
	t.Cleanup(func() {
		if n := rec.Refused(); n != 0 {
			t.Errorf("%d recordings were refused: all that the shop records is declared", n)
		}
	})
	return s
}

// openProfiled also has a profiler: without one, goroutines have no labels.
func openProfiled(t *testing.T, path string) *testShop {
	t.Helper()
	tel, err := telemetry.Init(t.Context(), telemetry.Config{Domain: tienda(t), KeepGlobals: true, Admin: telemetry.AdminConfig{Disabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return openWith(t, path, tel)
}

func tienda(t *testing.T) domain.Domain {
	t.Helper()
	d, err := domain.Load("../domain.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func openWith(t *testing.T, path string, tel *telemetry.Telemetry) *testShop {
	t.Helper()
	store, err := OpenStore(t.Context(), path, tel)
	if err != nil {
		t.Fatal(err)
	}
	api := New(store, tel)
	t.Cleanup(func() {
		api.Breaks.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &testShop{T: t, api: api, handler: api.Handler()}
}

// ask sends a request, and checks the status and a part of the answer.
func (s *testShop) ask(method, path, body string, status int, part string) []byte {
	s.Helper()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	if w.Code != status || !strings.Contains(w.Body.String(), part) {
		s.Errorf("%s %s %s\n answers %d %s\n want %d with %s", method, path, body, w.Code, w.Body, status, part)
	}
	return w.Body.Bytes()
}

// counted checks the value of a metric.
func (s *testShop) counted(want float64, metric string, attributes ...string) {
	s.Helper()
	if got := s.rec.Value(metric, attributes...); got != want {
		s.Errorf("%s %v is %v, want %v", metric, attributes, got, want)
	}
}

const coffee = `{"cliente": "Ana", "canal": "web", "articulos": [{"sku": "CAFE-500", "cantidad": 2, "precio": 30000}]}`

func TestOrders(t *testing.T) {
	s := open(t, Memory)
	s.ask("POST", "/pedidos", coffee, 201, `"id":1,"cliente":"Ana","canal":"web"`)
	s.ask("POST", "/pedidos", strings.Replace(coffee, "web", "movil", 1), 201, `"total":60000`)
	s.ask("GET", "/pedidos/1", "", 200, `"estado":"nuevo"`)
	s.ask("PUT", "/pedidos/1", strings.Replace(coffee, "2", "3", 1), 200, `"total":90000`)
	s.ask("GET", "/pedidos/1", "", 200, `"total":90000`)
	s.ask("POST", "/pedidos/1/cancelar", `{"motivo": "cliente"}`, 200, `"estado":"cancelado","motivo":"cliente"`)
	s.ask("POST", "/pedidos/1/cancelar", `{"motivo": "cliente"}`, 409, "ya estaba cancelado")
	s.ask("PUT", "/pedidos/1", coffee, 409, "ya no cambia")

	s.counted(1, "pedidos_procesados", "canal", "web")
	s.counted(1, "pedidos_procesados", "canal", "movil")
	s.counted(2, "pedidos_procesados")
	s.counted(1, "pedidos_cancelados", "motivo", "cliente")
	s.counted(1, "pedidos_cancelados")
	s.counted(4, "unidades_vendidas")
	if count, sum := s.rec.Histogram("valor_pedido"); count != 2 || sum != 120_000 {
		t.Errorf("%d orders of %v COP in all, want 2 of 120000", count, sum)
	}
	s.counted(2, "entities_created")
	s.counted(2, "entities_updated")
	for _, want := range []struct {
		method, endpoint string
		status, n        int
	}{
		{"POST", "/pedidos", 201, 2},
		{"GET", "/pedidos/{id}", 200, 2},
		{"PUT", "/pedidos/{id}", 200, 1},
		{"PUT", "/pedidos/{id}", 409, 1},
		{"POST", "/pedidos/{id}/cancelar", 200, 1},
		{"POST", "/pedidos/{id}/cancelar", 409, 1},
		{"", "", 0, 8},
	} {
		if n := s.rec.Requests(want.method, want.endpoint, want.status); n != want.n {
			t.Errorf("%s %s %d: %d requests, want %d", want.method, want.endpoint, want.status, n, want.n)
		}
	}
	s.counted(0, "api_errors") // the client's mistakes are no errors of the API
}

func TestWrongInput(t *testing.T) {
	s := open(t, Memory)
	many := strings.Repeat(`{"sku": "A", "cantidad": 1, "precio": 1},`, maxItems)
	for body, want := range map[string]string{
		``:                                       "400 está vacío",
		`{`:                                      "400 no es el JSON esperado",
		`[]`:                                     "400 no es el JSON esperado",
		coffee + coffee:                          "400 más de un valor",
		`{"client": "Ana"}`:                      "400 unknown field \\\"client\\\"",
		strings.Repeat(" ", maxBody+1) + coffee:  "413 65536 bytes",
		`{}`:                                     `422 {"campo":"cliente","problema":"no puede estar vacío"}`,
		strings.Replace(coffee, "web", "fax", 1): `422 {"campo":"canal","problema":"debe ser uno de: web, movil, tienda"}`,
		strings.Replace(coffee, "Ana", strings.Repeat("ñ", 101), 1):  "422 más de 100 caracteres",
		strings.Replace(coffee, `"cantidad": 2`, `"cantidad": 0`, 1): `422 "articulos[0].cantidad"`,
		strings.Replace(coffee, "30000", "-1", 1):                    `422 "articulos[0].precio"`,
		strings.Replace(coffee, "[", "["+many, 1):                    `422 entre 1 y 50 artículos`,
	} {
		status, part, _ := strings.Cut(want, " ")
		code, err := strconv.Atoi(status)
		if err != nil {
			t.Fatal(err)
		}
		s.ask("POST", "/pedidos", body, code, part)
	}
	s.ask("GET", "/pedidos/abc", "", 400, "no es un número positivo")
	s.ask("GET", "/pedidos/0", "", 400, "no es un número positivo")
	s.ask("GET", "/pedidos/99", "", 404, "no hay un pedido 99")
	s.ask("PUT", "/pedidos/99", coffee, 404, "no hay un pedido 99")
	s.ask("GET", "/pedidos?limite=1000", "", 400, "entre 1 y 100")
	s.ask("GET", "/pedidos?antes=x", "", 400, "antes=")
	s.ask("POST", "/pedidos/99/cancelar", `{"motivo": "porque sí"}`, 422, "cliente, sin_existencias, pago_rechazado")
	s.ask("DELETE", "/pedidos", "", 405, "")
	s.ask("GET", "/nada", "", 404, "")
	s.counted(0, "pedidos_procesados")
}

func TestList(t *testing.T) {
	s := open(t, Memory)
	if err := s.api.Store.Seed(t.Context(), 25); err != nil {
		t.Fatal(err)
	}
	var seen []int64
	for path := "/pedidos?limite=10"; ; {
		var page Page
		if err := json.Unmarshal(s.ask("GET", path, "", 200, "pedidos"), &page); err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Orders {
			seen = append(seen, o.ID)
		}
		if page.Next == 0 {
			break
		}
		path = fmt.Sprintf("/pedidos?limite=10&antes=%d", page.Next)
	}
	if len(seen) != 25 || seen[0] != 25 || seen[24] != 1 {
		t.Errorf("the pages have the orders %v, want 25 to 1", seen)
	}
	s.counted(0, "entities_created") // orders of earlier days are not today's
}

func TestCarts(t *testing.T) {
	s := open(t, Memory)
	s.ask("POST", "/carritos", "", 201, `{"id":1}`)
	s.ask("POST", "/carritos", "", 201, `{"id":2}`)
	s.ask("POST", "/carritos", "", 201, `{"id":3}`)
	s.counted(3, "carritos_activos")
	s.ask("POST", "/pedidos", strings.Replace(coffee, "{", `{"carrito": 2,`, 1), 201, "")
	s.ask("DELETE", "/carritos/1", "", 204, "")
	s.ask("DELETE", "/carritos/1", "", 404, "no hay un carrito abierto 1")
	s.counted(1, "carritos_activos")

	for range maxCarts + 10 { // the oldest make room
		s.api.carts.add()
	}
	s.counted(maxCarts, "carritos_activos")
	if s.api.carts.close(13) || !s.api.carts.close(14) {
		t.Error("cart 13 is open or 14 is not: want the latest to be kept")
	}
}

func TestSupplier(t *testing.T) {
	s := open(t, Memory)
	s.api.Supplier.Delay = func() time.Duration { return 0 }
	s.ask("GET", "/inventario/proveedor", "", 200, "CAFE-500")
	s.api.Supplier.Delay = func() time.Duration { return time.Hour }
	s.api.Supplier.Timeout = time.Millisecond
	s.ask("GET", "/inventario/proveedor", "", 504, "el proveedor no responde")
	s.counted(1, "api_errors", "error_type", "proveedor_sin_respuesta")
	s.counted(1, "api_errors")
	s.counted(1, "function_calls", "error_type", "", "function", "consultar_proveedor")
	s.counted(1, "function_calls", "error_type", "timeout", "function", "consultar_proveedor")
	s.counted(2, "function_calls")
}

func TestPayments(t *testing.T) {
	s := open(t, Memory)
	s.api.Gateway.FailureRate = 0
	s.ask("GET", "/pagos/estado", "", 200, "disponible")
	s.api.Gateway.FailureRate = 1
	s.ask("GET", "/pagos/estado", "", 502, "la pasarela de pagos no responde")
	s.counted(1, "api_errors", "error_type", "pasarela_no_disponible")
	s.counted(1, "api_errors")
}

func TestCatalogue(t *testing.T) {
	s := open(t, Memory)
	rows, err := csv.NewReader(strings.NewReader(string(s.ask("GET", "/catalogo/exportar", "", 200, "SKU-4999")))).ReadAll()
	if err != nil || len(rows) != catalogueSize+1 {
		t.Errorf("%d rows, %v; want %d", len(rows), err, catalogueSize+1)
	}
}

func TestSalesReport(t *testing.T) {
	s := open(t, Memory)
	s.ask("GET", "/reportes/ventas", "", 200, `{"pedidos":0,`)
	if err := s.api.Store.Seed(t.Context(), 50); err != nil {
		t.Fatal(err)
	}
	s.ask("GET", "/reportes/ventas", "", 200, `{"pedidos":50,`)

	got := salesStatistics([]int64{10_000, 20_000, 30_000, 40_000})
	// A draw's mean has a standard error of 5,590: 95 % are within twice that.
	if got.Mean != 25_000 || got.Low < 13_000 || got.Low > 17_000 || got.High < 33_000 || got.High > 37_000 {
		t.Errorf("statistics %+v", got)
	}
}

func TestHealth(t *testing.T) {
	s := open(t, Memory)
	s.ask("GET", "/salud", "", 200, "bien")
	if err := s.api.Store.Close(); err != nil {
		t.Fatal(err)
	}
	s.ask("GET", "/salud", "", 500, "Internal Server Error")
	s.api.Store.stats = nil // closed already
}

// Writers and readers at once never meet a locked database.
func TestParallel(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "a shop's #1?.db"))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 20 {
				var order Order
				if err := json.Unmarshal(s.ask("POST", "/pedidos", coffee, 201, "id"), &order); err != nil {
					t.Error(err)
				}
				s.ask("PUT", fmt.Sprintf("/pedidos/%d", order.ID), coffee, 200, "")
				s.ask("GET", "/pedidos?limite=100", "", 200, "")
				if i%2 == 0 {
					s.ask("POST", fmt.Sprintf("/pedidos/%d/cancelar", order.ID), `{"motivo": "cliente"}`, 200, "")
				}
			}
		})
	}
	wg.Wait()
	s.counted(160, "entities_created")
	s.counted(240, "entities_updated")
}

func TestStoreKeepsTheLatest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tienda.db")
	s := open(t, path)
	s.api.Store.keep = 3
	if err := s.api.Store.Seed(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	s.ask("GET", "/pedidos/2", "", 404, "")
	s.ask("GET", "/pedidos/3", "", 200, "")
	if _, err := os.Stat(path); err != nil {
		t.Error(err) // the file is where it was asked for
	}
}

func TestStoreCannotOpen(t *testing.T) {
	_, err := OpenStore(t.Context(), filepath.Join(t.TempDir(), "missing", "tienda.db"), nil)
	if err == nil || !strings.Contains(err.Error(), "tienda.db") {
		t.Errorf("error %v, want one that names the file", err)
	}
}

// Other libraries' instruments have the prefix of the domain.
func TestDatabaseMetrics(t *testing.T) {
	s := open(t, Memory)
	s.ask("POST", "/pedidos", coffee, 201, "")
	w := httptest.NewRecorder()
	s.rec.Telemetry.Admin().Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/metrics", nil))
	for _, family := range []string{"tienda_db_client_operation_duration_seconds_count", "tienda_db_sql_connection_max_open"} {
		if !regexp.MustCompile(`(?m)^` + family + `\{.* [1-9]`).Match(w.Body.Bytes()) {
			t.Errorf("/metrics has no %s", family)
		}
	}
}
