package generate_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/latido-dev/latido/cmd/latido/internal/expr"
	"github.com/latido-dev/latido/dashboards"
	"github.com/latido-dev/latido/domain"
)

// boardQueries are the queries for Prometheus of a dashboard.
type boardQueries struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
	Templating struct {
		List []struct{ Type, Name, Query string }
	}
	Annotations struct{ List []struct{ Name, Expr string } }
}

// promqlRule is a rule of https://github.com/grafana/dashboard-linter about one
// node of a query. The rules about anything else are in the tests of package
// dashboards.
type promqlRule struct {
	name   string
	wrong  func(node parser.Node, parents []parser.Node) error
	except func(expr string) bool // queries that may break it
	why    string
}

// ownExpression is the threshold in PromQL of the tests' domain, which is asked
// as it is written.
const ownExpression = "increase(academia_telemetry_profiles_dropped_total[5m])"

var promqlRules = []promqlRule{
	{
		name: "target-rate-interval-rule",
		wrong: func(node parser.Node, parents []parser.Node) error {
			m, ok := node.(*parser.MatrixSelector)
			if !ok || m.Range.String() == rateInterval || len(parents) == 0 {
				return nil
			}
			call, ok := parents[len(parents)-1].(*parser.Call)
			if !ok || call.Func.Name == "rate" || call.Func.Name == "irate" {
				return fmt.Errorf("%s does not range over $__rate_interval", m)
			}
			return nil
		},
	},
	{
		name: "target-job-rule", wrong: matches("job"),
		except: func(expr string) bool { return expr == ownExpression || strings.Contains(expr, "ALERTS{") },
		why:    "an alert of the whole service has no job, and a threshold in PromQL is the domain's own",
	},
	{
		name: "target-instance-rule", wrong: matches("instance"),
		except: func(expr string) bool {
			return expr == ownExpression || strings.Contains(expr, "ALERTS{") || strings.Contains(expr, ":slo_")
		},
		why: "no instance has an objective of its own; an alert of the whole service has no instance; a threshold in PromQL is the domain's own",
	},
	{
		name: "target-counter-agg-rule",
		wrong: func(node parser.Node, parents []parser.Node) error {
			s, ok := node.(*parser.VectorSelector)
			if !ok || !strings.HasSuffix(s.Name, "_total") {
				return nil
			}
			if len(parents) > 1 {
				if call, ok := parents[len(parents)-2].(*parser.Call); ok && slices.Contains([]string{"rate", "irate", "increase"}, call.Func.Name) {
					return nil
				}
			}
			return fmt.Errorf("the counter %s is taken as it is", s)
		},
	},
}

// matches wants name=~"$name" of every selector.
func matches(name string) func(parser.Node, []parser.Node) error {
	return func(node parser.Node, _ []parser.Node) error {
		s, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		for _, m := range s.LabelMatchers {
			if m.Name == name && m.Type == labels.MatchRegexp && m.Value == "$"+name {
				return nil
			}
		}
		return fmt.Errorf("%s does not keep to $%s", s, name)
	}
}

// rateInterval stands for $__rate_interval: a time that nobody writes.
const rateInterval = "12h34m56s"

var templated = regexp.MustCompile(`^label_values\((.+), \w+\)$`)

// readTemplated parses a query as dashboard-linter does: Grafana's own variables are
// filled in, and the others stay as they are inside of their quotes.
func readTemplated(text string) (parser.Expr, error) {
	text = strings.NewReplacer("$__rate_interval", rateInterval, "$__range", "6h").Replace(text)
	return expr.Parser.ParseExpr(text)
}

// TestDashboardLint holds every query of the dashboards of three domains against
// the rules of grafana/dashboard-linter that need a parser of PromQL:
// target-promql-rule and template-label-promql-rule, that it is some, and
// promqlRules. The linter's target-promql-rule takes Pyroscope's queries for
// empty ones of Prometheus: they are left out.
func TestDashboardLint(t *testing.T) {
	t.Parallel()
	excused := map[string]int{}
	for _, file := range []string{"../../../../examples/echo-api/domain.yaml", "../../../../dashboards/testdata/academia.yaml", "../../../../dashboards/testdata/clinic.yaml"} {
		d, err := domain.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		files, err := dashboards.All(d, dashboards.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			var board boardQueries
			if err := json.Unmarshal(f.JSON, &board); err != nil {
				t.Fatal(err)
			}
			queries := map[string]string{} // where, by query
			for _, p := range board.Panels {
				for _, target := range p.Targets {
					if target.Expr != "" { // Pyroscope's have none
						queries[target.Expr] = p.Title
					}
				}
			}
			for _, a := range board.Annotations.List {
				queries[a.Expr] = "annotation " + a.Name
			}
			for _, v := range board.Templating.List {
				if v.Type != "query" {
					continue
				}
				m := templated.FindStringSubmatch(v.Query)
				if m == nil {
					t.Fatalf("template-label-promql-rule: %s: %s asks %q", f.Name, v.Name, v.Query)
				}
				if _, err := readTemplated(m[1]); err != nil {
					t.Errorf("template-label-promql-rule: %s: %s: %v", f.Name, v.Name, err)
				}
			}
			for text, where := range queries {
				expr, err := readTemplated(text)
				if err != nil {
					t.Errorf("target-promql-rule: %s: %s: %v", f.Name, where, err)
					continue
				}
				for _, rule := range promqlRules {
					for _, wrong := range rule.broken(expr) {
						if rule.except != nil && rule.except(text) {
							excused[rule.name]++
						} else {
							t.Errorf("%s: %s: %s: %v", rule.name, f.Name, where, wrong)
						}
					}
				}
			}
		}
	}
	for _, rule := range promqlRules {
		if n := excused[rule.name]; n > 0 {
			t.Logf("%s: %d excused: %s", rule.name, n, rule.why)
		} else if rule.except != nil {
			t.Errorf("%s: nothing needs its exception", rule.name)
		}
	}
}

// broken is where a query breaks the rule.
func (r promqlRule) broken(expr parser.Expr) []error {
	var all []error
	parser.Inspect(expr, func(node parser.Node, parents []parser.Node) error {
		if err := r.wrong(node, parents); err != nil {
			all = append(all, err)
		}
		return nil
	})
	return all
}

// TestDashboardLintFinds gives each rule a query that keeps it, and one that
// does not.
func TestDashboardLintFinds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ good, bad string }{
		"target-rate-interval-rule": {"rate(a_total[$__rate_interval])", "rate(a_total[5m])"},
		"target-job-rule":           {`a{job=~"$job"}`, `a{job="$job"}`},
		"target-instance-rule":      {`a{instance=~"$instance"}`, `a{job=~"$job"}`},
		"target-counter-agg-rule":   {"increase(a_total[$__range])", "sum(a_total)"},
	} {
		for _, rule := range promqlRules {
			if rule.name != name {
				continue
			}
			for text, want := range map[string]int{c.good: 0, c.bad: 1} {
				expr, err := readTemplated(text)
				if err != nil {
					t.Fatal(err)
				}
				if got := rule.broken(expr); len(got) != want {
					t.Errorf("%s: %s: %v", name, text, got)
				}
			}
		}
	}
}
