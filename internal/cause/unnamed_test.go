package cause_test

import (
	"testing"

	"github.com/latido-dev/latido/internal/cause"
)

// TestNameless tries every fault on a service whose profiles know no endpoints.
func TestNameless(t *testing.T) {
	eachFault(t, func(t *testing.T, f fault) {
		s := newService(t, "en", true)
		s.nameless = true
		f.tell(s)
		r := cause.Explain(s.input())
		switch {
		case f.kind == "" && len(r.Findings) > 0:
			t.Errorf("finds %s, want none", r.Findings[0].Kind)
		case f.kind != "" && len(r.Findings) == 0:
			t.Errorf("finds nothing, want %s", f.kind)
		case f.kind != "" && r.Findings[0].Kind != f.kind:
			t.Errorf("finds %s, want %s", r.Findings[0].Kind, f.kind)
		}
		if t.Failed() {
			t.Log(told(r))
		}
	})
}

// TestNamelessLost: requests that never end are those of the endpoint that has fewer,
// and not of one that takes a little longer by chance.
func TestNamelessLost(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"POST /citas", "GET /citas", "GET /medicos/{id}"} {
		r := ofService(t, func(s *service) {
			s.nameless = true
			s.endpoint(name).requests.after = 0.01
			s.waits = append(s.waits, standing{moved{0, 300}, nil, stack(httpCall, own("(*Payments).Charge", 33), serving)})
			s.alert = about(s, "go_goroutine_count", ">", 200)
		})
		if len(r.Findings) == 0 || r.Findings[0].Endpoint != name {
			t.Errorf("%s: %s", name, told(r))
		}
	}
}

// TestNamelessStarve: another process takes the CPU, and a host that answers slowly
// is to blame where no more requests are slow than call it.
func TestNamelessStarve(t *testing.T) {
	t.Parallel()
	for slow, want := range map[string]string{"": "dependency", "GET /informes": "dependency", "GET /medicos/{id}": "no_cpu"} {
		r := ofService(t, func(s *service) {
			s.nameless = true
			s.others = moved{0.2, 3.7}
			s.endpoint("GET /citas").parts["notify"] = &part{each: moved{0.02, 0.4}, frames: stack(httpCall, own("(*API).list", 66)), peer: "avisos.example.com", calls: same(1)}
			delete(s.endpoint("POST /citas").parts, "pay")
			if slow != "" {
				s.endpoint(slow).parts["ready"] = &part{each: moved{0, 0.1}, frames: own("(*API).answer", 60)}
			}
		})
		if len(r.Findings) == 0 || r.Findings[0].Kind != want {
			t.Errorf("slow too: %q, want %s: %s", slow, want, told(r))
		}
	}
}
