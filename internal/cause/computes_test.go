package cause_test

import (
	"strings"
	"testing"

	"github.com/latido-dev/latido/internal/cause"
)

var computesFaults = []fault{
	{"a release takes some CPU time to start, in a drill", func(s *service) {
		s.release()
		s.part("GET /informes", "work").each.after = 0.3
		s.alert = about(s, "container_cpu_throttled_periods", ">", 25)
		s.alert.Drill = true
	}, "", "", ""},
	{"own code computes on a machine that others keep busy, alert on CPU", func(s *service) {
		s.others = same(3.2)
		s.part("GET /informes", "work").each.after = 0.3
		s.alert = about(s, "cpu_usage", ">", 80)
	}, "cpu", "report.Totals", ""},
	{"own code computes", func(s *service) { s.part("GET /informes", "work").each.after = 0.4 }, "cpu", "report.Totals", ""},
	{"two functions compute for one kind of request, and each explains no more than a pause beside it", func(s *service) {
		s.part("GET /informes", "work").each.after = 0.36
		s.endpoint("GET /informes").parts["curves"] = &part{each: moved{0, 0.24}, computes: true, frames: stack(own("report.curves", 42), own("report.Totals", 25))}
		s.endpoint("GET /informes").parts["pause"] = &part{each: moved{0, 0.4}, frames: stack(sleeping, own("report.Totals", 31))}
	}, "cpu", "report.Totals (totals.go:19), with report.curves (curves.go:42), takes", "en"},
	{"own code computes for requests that nobody sent before", func(s *service) {
		s.endpoint("GET /resumen", 4).requests.before = 0
		s.endpoint("GET /resumen").parts["work"] = &part{each: same(0.4), computes: true, frames: own("report.Summary", 77)}
	}, "cpu", "report.Summary", ""},
	{"own code computes, and allocates much", func(s *service) {
		s.part("GET /informes", "work").each.after = 0.4
		s.allocated = append(s.allocated, standing{moved{mb, 800 * mb}, nil, own("report.Totals", 15)})
	}, "cpu", "; it allocates ", "en"},
	{"own code computes in a library", func(s *service) {
		s.part("GET /citas", "work").each.after = 0.03
	}, "cpu", "clinic.(*API).list", ""},
	{"own code computes in two libraries, where a pause is longer than in each", func(s *service) {
		s.endpoint("GET /citas").parts["zip"] = &part{each: moved{0, 0.03}, computes: true, frames: stack([]string{"github.com/klauspost/compress/zstd.(*Encoder).EncodeAll encoder.go:490"}, own("(*API).list", 62))}
		s.endpoint("GET /citas").parts["sign"] = &part{each: moved{0, 0.03}, computes: true, frames: stack([]string{"golang.org/x/crypto/bcrypt.GenerateFromPassword bcrypt.go:90"}, own("(*API).list", 64))}
		s.endpoint("GET /citas").parts["pause"] = &part{each: moved{0, 0.04}, frames: stack(sleeping, own("(*API).wait", 80))}
	}, "cpu", "clinic.(*API).list", ""},
	{"own code computes, alert on CPU", func(s *service) {
		s.part("GET /informes", "work").each.after = 0.9
		s.alert = about(s, "cpu_usage", ">", 60)
	}, "cpu", "report.Totals", ""},
	{"own code computes in the background", func(s *service) {
		s.cpu = append(s.cpu, standing{moved{0.1, 2}, map[string]string{"started_by": "GET /informes"}, stack(own("index.(*Builder).Rebuild", 70), own("index.(*Builder).run", 20))})
		s.alert = about(s, "cpu_usage", ">", 60)
	}, "cpu", "index.(*Builder).Rebuild", ""},
	{"own code computes for one kind of request", func(s *service) {
		s.part("GET /medicos/{id}", "work").each.after = 0.05
	}, "cpu", "clinic.(*API).doctor", ""},
	{"own code that did not run before", func(s *service) {
		s.endpoint("GET /citas").parts["new"] = &part{each: moved{0, 0.04}, computes: true, frames: stack([]string{"regexp.(*Regexp).doExecute exec.go:540", "regexp.MatchString regexp.go:550"}, own("(*Filter).Match", 61))}
	}, "cpu", "clinic.(*Filter).Match", ""},
	{"own code computes as the container's limit is taken away", func(s *service) {
		s.part("GET /informes", "work").each.after = 0.9
		s.level("container_cpu_limit", moved{2, 0})
		s.alert = about(s, "cpu_usage", ">", 60)
	}, "cpu", "report.Totals", ""},
	// Rivals: each request costs what it did.
	{"more requests at the same cost, alert on CPU", func(s *service) {
		s.traffic(4)
		s.alert = about(s, "cpu_usage", ">", 60)
	}, "traffic", "", ""},
	{"twice the traffic when a function becomes slow", func(s *service) {
		s.traffic(2)
		s.part("GET /informes", "work").each.after = 0.4
	}, "cpu", "report.Totals", ""},
	{"a harmless release when a function becomes slow", func(s *service) {
		s.release()
		s.part("GET /informes", "work").each.after = 0.4
	}, "cpu", "report.Totals", ""},
}

func TestComputes(t *testing.T) { try(t, computesFaults) }

// TestComputesWithoutFigures: a process that is too busy to give its own figures is
// explained by what its CPU profile alone tells; that every request takes what it
// did is told by none.
func TestComputesWithoutFigures(t *testing.T) {
	for name, of := range map[string]struct {
		tell func(*service)
		want string
	}{
		"a function computes":                  {func(s *service) { s.part("GET /citas", "work").each.after = 0.1 }, "clinic.(*API).list"},
		"and there is twice the traffic":       {func(s *service) { s.traffic(2); s.part("GET /citas", "work").each.after = 0.05 }, "clinic.(*API).list"},
		"only more requests":                   {func(s *service) { s.traffic(25) }, ""},
		"a function computes, and CPU is left": {func(s *service) { s.part("GET /citas", "work").each.after = 0.03 }, ""},
	} {
		s := newService(t, "en", false)
		of.tell(s)
		in := s.input()
		in.Series = nil
		in.Profiles = cause.Profiles{CPU: in.Profiles.CPU}
		r := cause.Explain(in)
		if of.want == "" && len(r.Findings) > 0 || of.want != "" && (len(r.Findings) == 0 || r.Findings[0].Kind != "cpu" || !strings.Contains(r.Findings[0].Function, of.want)) {
			t.Errorf("%s: want %q\n%s", name, of.want, told(r))
		}
	}
}
