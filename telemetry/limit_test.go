package telemetry

import (
	"fmt"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/latido-dev/latido/domain"
)

// TestManySeries starts a domain with as many series as one may have, all of
// which exist from the start. It logs the figures of docs/scale.md.
func TestManySeries(t *testing.T) { // alone, for its figures
	tens := func(prefix string, n int) []string {
		values := make([]string, n)
		for i := range values {
			values[i] = fmt.Sprintf("%s_%d", prefix, i)
		}
		return values
	}
	full := func(events int) func(*Config) {
		return func(c *Config) {
			c.Domain.Events = nil
			for i := range events {
				c.Domain.Events = append(c.Domain.Events, domain.Event{
					Name:       fmt.Sprintf("e%d", i),
					Attributes: map[string][]string{"country": tens("country", 24), "product": tens("product", 39)}, // 1000 with Other
				})
			}
		}
	}
	if _, err := Init(t.Context(), quiet(full(domain.MaxSeries/1000+1))); err == nil {
		t.Error("a domain with more series than the limit starts")
	}

	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, began := heap(), time.Now()
	tel := start(t, full(domain.MaxSeries/1000))
	took, used := time.Since(began), heap()-before

	began = time.Now()
	w := httptest.NewRecorder()
	tel.metricsHandler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	t.Logf("%d series: Init %v, %d MiB, a scrape %v and %d MiB", domain.MaxSeries, took, used>>20, time.Since(began), w.Body.Len()>>20)
	if used > 64<<20 || w.Body.Len() > 16<<20 {
		t.Errorf("%d MiB of memory, %d MiB a scrape", used>>20, w.Body.Len()>>20)
	}
	runtime.KeepAlive(tel)
}
