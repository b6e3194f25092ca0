package cause_test

import (
	"strings"
	"testing"

	"github.com/latido-dev/latido/internal/cause"
)

// TestNothingIsKnown: a figure that nobody has is not said to be as before.
func TestNothingIsKnown(t *testing.T) {
	for name, test := range map[string]struct {
		lacks      func(in *cause.Input)
		want, lies string
	}{
		"no figures, no profiles": {func(in *cause.Input) { in.Series, in.Profiles = nil, cause.Profiles{} }, "neither figures nor profiles", "requests ("},
		"no figures":              {func(in *cause.Input) { in.Series = nil }, "no figures of that time", "requests ("},
		"no time before": {func(in *cause.Input) {
			in.Times.Before = cause.Range{From: in.Times.Before.From.AddDate(0, 0, -1), To: in.Times.Before.From.AddDate(0, 0, -1)}
		}, "before is not known", "about as before"},
		"no look at goroutines": {func(in *cause.Input) { in.Profiles.Waits, in.Profiles.Goroutines = cause.Pair{}, cause.Pair{} }, "was not looked at", "locks"},
	} {
		in := newService(t, "en", false).input()
		in.Alert.Drill = true
		test.lacks(&in)
		if r := cause.Explain(in); !strings.Contains(r.None, test.want) || strings.Contains(r.None, test.lies) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestWhatMoved: a figure that is not as before is not said to be.
func TestWhatMoved(t *testing.T) {
	for name, test := range map[string]struct {
		moves      func(s *service)
		want, lies string
	}{
		"goroutines": {func(s *service) { s.creeps("go_goroutine_count", moved{60, 900}) }, "; not as before: goroutines (", "memory, goroutines"},
		"errors":     {func(s *service) { s.endpoint("POST /citas").status["500"] = moved{0, 0.1} }, "; not as before: errors (", "errors, memory"},
		"requests": {func(s *service) {
			s.alert = about(s, "disk_usage", ">", 90)
			for _, e := range s.endpoints {
				e.requests.before = 0
			}
		}, "; not as before: requests (", "duration"},
		"memory": {func(s *service) { s.creeps("go_memory_used", moved{60 * mb, 900 * mb}) }, "; not as before: memory (", "errors, memory"},
	} {
		s := newService(t, "en", false)
		test.moves(s)
		in := s.input()
		in.Alert.Drill = true
		if r := cause.Explain(in); !strings.Contains(r.None, test.want) || strings.Contains(r.None, test.lies) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
