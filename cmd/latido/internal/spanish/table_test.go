package spanish

import "testing"

// TestTables: the columns of a table are translated one by one, but for the
// first, and stand below one another in Spanish too. Figures have a comma,
// and what is no figure keeps its point.
func TestTables(t *testing.T) {
	t.Parallel()
	const english = `RespuestaLenta page (drill) tienda-api 1.4.2 (bbbbbbb)
2026-01-02 15:04:05, lasted 90 s, condition since 15:03:05, value 3.25, endpoint /v1.5/pagos
where requests wait: 94 % of those seen do
  94 %  shop.(*Supplier).awaitAnswer (supplier.go:61)  select           12.2 at a time, 0.1 before
  6 %   main.errors (errors.go:6)                      channel receive  1 at a time, 0 before
CPU: 0.604 cores, 0.095 cores before
  86 %  main.sort (sort.go:50)  0.52 cores, 0.005 cores before  mostly in math.Sin
allocation: 1.5 MiB/s, 0.5 MiB/s before
lock contention: 1.5 s of waiting a second, 0 s of waiting a second before
goroutines: 4310, 20 before
  4290  main.leak (leak.go:8)  runs  0 before
errors
  errors  /pagos  503  41, 0 before
at the same time
  version 1.4.2 (bbbbbbb) took the place of 1.4.1 (aaaaaaa) at 15:03:05
  pedidos_procesados  12, 600 before
slowest trace
  4bf92f3577b34da6a3ce929d0e0e4736  3.5 s, /pagos, 2026-01-02 15:04:05
The whole process
     5 %    0.12 s  main.f (a.go:1), started by GET /a, 2 at a time: una pausa
    12 %    1.12 s  main.g (a.go:1)
domain.yaml:4: above: 1.5s, 10.0.0.1, v1.25.0, expr: rate(x[5m]) > 0.5
`
	const want = `RespuestaLenta page (simulacro) tienda-api 1.4.2 (bbbbbbb)
2026-01-02 15:04:05, duró 90 s, con la condición desde 15:03:05, valor 3,25, endpoint /v1.5/pagos
dónde esperan las peticiones: espera el 94 % de las vistas
  94 %  shop.(*Supplier).awaitAnswer (supplier.go:61)  select               12,2 a la vez, antes 0,1
  6 %   main.errors (errors.go:6)                      recibir de un canal  1 a la vez, antes 0
CPU: 0,604 núcleos, antes 0,095 núcleos
  86 %  main.sort (sort.go:50)  0,52 núcleos, antes 0,005 núcleos  sobre todo en math.Sin
memoria asignada: 1,5 MiB/s, antes 0,5 MiB/s
espera por candados: 1,5 s por segundo, antes 0 s por segundo
goroutines: 4310, antes 20
  4290  main.leak (leak.go:8)  en marcha  antes 0
errores
  errors  /pagos  503  41, antes 0
al mismo tiempo
  la versión 1.4.2 (bbbbbbb) reemplazó a 1.4.1 (aaaaaaa) a las 15:03:05
  pedidos_procesados  12, antes 600
traza más lenta
  4bf92f3577b34da6a3ce929d0e0e4736  3,5 s, /pagos, 2026-01-02 15:04:05
El proceso entero
     5 %    0,12 s  main.f (a.go:1), iniciada por GET /a, 2 a la vez: una pausa
    12 %    1,12 s  main.g (a.go:1)
domain.yaml:4: above: 1.5s, 10.0.0.1, v1.25.0, expr: rate(x[5m]) > 0.5
`
	if got := Of(english); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
