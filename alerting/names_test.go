package alerting

import (
	"slices"
	"testing"

	"github.com/latido-dev/latido/domain"
)

func TestUnknownMetrics(t *testing.T) {
	d := domain.Domain{Prefix: "tienda", Entity: "pedido", Events: []domain.Event{
		{Name: "pedidos"}, {Name: "valor", Kind: domain.KindHistogram, Unit: "COP"}, {Name: "carritos", Kind: domain.KindUpDown},
	}}
	for name, known := range map[string]bool{
		"tienda_requests_total":                    true,
		"tienda_requests":                          false, // without _total there is no series
		"tienda_response_duration_seconds_bucket":  true,
		"tienda_response_duration_seconds_count":   true,
		"tienda_response_duration_seconds":         false, // a classic histogram has none of this name
		"tienda_response_duration_seconds_max":     false,
		"tienda_pedidos_total":                     true,
		"tienda_valor_COP_sum":                     true,
		"tienda_carritos":                          true,
		"tienda_carritos_total":                    false,
		"tienda_up":                                false,
		"tienda_db_client_connection_count":        true, // a library's, with our prefix
		"tienda_http_server_request_body_size_sum": true,
		"tienda:nothing:recorded":                  false,
		"tiendas_requests_total":                   true, // of another prefix
		"tienda_norte_requests_total":              true, // of another service, whose prefix begins as this one's
		"tienda_norte_2_go_goroutine_count":        true,
		"tienda_norte_pedidos_total":               false, // an event, which that service may not have
		"tienda_clients_requests_total":            false, // client_requests, misspelt
		"tienda__requests_total":                   false,
		"tienda":                                   true,
		"up":                                       true,
	} {
		if got := SeriesOf(d).Exists(name); got != known {
			t.Errorf("%s: exists %v, want %v", name, got, known)
		}
	}
	names := []string{"tienda_b", "up", "tienda_a", "tienda_b"}
	if got := UnknownMetrics(d, names); !slices.Equal(got, []string{"tienda_b", "tienda_a"}) {
		t.Errorf("%v", got)
	}
}

// TestEveryMetricHasItsNoun: a rule on any metric of the contract says in words
// what it is about.
func TestEveryMetricHasItsNoun(t *testing.T) {
	for _, m := range (domain.Domain{Prefix: "tienda", Entity: "pedido"}).Metrics() {
		if n := nouns[m.Key]; n[0] == "" || n[1] == "" {
			t.Errorf("%s has no noun", m.Key)
		}
	}
}
