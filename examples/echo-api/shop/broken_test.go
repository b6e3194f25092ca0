package shop

import (
	"bytes"
	"context"
	"net/http/httptest"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within three minutes: ", what)
		}
	}
}

// stacks are the goroutines of the process, equal ones counted, with their
// labels.
func stacks(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestBreakSlow(t *testing.T) {
	s := open(t, Memory)
	s.api.Supplier.Delay = func() time.Duration { return 0 }
	s.api.Supplier.SlowDelay = time.Hour
	s.api.Supplier.Timeout = time.Minute // which it waits, if need be
	s.api.Breaks.Slow.Break()
	w := httptest.NewRecorder()
	answered := make(chan bool)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	go func() {
		s.handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/inventario/proveedor", nil))
		close(answered)
	}()
	eventually(t, "the request waits in awaitAnswer", func() bool {
		return strings.Contains(stacks(t), "shop.(*Supplier).awaitAnswer")
	})
	leave()
	<-answered
	s.api.Breaks.Slow.Heal()
	s.ask("GET", "/inventario/proveedor", "", 200, "CAFE-500")
	if real := NewSupplier(); real.SlowDelay <= 2500*time.Millisecond || real.SlowDelay >= real.Timeout || real.Timeout >= 10*time.Second {
		t.Errorf("the supplier takes %s and the shop waits %s: want more than the alert's 2s in any bucket, and no error", real.SlowDelay, real.Timeout)
	}
}

func TestBreakErrors(t *testing.T) {
	s := open(t, Memory)
	s.api.Gateway.FailureRate = 0
	s.api.Breaks.Errors.Break()
	for range 20 {
		s.ask("GET", "/pagos/estado", "", 502, "la pasarela de pagos no responde")
	}
	s.api.Breaks.Errors.Heal()
	s.ask("GET", "/pagos/estado", "", 200, "disponible")
}

func TestBreakSilence(t *testing.T) {
	s := open(t, Memory)
	s.ask("POST", "/carritos", "", 201, `{"id":1}`)
	s.api.Breaks.Silence.Break()
	s.ask("POST", "/pedidos", strings.Replace(coffee, "{", `{"carrito": 1,`, 1), 202, `"estado":"en espera"`)
	s.ask("POST", "/pedidos", `{}`, 422, "")
	s.counted(0, "pedidos_procesados")
	s.counted(0, "entities_created")
	s.counted(0, "carritos_activos")
	s.ask("GET", "/pedidos/1", "", 404, "")
	s.api.Breaks.Silence.Heal()
	s.ask("POST", "/pedidos", coffee, 201, `"id":1`)
	s.counted(1, "pedidos_procesados", "canal", "web")
	s.counted(1, "pedidos_procesados")
}

func TestBreakCPU(t *testing.T) {
	s := openProfiled(t, Memory)
	if err := s.api.Store.Seed(t.Context(), 50); err != nil {
		t.Fatal(err)
	}
	s.ask("GET", "/reportes/ventas", "", 200, "")
	if n := s.api.forecasts.running.Load(); n != 0 {
		t.Errorf("%d forecasts although nothing is broken", n)
	}
	s.api.Breaks.CPU.Break()
	s.ask("GET", "/reportes/ventas", "", 200, `{"pedidos":50,`)
	s.ask("GET", "/reportes/ventas", "", 200, `{"pedidos":50,`) // does not start it again
	eventually(t, "forecasts run on all cores, under their endpoint", func() bool {
		for block := range strings.SplitSeq(stacks(t), "\n\n") {
			if strings.Contains(block, "shop.forecastSales") {
				return strings.Contains(block, `"endpoint":"/reportes/ventas"`) && strings.Contains(block, `"region":"pronostico_ventas"`)
			}
		}
		return false
	})
	s.api.Breaks.CPU.Heal()
	eventually(t, "forecasts end when healed", func() bool { return s.api.forecasts.running.Load() == 0 })

	s.api.Breaks.CPU.Break()
	s.ask("GET", "/reportes/ventas", "", 200, "")
	s.api.forecasts.until.Store(time.Now().UnixNano()) // nobody asks for ten seconds
	eventually(t, "forecasts end when nobody asks", func() bool { return s.api.forecasts.running.Load() == 0 })
	s.ask("GET", "/reportes/ventas", "", 200, "")
	if s.api.forecasts.running.Load() == 0 {
		t.Error("the next report starts no forecast")
	}
	s.api.Breaks.Close()
	if n := s.api.forecasts.running.Load(); n != 0 {
		t.Errorf("%d forecasts after Close", n)
	}
}

func TestBreakLeak(t *testing.T) {
	s := open(t, Memory)
	s.ask("GET", "/catalogo/exportar", "", 200, "")
	s.api.Breaks.Leak.Break()
	s.ask("GET", "/catalogo/exportar", "", 200, "")
	s.ask("GET", "/catalogo/exportar", "", 200, "")
	if n := s.api.watchers.Load(); n != 2*leakedEach {
		t.Errorf("%d goroutines leaked, want %d", n, 2*leakedEach)
	}
	eventually(t, "they wait in awaitPriceChange", func() bool {
		return strings.Contains(stacks(t), "shop.awaitPriceChange")
	})
	for range maxLeaked {
		s.api.watchPrices()
	}
	if n := s.api.watchers.Load(); n != maxLeaked {
		t.Errorf("%d goroutines leaked, want at most %d", n, maxLeaked)
	}
	s.api.Breaks.Leak.Heal()
	eventually(t, "they go when healed", func() bool { return s.api.watchers.Load() == 0 })
	s.api.Breaks.Leak.Break()
	s.ask("GET", "/catalogo/exportar", "", 200, "")
	s.api.Breaks.Close()
	if n := s.api.watchers.Load(); n != 0 {
		t.Errorf("%d goroutines after Close", n)
	}
}
