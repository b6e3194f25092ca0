package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/latido-dev/latido/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseMix(t *testing.T) {
	for text, want := range map[string]string{
		"crear=20,ver=40":     "",
		" crear = 1":          `" crear = 1": write name=weight`,
		"crear":               `"crear": write name=weight`,
		"crear=-1":            "a weight from 0 to 1000",
		"crear=1001":          "a weight from 0 to 1000",
		"comprar=1":           `"comprar": no such action; there are ver, crear,`,
		"crear=0":             "no action has a weight",
		"":                    `"": write name=weight`,
		DefaultMix().String(): "",
	} {
		t.Run(text, func(t *testing.T) {
			_, err := ParseMix(text)
			testkit.Error(t, err, want)
		})
	}
	for name := range actions {
		if DefaultMix()[name] == 0 {
			t.Errorf("the default mix has no %s", name)
		}
	}
}

func TestChooser(t *testing.T) {
	c := newChooser(Mix{"ver": 3, "crear": 1, "salud": 0})
	seen := map[string]int{}
	for range 4000 {
		seen[c.pick()]++
	}
	if seen["salud"] != 0 || seen["ver"] < 2800 || seen["ver"] > 3200 {
		t.Errorf("chosen %v, want about 3000 ver and 1000 crear", seen)
	}
}

// transport answers requests in process, so that a test can have its own time.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(Config{URL: "http://shop", Rate: 50})
		g.client.Transport = transport(func(*http.Request) (*http.Response, error) {
			time.Sleep(10 * time.Millisecond)
			return answer(200, `{"id":7}`), nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		g.Run(ctx)
		var n int64
		for _, e := range g.Summary().Endpoints {
			n += e.Requests
			if e.P95 < 10*time.Millisecond || e.P95 > 11*time.Millisecond {
				t.Errorf("%s has a p95 of %s, want 10ms", e.Name, e.P95)
			}
		}
		if n < 2700 || n > 3300 { // six standard deviations
			t.Errorf("%d requests in a minute, want about 3000", n)
		}
	})
}

// A service that hangs gets no more requests than InFlight at once, and Run
// ends in time nevertheless.
func TestBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(Config{URL: "http://shop", Rate: 100, InFlight: 5})
		var inFlight, most atomic.Int64
		g.client.Transport = transport(func(r *http.Request) (*http.Response, error) {
			most.Store(max(most.Load(), inFlight.Add(1)))
			defer inFlight.Add(-1)
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
		defer cancel()
		g.Run(ctx)
		if took := time.Since(start); took > 12*time.Second+requestTimeout {
			t.Errorf("Run took %s, want at most the timeout of a request after its end", took)
		}
		s := g.Summary()
		var failed int64
		for _, e := range s.Endpoints {
			failed += e.Failed
		}
		if most.Load() != 5 || failed == 0 || failed > 15 || s.Skipped < 500 {
			t.Errorf("%d at once, %d failed, %d skipped", most.Load(), failed, s.Skipped)
		}
	})
}

// A machine that was asleep does not send at once what it missed.
func TestCatchUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(Config{URL: "http://shop", Rate: 10})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var n atomic.Int64
		g.client.Transport = transport(func(*http.Request) (*http.Response, error) {
			n.Add(1)
			return answer(200, ""), nil
		})
		g.next = time.Now().Add(-time.Hour)
		time.AfterFunc(10*time.Second, cancel)
		g.Run(ctx)
		if n := n.Load(); n > 200 {
			t.Errorf("%d requests in 10 seconds, want about 100", n)
		}
	})
}

// Over the wire: users remember what they were answered, and nothing is left.
func TestUsers(t *testing.T) {
	var created, changed atomic.Int64
	enough := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /carritos", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id":5}`)
	})
	mux.HandleFunc("DELETE /carritos/5", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /pedidos", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"id":%d}`, 1000+created.Add(1))
	})
	mux.HandleFunc("PUT /pedidos/{id}", func(w http.ResponseWriter, r *http.Request) {
		if len(r.PathValue("id")) != 4 {
			http.NotFound(w, r) // an order that none of these users has made
		}
		if changed.Add(1) == 50 {
			close(enough)
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	g := New(Config{URL: server.URL, Rate: 2000, Users: 1, Seeded: 999, Mix: Mix{"carrito": 1, "crear": 1, "cambiar": 2}})
	g.users[0].remember(1000)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	go func() {
		<-enough
		cancel()
	}()
	g.Run(ctx)
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Fatal("not enough requests in three minutes")
	}
	if n := len(g.users[0].orders); n == 0 || n > maxRemembered {
		t.Errorf("the user remembers %d orders", n)
	}
	for _, e := range g.Summary().Endpoints {
		if e.ClientErrors+e.ServerErrors+e.Failed > 0 {
			t.Errorf("%+v", e)
		}
	}
}

func TestPercentile(t *testing.T) {
	var f figures
	for i := range 100 {
		f.Requests++
		f.slots[slot(time.Duration(i+1)*time.Millisecond)]++
	}
	for p, want := range map[float64]time.Duration{50: 50 * time.Millisecond, 95: 95 * time.Millisecond, 100: 100 * time.Millisecond} {
		if got := f.percentile(p); got < want || float64(got) > 1.06*float64(want) {
			t.Errorf("p%g is %s, want %s and up to 5 %% more", p, got, want)
		}
	}
	if slot(0) != 0 || slot(time.Hour) != durationSlots-1 || new(figures).percentile(95) != 0 {
		t.Error("the ends do not hold")
	}
}
