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
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/examples/echo-api/internal/scrape"
	"github.com/latido-dev/latido/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testShop is the API on a database of its own.
type testShop struct {
	*testing.T
	api     *API
	handler http.Handler
	tel     *telemetry.Telemetry
}

func open(t *testing.T, path string) *testShop {
	t.Helper()
	return openProfiled(t, path, continuous.Config{Disabled: true})
}

// openProfiled also has a profiler: without one, goroutines have no labels.
func openProfiled(t *testing.T, path string, profiling continuous.Config) *testShop {
	t.Helper()
	d, err := domain.Load("../domain.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tel, err := telemetry.Init(t.Context(), telemetry.Config{
		Domain: d, KeepGlobals: true,
		Admin: telemetry.Admin{Disabled: true}, Profiling: profiling,
	})
	if err != nil {
		t.Fatal(err)
	}
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
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &testShop{T: t, api: api, handler: api.Handler(), tel: tel}
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

func (s *testShop) check(family string, want ...string) {
	s.Helper()
	scrape.Check(s, scrape.Counted(scrape.Text(s, s.tel.AdminHandler()), family), want...)
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

	s.check("tienda_pedidos_procesados_total", `{canal="web"} 1`, `{canal="movil"} 1`)
	s.check("tienda_pedidos_cancelados_total", `{motivo="cliente"} 1`)
	s.check("tienda_unidades_vendidas_total", "4")
	s.check("tienda_valor_pedido_COP_sum", "120000")
	s.check("tienda_entities_created_total", "2")
	s.check("tienda_entities_updated_total", "2")
	s.check("tienda_requests_total",
		`{endpoint="/pedidos",method="POST",status="201"} 2`,
		`{endpoint="/pedidos/{id}",method="GET",status="200"} 2`,
		`{endpoint="/pedidos/{id}",method="PUT",status="200"} 1`,
		`{endpoint="/pedidos/{id}",method="PUT",status="409"} 1`,
		`{endpoint="/pedidos/{id}/cancelar",method="POST",status="200"} 1`,
		`{endpoint="/pedidos/{id}/cancelar",method="POST",status="409"} 1`,
	)
	s.check("tienda_api_errors_total") // the client's mistakes are no errors of the API
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
	s.check("tienda_pedidos_procesados_total")
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
	s.check("tienda_entities_created_total") // orders of earlier days are not today's
}

func TestCarts(t *testing.T) {
	s := open(t, Memory)
	s.ask("POST", "/carritos", "", 201, `{"id":1}`)
	s.ask("POST", "/carritos", "", 201, `{"id":2}`)
	s.ask("POST", "/carritos", "", 201, `{"id":3}`)
	s.check("tienda_carritos_activos", "3")
	s.ask("POST", "/pedidos", strings.Replace(coffee, "{", `{"carrito": 2,`, 1), 201, "")
	s.ask("DELETE", "/carritos/1", "", 204, "")
	s.ask("DELETE", "/carritos/1", "", 404, "no hay un carrito abierto 1")
	s.check("tienda_carritos_activos", "1")

	for range maxCarts + 10 { // the oldest make room
		s.api.carts.add()
	}
	s.check("tienda_carritos_activos", fmt.Sprint(maxCarts))
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
	s.check("tienda_api_errors_total", `{error_type="proveedor_sin_respuesta"} 1`)
	s.check("tienda_function_calls_total",
		`{error_type="",function="consultar_proveedor"} 1`, `{error_type="timeout",function="consultar_proveedor"} 1`)
}

func TestPayments(t *testing.T) {
	s := open(t, Memory)
	s.api.Gateway.FailureRate = 0
	s.ask("GET", "/pagos/estado", "", 200, "disponible")
	s.api.Gateway.FailureRate = 1
	s.ask("GET", "/pagos/estado", "", 502, "la pasarela de pagos no responde")
	s.check("tienda_api_errors_total", `{error_type="pasarela_no_disponible"} 1`)
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
	s.check("tienda_entities_created_total", "160")
	s.check("tienda_entities_updated_total", "240")
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
	text := scrape.Text(t, s.tel.AdminHandler())
	for _, family := range []string{"tienda_db_client_operation_duration_seconds_count", "tienda_db_sql_connection_max_open"} {
		if len(scrape.Counted(text, family)) == 0 {
			t.Errorf("/metrics has no %s", family)
		}
	}
}
