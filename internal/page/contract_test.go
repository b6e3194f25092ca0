package page

import (
	"testing"

	"github.com/latido-dev/latido/domain"
)

// TestContract: each metric that every service has is described in Spanish, and
// no other is.
func TestContract(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, m := range (domain.Domain{Prefix: "tienda", Entity: "pedido"}).Metrics() {
		known[m.Key] = true
		if contract[m.Key] == "" {
			t.Errorf("%s is not described in Spanish: %s", m.Key, m.Description)
		}
		if got := (words{}).Describe(m); got != m.Description {
			t.Errorf("%s in English: %s", m.Key, got)
		}
	}
	for key := range contract {
		if !known[key] {
			t.Errorf("there is no metric %s", key)
		}
	}
}
