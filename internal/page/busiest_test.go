package page

import (
	"strings"
	"testing"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/figures"
	"github.com/latido-dev/latido/internal/profiles"
)

// The function is told that the endpoint with most of the CPU time has most of, in
// whatever order endpoints come; without a profile, or a function in it, nothing is.
func TestBusiest(t *testing.T) {
	t.Parallel()
	p := New(Config{Domain: domain.Domain{Prefix: "tienda", Entity: "pedido", Language: "en"}})
	row := func(name string, share float64, functions ...string) endpointRow {
		e := endpointRow{Route: figures.Route{Method: "GET", Endpoint: name, Profile: &figures.Top{CPUShare: share}}}
		for _, f := range functions {
			e.Profile.Functions = append(e.Profile.Functions, profiles.Function{Function: f, File: "a.go", Line: 7, Share: 0.5})
		}
		return e
	}
	without := endpointRow{Route: figures.Route{Method: "GET", Endpoint: "/none"}}
	little, most, unnamed, idle := row("/little", 0.1, "main.a"), row("/most", 0.6, "main.b", "main.c"), row("/unnamed", 0.9), row("/idle", 0, "main.d")
	for want, orders := range map[string][][]endpointRow{
		"60 % goes to /most; there main.b takes 50 %": {{little, most, unnamed, without, idle}, {idle, without, unnamed, most, little}},
		"10 % goes to /little; there main.a":          {{without, little}, {little, unnamed}},
		"":                                            {nil, {without}, {unnamed}, {idle}, {unnamed, without, idle}},
	} {
		for _, order := range orders {
			if said := p.busiest(dashboard{Endpoints: order}); !strings.Contains(said, want) || want == "" && said != "" {
				t.Errorf("%q, want %q", said, want)
			}
		}
	}
}
