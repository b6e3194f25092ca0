package telemetry

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// sending is a Telemetry whose spans go to h at once.
func sending(t *testing.T, h http.HandlerFunc) *Telemetry {
	t.Helper()
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	tel, err := Init(t.Context(), quiet(func(c *Config) { c.OTLP = OTLP{Endpoint: s.URL, MetricInterval: -1} }))
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = tel.Shutdown(ctx)
	})
	return tel
}

// ended ends so many spans.
func ended(tel *Telemetry, n int) {
	for range n {
		_, span := tel.TracerProvider().Tracer("t").Start(context.Background(), "s")
		span.End()
	}
}

// lostSpans are how many spans were lost, by reason.
func lostSpans(t *testing.T, tel *Telemetry) series {
	t.Helper()
	return scrape(t, tel).of("tienda_telemetry_spans_lost_total").above0()
}

func lost(reason string) string {
	return `tienda_telemetry_spans_lost_total{reason="` + reason + `"}`
}

func spanExports(outcome string) string {
	return `tienda_telemetry_exports_total{outcome="` + outcome + `",signal="traces"}`
}

// received counts the spans of an export.
func received(t *testing.T, r *http.Request) (n int64) {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	must(t, err)
	var sent coltrace.ExportTraceServiceRequest
	must(t, proto.Unmarshal(body, &sent))
	for _, resource := range sent.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			n += int64(len(scope.GetSpans()))
		}
	}
	return n
}

// TestSpansAreSentAgain where the server asks for it, not before it wants them.
func TestSpansAreSentAgain(t *testing.T) {
	type sender struct {
		tel              *Telemetry
		arrived, refused atomic.Int64
	}
	senders := map[int]*sender{}
	for _, status := range []int{http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		var s sender
		senders[status] = &s
		s.tel = sending(t, func(w http.ResponseWriter, r *http.Request) {
			n := received(t, r)
			if s.refused.CompareAndSwap(0, time.Now().UnixNano()) {
				w.Header().Set("Retry-After", "2")
				w.WriteHeader(status)
				return
			}
			if waited := time.Since(time.Unix(0, s.refused.Load())); waited < 2*time.Second {
				t.Errorf("%d: tried again after %v, want 2 s", status, waited)
			}
			s.arrived.Add(n)
		})
		ended(s.tel, 1)
	}
	for status, s := range senders { // which wait at the same time
		eventually(t, fmt.Sprintf("%d: the span arrives", status), func() bool { return s.arrived.Load() == 1 })
		eventually(t, fmt.Sprintf("%d: the export is counted", status), func() bool { return scrape(t, s.tel)[spanExports("success")] == 1 })
		lostSpans(t, s.tel).wantOnly(t, series{})
	}
}

// TestLostSpansAreCounted whatever loses them, one by one, and told once.
func TestLostSpansAreCounted(t *testing.T) {
	t.Run("the server says no", func(t *testing.T) {
		tel := sending(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "not yours", http.StatusForbidden) })
		for want := range 3 {
			ended(tel, 2)
			eventually(t, "the loss is counted", func() bool { return lostSpans(t, tel)[lost("export_failed")] == float64(2*want+2) })
		}
		if n := scrape(t, tel)[spanExports("failure")]; n < 3 {
			t.Errorf("%v failed exports, want 3 at least", n)
		}
		wantTold(t, journalOf(tel), "spans could not be sent")
	})
	t.Run("nobody is there", func(t *testing.T) {
		gone := httptest.NewServer(nil)
		gone.Close()
		t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
		tel, err := Init(t.Context(), quiet(func(c *Config) { c.OTLP = OTLP{Endpoint: gone.URL, MetricInterval: -1} }))
		must(t, err)
		ended(tel, 1)
		eventually(t, "the loss is counted", func() bool { return lostSpans(t, tel)[lost("export_failed")] == 1 })
		must(t, tel.Shutdown(t.Context()))
	})
	for name, rejected := range map[string]int64{"a part is rejected": 2, "a warning": 0} {
		t.Run(name, func(t *testing.T) {
			tel := sending(t, func(w http.ResponseWriter, _ *http.Request) {
				answer, err := proto.Marshal(&coltrace.ExportTraceServiceResponse{
					PartialSuccess: &coltrace.ExportTracePartialSuccess{RejectedSpans: rejected, ErrorMessage: "too\nold (5 spans rejected)"},
				})
				must(t, err)
				w.Header().Set("Content-Type", "application/x-protobuf")
				_, _ = w.Write(answer)
			})
			ended(tel, 1)
			eventually(t, "the export is counted", func() bool { return scrape(t, tel)[spanExports("success")] == 1 })
			want := series{}
			if rejected > 0 {
				want[lost("rejected")] = 1 // of the one that was sent
			}
			lostSpans(t, tel).wantOnly(t, want)
			wantTold(t, journalOf(tel), "spans could not be sent")
		})
	}
	t.Run("the queue is full", func(t *testing.T) {
		t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
		release, arrived := make(chan struct{}), atomic.Int64{}
		tel := sending(t, func(_ http.ResponseWriter, r *http.Request) {
			n := received(t, r)
			<-release
			arrived.Add(n)
		})
		ended(tel, 50)
		lostSpans(t, tel).wantOnly(t, series{lost("queue_full"): 42})
		wantTold(t, journalOf(tel), "spans are lost")
		close(release)
		eventually(t, "the others arrive", func() bool { return arrived.Load() == 8 })
		eventually(t, "there is room again", func() bool { ended(tel, 1); return arrived.Load() > 8 })
	})
}

// TestShutdownDoesNotWaitForRetry: a server that wants the spans in an hour does
// not hold up the end, and what is given up is counted and said.
func TestShutdownDoesNotWaitForRetry(t *testing.T) {
	for _, after := range []string{"1", "3600", ""} {
		t.Run("Retry-After "+after, func(t *testing.T) {
			asked := make(chan struct{}, 100)
			tel := sending(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", after)
				w.WriteHeader(http.StatusServiceUnavailable)
				asked <- struct{}{}
			})
			ended(tel, 3)
			<-asked
			ended(tel, 3)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			began := time.Now()
			err := tel.Shutdown(ctx)
			if took := time.Since(began); took > 4*time.Second { // 0.3 s and a busy machine; without a context it would be 5 s
				t.Errorf("Shutdown took %v of 0.3 s", took)
			}
			if err == nil {
				t.Error("Shutdown does not say that spans were lost")
			}
			eventually(t, "all are counted", func() bool { return lostSpans(t, tel)[lost("export_failed")] == 6 })
		})
	}
}
