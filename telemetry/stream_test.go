package telemetry

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// watch takes the times of one request, between which its recorded duration
// has to be. Both are certain however busy the machine is.
type watch struct {
	asked         time.Time // before the client sends the request
	least, atMost atomic.Int64
}

func (s *watch) get(t *testing.T, from *served, path string) {
	t.Helper()
	s.asked = time.Now()
	s.least.Store(0)
	s.atMost.Store(0)
	from.get(t, path)
}

// flushed says that from now on no time counts.
func (s *watch) flushed() { s.atMost.CompareAndSwap(0, int64(time.Since(s.asked))) }

// hold lets the answer go on for longer than it took to come here: if that
// counted after a flush, the duration would be too long.
func (s *watch) hold() {
	began := time.Now()
	time.Sleep(time.Since(s.asked) + time.Millisecond)
	if s.atMost.Load() == 0 {
		s.least.Add(int64(time.Since(began)))
	}
}

func (s *watch) want(t *testing.T, got series, endpoint string) {
	t.Helper()
	labels := `{endpoint="` + endpoint + `",method="GET"}`
	got.want(t, series{"tienda_response_duration_seconds_count" + labels: 1})
	took := got["tienda_response_duration_seconds_sum"+labels]
	if least := time.Duration(s.least.Load()).Seconds(); took < least {
		t.Errorf("recorded %v s, and %v s went by before a flush", took, least)
	}
	if atMost := time.Duration(s.atMost.Load()).Seconds(); atMost > 0 && took > atMost {
		t.Errorf("recorded %v s, and the first flush was within %v s", took, atMost)
	}
}

// TestStreamIsNoLatency: an answer that is flushed while its handler runs counts
// with the time to its first flush, whichever way it is flushed.
func TestStreamIsNoLatency(t *testing.T) {
	t.Parallel()
	event := func(w http.ResponseWriter) { _, _ = io.WriteString(w, "data: 1\n\n") }
	flush := func(w http.ResponseWriter) { w.(http.Flusher).Flush() }
	for name, handler := range map[string]func(http.ResponseWriter, *watch){
		"Flush": func(w http.ResponseWriter, s *watch) { event(w); flush(w); s.flushed(); s.hold() },
		"ResponseController": func(w http.ResponseWriter, s *watch) {
			event(w)
			_ = http.NewResponseController(w).Flush()
			s.flushed()
			s.hold()
		},
		"header only": func(w http.ResponseWriter, s *watch) { flush(w); s.flushed(); s.hold(); event(w) },
		"early hints": func(w http.ResponseWriter, s *watch) { w.WriteHeader(103); s.hold() },
		"late flush":  func(w http.ResponseWriter, s *watch) { s.hold(); event(w); flush(w); s.flushed(); s.hold() },
		"no flush":    func(w http.ResponseWriter, s *watch) { event(w); s.hold() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := new(watch)
			eachFront(t, func(w http.ResponseWriter, _ *http.Request) { handler(w, s) }, func(t *testing.T, tel *Telemetry, from *served) {
				s.get(t, from, "/orders/7")
				s.want(t, scrape(t, tel), "/orders/{id}")
			})
		})
	}
}

// TestProxiedStream: as above where an upstream streams, and the proxy hands on
// at once what it gets.
func TestProxiedStream(t *testing.T) {
	t.Parallel()
	for protocol, number := range protocols {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			s, read := new(watch), make(chan bool)
			upstream := serve(t, 1, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for i := range 4 {
					_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
					w.(http.Flusher).Flush()
					if i == 0 {
						<-read
						s.hold()
					}
				}
			}))
			tel := start(t)
			m := tel.NewServeMux()
			proxy := proxyTo(t, upstream.URL)
			proxy.FlushInterval = -1
			m.Handle("/", proxy)
			front := serve(t, number, m)
			s.asked = time.Now()
			answer, err := front.Client().Get(front.URL + "/events")
			if err != nil {
				close(read)
				t.Fatal(err)
			}
			_, err = answer.Body.Read(make([]byte, 1))
			s.flushed()
			close(read)
			if err != nil {
				t.Error(err)
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			front.wait(t)
			got := scrape(t, tel)
			s.want(t, got, "/")
			got.want(t, series{requests("GET", "/", 200): 1})
		})
	}
}
