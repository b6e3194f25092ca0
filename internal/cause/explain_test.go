package cause_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/internal/cause"
)

// fault is a service to which something happened, and what must be found first.
type fault struct {
	name string
	tell func(s *service)
	kind string // of the first finding; "" for none at all
	in   string // part of its function, peer, endpoint or sentence; "" for any
	only string // the language to try it in; "" for both
}

// Alerts that may fire of a service.
func slow(s *service) cause.Alert {
	f := s.family("response_duration")
	return cause.Alert{Name: "Slow", Metric: "response_duration", Op: ">", Bound: 0.2, Value: 0.5,
		Expr: "histogram_quantile(0.95, sum by (job, le) (rate(" + f + "_bucket[1m]))) > 0.2"}
}

// slowAt is about one endpoint: "GET /citas".
func slowAt(s *service, endpoint string) cause.Alert {
	a := slow(s)
	_, route, _ := strings.Cut(endpoint, " ")
	a.Labels = map[string]string{"endpoint": route}
	return a
}

func failing(s *service) cause.Alert {
	f := s.family("requests")
	return cause.Alert{Name: "Errors", Metric: "requests", Op: ">", Bound: 5, Value: 30,
		Expr: "100 * sum by (job) (rate(" + f + `{status=~"5.."}[1m])) / sum by (job) (rate(` + f + "[1m])) > 5"}
}

func refusing(s *service) cause.Alert {
	a := failing(s)
	a.Name, a.Expr = "Refused", strings.ReplaceAll(a.Expr, `"5.."`, `"4.."`)
	return a
}

func leaving(s *service) cause.Alert {
	a := failing(s)
	a.Name, a.Expr = "ClientsLeave", strings.ReplaceAll(a.Expr, `=~"5.."`, `="499"`)
	return a
}

func about(s *service, key, op string, bound float64) cause.Alert {
	return cause.Alert{Name: key, Metric: key, Op: op, Bound: bound, Value: bound, Expr: fmt.Sprintf("%s %s %g", s.family(key), op, bound)}
}

func eventFell(s *service) cause.Alert {
	a := about(s, "reservas", "<", 10)
	a.Expr = "sum by (job) (increase(" + s.family("reservas") + "[1m])) < 10"
	return a
}

// nonsense is what no sentence may have.
var nonsense = regexp.MustCompile(`(take|takes|ocupan|tarda) 0 ms|NaN|Inf|%!|\b1000 (times|veces)| ,|  |\d[.,]\d{4}|^\s*$`)

// everyway tries a fault in both languages, and in both paces: in English in the
// normal one, in Spanish in the fast one, and one of a single language in both.
// In the normal one the answer must not depend on the order of the series.
func everyway(t *testing.T, of fault, check func(*testing.T, *service, cause.Result)) {
	for _, language := range []string{"en", "es"} {
		if of.only != "" && of.only != language {
			continue
		}
		for _, fast := range []bool{false, true} {
			if of.only == "" && fast != (language == "es") {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s/fast=%v", of.name, language, fast), func(t *testing.T) {
				t.Parallel()
				s := newService(t, language, fast)
				of.tell(s)
				in := s.input()
				r := cause.Explain(in)
				check(t, s, r)
				if !fast {
					sameAgain(t, in, r)
				}
				for _, f := range r.Findings {
					for _, text := range append([]string{f.Sentence, f.Next}, f.Rests...) {
						if nonsense.MatchString(text) {
							t.Errorf("%s says %q", f.Kind, text)
						}
					}
				}
				if t.Failed() {
					change, _, now := s.times()
					t.Logf("changed at %s, now %s\n%s", change.Format(time.TimeOnly), now.Format(time.TimeOnly), told(r))
				}
			})
		}
	}
}

// sameAgain checks that an input has the same answer again, in whatever order its
// series come.
func sameAgain(t *testing.T, in cause.Input, r cause.Result) {
	first := told(r)
	in.Series = slices.Clone(in.Series)
	slices.Reverse(in.Series)
	times := 1
	if len(r.Findings) > 0 {
		times = 3 // what is found has an order of its own, which chance may change
	}
	for range times {
		if again := told(cause.Explain(in)); again != first {
			t.Errorf("tells\n%s\nand then\n%s", first, again)
		}
	}
}

func told(r cause.Result) string {
	text := fmt.Sprintf("compared %s to %s with %s to %s\n", r.Times.Before.From.Format(time.TimeOnly), r.Times.Before.To.Format(time.TimeOnly), r.Times.After.From.Format(time.TimeOnly), r.Times.After.To.Format(time.TimeOnly))
	for _, f := range r.Findings {
		text += fmt.Sprintf("%.2f %s %s\n\t%s\n\t%s\n", f.Score, f.Kind, f.Sentence, f.Next, strings.Join(f.Rests, "; "))
	}
	return text + r.None
}

// try holds the engine to what must be found.
func try(t *testing.T, faults []fault) {
	for _, f := range faults {
		everyway(t, f, func(t *testing.T, s *service, r cause.Result) {
			switch {
			case f.kind == "" && len(r.Findings) > 0:
				t.Errorf("finds %s, want none", r.Findings[0].Kind)
			case f.kind == "" && r.None == "":
				t.Error("does not say what was looked at")
			case f.kind == "":
			case len(r.Findings) == 0:
				t.Errorf("finds nothing, want %s", f.kind)
			default:
				first := r.Findings[0]
				if first.Kind != f.kind {
					t.Errorf("finds %s, want %s", first.Kind, f.kind)
				}
				if first.Score < 0.5 {
					t.Errorf("its score is %.2f", first.Score)
				}
				if all := strings.Join([]string{first.Function, first.Peer, first.Endpoint, first.Sentence}, "\n"); !strings.Contains(all, f.in) {
					t.Errorf("does not name %s", f.in)
				}
			}
		})
	}
}
