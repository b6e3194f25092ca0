package cause_test

import (
	"slices"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/cause"
)

// TestAMomentOfOthers: requests that take seconds more, and are seen in no profile,
// are not explained by others that take some milliseconds more.
func TestAMomentOfOthers(t *testing.T) {
	s := newService(t, "en", false)
	s.endpoints["GET /medicos/{id}"].parts["hidden"] = &part{each: moved{0.01, 3}, frames: stack(mutexLock, own("(*API).doctor", 131))}
	s.endpoints["GET /informes"].parts["client"] = &part{each: moved{0.001, 0.2}, frames: stack([]string{"net/http.checkConnErrorWriter.Write server.go:3916"}, own("(*API).report", 19))}
	s.alert = slowAt(s, "GET /medicos/{id}")
	in := s.input()
	for _, p := range []*profile.Profile{in.Profiles.Waits.Before, in.Profiles.Waits.After} {
		p.Sample = slices.DeleteFunc(p.Sample, func(sample *profile.Sample) bool { return slices.Contains(sample.Label["endpoint"], "/medicos/{id}") })
	}
	if r := cause.Explain(in); slices.ContainsFunc(r.Findings, func(f cause.Finding) bool { return f.Endpoint == "GET /informes" }) {
		t.Errorf("%s", told(r))
	}
}
