package prom

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
)

// promQL reads expressions as a Prometheus server without feature flags does.
var promQL = parser.NewParser(parser.Options{})

// rulesName stands for the rule file where Prometheus says which one.
const rulesName = "rules.yaml"

// parseRules reads a rule file. Its error says where what is wrong.
func parseRules(text []byte) (*rulefmt.RuleGroups, error) {
	if len(text) == 0 {
		return &rulefmt.RuleGroups{}, nil
	}
	groups, errs := rulefmt.Parse(text, false, model.UTF8Validation, promQL, slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		return nil, fmt.Errorf("rules: %w", errors.Join(errs...))
	}
	return groups, nil
}

// recordedNames are the names of the series that rules write.
func recordedNames(file *rulefmt.RuleGroups) map[string]bool {
	names := map[string]bool{"ALERTS": true, "ALERTS_FOR_STATE": true}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Record != "" {
				names[r.Record] = true
			}
		}
	}
	return names
}

// newManager makes a rules.Manager of a rule file; it starts nothing.
func newManager(file *rulefmt.RuleGroups, cfg Config, s *store, o rules.ManagerOptions) *rules.Manager {
	o.GroupLoader = parsed{file}
	o.ExternalURL = externalURL(cfg)
	o.AppendableV2, o.Queryable = recorder{s}, s
	o.Logger = quietly(cfg.Logger)
	o.Parser = promQL
	return rules.NewManager(&o)
}

// parsed implements rules.GroupLoader for a file that was read.
type parsed struct{ file *rulefmt.RuleGroups }

// Load implements rules.GroupLoader.
func (p parsed) Load(string, bool, model.ValidationScheme) (*rulefmt.RuleGroups, []error) {
	return p.file, nil
}

// Parse implements rules.GroupLoader.
func (parsed) Parse(expr string) (parser.Expr, error) { return promQL.ParseExpr(expr) }

// watched is an alerting rule, and what it asks for.
type watched struct {
	rule *rules.AlertingRule
	// window is how far back it looks, what it takes from recording rules
	// included, and at least two evaluations: a rule may come before the one
	// whose record it reads.
	window time.Duration
	// scraped tells whether it asks for what is scraped. A rule that asks how
	// the scrapes are, by what they report of themselves, does not.
	scraped bool
}

// ruleKey tells one rule from the others.
func ruleKey(name string, l labels.Labels) string { return name + l.String() }

// watch finds the alerting rules, by ruleKey.
func watch(groups []*rules.Group) map[string]watched {
	records := map[string]parser.Expr{}
	var slowest time.Duration
	for _, g := range groups {
		slowest = max(slowest, g.Interval())
		for _, r := range g.Rules() {
			if r, ok := r.(*rules.RecordingRule); ok {
				records[r.Name()] = r.Query()
			}
		}
	}
	all := map[string]watched{}
	for _, g := range groups {
		for _, r := range g.AlertingRules() {
			series, scrapes := false, false
			for _, name := range selected(r.Query()) {
				series, scrapes = true, scrapes || reported[name]
			}
			all[ruleKey(r.Name(), r.Labels())] = watched{r, max(2*slowest, window(r.Query(), records, 0)), series && !scrapes}
		}
	}
	return all
}

// selected are the names of the series that an expression reads, "" for one
// that it does not name.
func selected(e parser.Expr) (names []string) {
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			names = append(names, v.Name)
		}
		return nil
	})
	return names
}

// maxRecordDepth is how many recording rules may build on one another.
const maxRecordDepth = 5

func window(e parser.Expr, records map[string]parser.Expr, depth int) time.Duration {
	var longest time.Duration
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.MatrixSelector:
			longest = max(longest, n.Range)
		case *parser.SubqueryExpr:
			longest = max(longest, n.Range)
		case *parser.VectorSelector:
			if recorded, ok := records[n.Name]; ok && depth < maxRecordDepth {
				longest = max(longest, window(recorded, records, depth+1))
			}
		}
		return nil
	})
	return longest
}

// externalURL is where people reach the process.
func externalURL(cfg Config) *url.URL {
	u, err := url.Parse(cfg.ExternalURL)
	if err != nil { // Config was checked
		return &url.URL{}
	}
	return u
}
