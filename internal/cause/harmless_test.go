package cause_test

import (
	"testing"

	"github.com/latido-dev/latido/internal/cause"
)

// beside has the service do what has nothing to do with any fault.
func beside(s *service) {
	s.seed = 2
	s.endpoint("GET /salud", 1).parts = map[string]*part{"work": {each: same(0.0005), computes: true, frames: own("(*API).health", 10)}}
	s.endpoint("POST /fotos", 0.5).parts = map[string]*part{"read": {each: same(8), frames: stack(polling, []string{"net/http.(*body).Read transfer.go:840", "io.ReadAll io.go:700"}, own("(*API).upload", 10))}}
	s.waits = append(s.waits, standing{same(5), nil, stack(sleeping, own("(*Poller).every", 10))}, standing{same(3), nil, stack(httpCall, own("(*Poller).ask", 14), own("(*Poller).every", 12))})
	s.cpu = append(s.cpu, standing{same(0.1), nil, own("(*Poller).read", 33)})
}

// TestHarmless: what a service does besides changes nothing of what is told first:
// probes, uploads, a job that asks somebody, other noise, and a release.
func TestHarmless(t *testing.T) {
	t.Parallel()
	eachFault(t, func(t *testing.T, f fault) {
		s := newService(t, "en", true)
		f.tell(s)
		beside(s)
		if f.kind != "" { // else a release is all that can be told
			s.release()
		}
		r := cause.Explain(s.input())
		switch {
		case f.kind == "" && len(r.Findings) > 0:
			t.Errorf("finds %s, want none", told(r))
		case f.kind != "" && (len(r.Findings) == 0 || r.Findings[0].Kind != f.kind):
			t.Errorf("finds %s, want %s", told(r), f.kind)
		}
	})
}
