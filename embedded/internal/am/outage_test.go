package am

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latido-dev/latido/embedded/alert"
)

// outage is how long a receiver is down: six seconds, or what LATIDO_OUTAGE
// says, as in LATIDO_OUTAGE=10m.
func outage(t *testing.T) time.Duration {
	text := os.Getenv("LATIDO_OUTAGE")
	if text == "" {
		return 6 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// flaky is a webhook at one address that can stop listening.
type flaky struct {
	*hook
	address string
	server  *http.Server
}

func (f *flaky) listen(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", f.address)
	if err != nil {
		t.Fatal(err)
	}
	f.address = l.Addr().String()
	f.server = &http.Server{Handler: f.hook}
	go func() { _ = f.server.Serve(l) }() // ends when it is closed
}

// heap is what is in use. No test runs beside one that measures it.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A receiver is down, first refusing, then hanging, then answering 500; fifty
// alerts fire meanwhile, and ten of them are resolved before it is up. Those
// beside it hear at once; it hears of every alert afterwards, and of none twice.
func TestOutage(t *testing.T) {
	var (
		length = outage(t)
		good   = newHook(t)
		bad    = &flaky{hook: &hook{}, address: "127.0.0.1:0"}
		lines  = &logs{}
		mu     sync.Mutex
		acted  []alert.Alert
	)
	bad.listen(t)
	defer func() { bad.server.Close() }()
	s := start(t, Config{
		File: file([2]string{"bad", webhookTo("http://" + bad.address + "/hook")}, [2]string{"good", webhookTo(good.URL)},
			[2]string{"log", ""}, [2]string{"action/page", ""}),
		Actions: map[string]Action{"page": func(_ context.Context, a alert.Alert) error {
			mu.Lock()
			defer mu.Unlock()
			acted = append(acted, a)
			return nil
		}},
		Logger: lines.logger(),
	})
	for _, g := range s.receivers {
		if g.receiver == "bad" {
			g.timeout = min(g.timeout, length/3)
		}
	}

	const alerts, over = 50, 10
	before := heap()
	bad.server.Close() // refuses
	released := make(chan struct{})
	hang := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-released:
			panic(http.ErrAbortHandler) // as to return is to answer 200, and the message would count as told
		}
	}
	put, began := map[string]time.Time{}, time.Now()
	var active []alert.Alert
	peak, phase, stalled := uint64(0), 0, time.Duration(0)
	interval := time.Tick(50 * time.Millisecond) // the rules'
	for n := 0; time.Since(began) < length; {
		elapsed, round := time.Since(began), time.Now()
		if phase == 0 && elapsed > length/3 {
			phase = 1
			bad.set(hang)
			bad.listen(t)
		}
		if phase == 1 && elapsed > 2*length/3 {
			phase = 2
			bad.set(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) })
		}
		for ; n < alerts && elapsed > time.Duration(n)*length/(2*alerts); n++ {
			a := firing(fmt.Sprintf("A%02d", n))
			put[a.Name()] = time.Now()
			active = append(active, a)
		}
		if phase == 2 { // over before the receiver is up
			for i := range active {
				if i < over && !active[i].Resolved() {
					active[i] = resolved(active[i])
				}
			}
		}
		s.Put(active...)
		peak = max(peak, heap())
		<-interval
		stalled = max(stalled, time.Since(round))
	}
	if got := len(bad.got()); got != 0 {
		t.Fatalf("the receiver that is down took %d messages", got)
	}
	wait(t, "the other receiver", func() bool { return len(good.got()) == alerts+over })
	for _, m := range good.got() {
		if m.Status == "firing" {
			if late := m.at.Sub(put[m.Alerts[0].Labels["alertname"]]); late > 5*time.Second+3*stalled { // the first ones would be later if they waited
				t.Errorf("%v came %v late to the receiver beside", m.states(), late)
			}
		}
	}
	close(released)
	up := time.Now()
	bad.set(nil)
	for end := time.Now().Add(3 * time.Minute); len(bad.got()) < alerts && time.Now().Before(end); {
		s.Put(active...)
		<-interval
	}
	t.Logf("down %v, all told %v after; heap %d KiB, at most %d KiB; tries %d", length, time.Since(up).Round(time.Millisecond), before>>10, peak>>10, bad.tries)
	var want []string
	for i := range alerts {
		state := "firing"
		if i < over {
			state = "resolved"
		}
		want = append(want, fmt.Sprintf("A%02d %s", i, state))
	}
	got := bad.states()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("told after the outage:\n%v\nwant\n%v", got, want)
	}
	if grown := int64(peak) - int64(before); grown > 16<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(acted) != alerts+over {
		t.Errorf("the action was called %d times, want %d", len(acted), alerts+over)
	}
	if n := strings.Count(lines.String(), "cannot be delivered"); n != 1 {
		t.Errorf("%d lines say that the receiver is down, want 1:\n%s", n, lines)
	}
	if !strings.Contains(lines.String(), "delivered again") {
		t.Error("no line says that it is up again")
	}
}

// What hostile receivers do.
func TestHostile(t *testing.T) {
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		outcome string
		want    string // in the error
		again   bool   // it is tried again at once
	}{
		"an endless answer": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, "failed", "status code 400", false},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/elsewhere", http.StatusTemporaryRedirect)
		}, "failed", "status code 307", false},
		"too many": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "slow down", http.StatusTooManyRequests)
		}, "failed", "status code 429: slow down", true},
		"a closed connection": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "failed", "EOF", true},
		"silence":             {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "timeout", "no answer within", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHook(t)
			h.set(c.answer)
			s := observe(t, Config{File: []byte(strings.Replace(string(file([2]string{"hook", webhookTo(h.URL + "/x")})), "100ms", "1m", 1))})
			s.receivers[0].timeout = 500 * time.Millisecond
			before := heap()
			s.Put(firing("Slow"))
			wait(t, "the failure", func() bool { return s.outcomes(t)["hook "+c.outcome] > 0 })
			if grown := int64(heap()) - int64(before); grown > 32<<20 {
				t.Errorf("the heap grew by %d bytes", grown)
			}
			if !strings.Contains(s.lines.String(), c.want) {
				t.Errorf("want %q in\n%s", c.want, s.lines)
			}
			if c.again {
				h.set(nil)
				wait(t, "the message", func() bool { return len(h.got()) == 1 })
			}
		})
	}
}

// A message that is sent again has the same key; the next one has another.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	var keys []string
	h.set(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		defer h.mu.Unlock()
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		if len(keys) == 2 {
			h.answer = nil
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	s := start(t, Config{File: file([2]string{"hook", webhookTo(h.URL)})})
	a := firing("Slow")
	s.Put(a)
	wait(t, "the message", func() bool { return len(h.got()) == 1 })
	s.Put(resolved(a))
	wait(t, "the next message", func() bool { return len(h.got()) == 2 })
	got := h.got()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(keys) != 2 || len(keys[0]) != 32 || keys[0] != keys[1] || got[0].key != keys[0] || got[1].key == keys[0] {
		t.Errorf("keys: %v, then %q and %q", keys, got[0].key, got[1].key)
	}
}
