package prom

import (
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/url"
	"strconv"
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

// loadGroups makes groups of what was parsed. Their state is restored by us, so
// they count as restored.
func loadGroups(file *rulefmt.RuleGroups, interval time.Duration, externalURL string, o *rules.ManagerOptions) ([]*rules.Group, error) {
	var groups []*rules.Group
	for _, rg := range file.Groups {
		var list []rules.Rule
		for _, r := range rg.Rules {
			expr, err := promQL.ParseExpr(r.Expr)
			if err != nil {
				return nil, fmt.Errorf("rules: %s%s: %w", r.Alert, r.Record, err)
			}
			l := rules.FromMaps(rg.Labels, r.Labels)
			if r.Record != "" {
				list = append(list, rules.NewRecordingRule(r.Record, expr, l))
				continue
			}
			list = append(list, rules.NewAlertingRule(r.Alert, expr, time.Duration(r.For), time.Duration(r.KeepFiringFor),
				l, labels.FromMap(r.Annotations), labels.EmptyLabels(), externalURL, true, o.Logger.With("alert", r.Alert)))
		}
		every := time.Duration(rg.Interval)
		if every == 0 {
			every = interval
		}
		groups = append(groups, rules.NewGroup(rules.GroupOptions{
			Name: rg.Name, File: rulesName, Interval: every, Limit: rg.Limit, Rules: list,
			QueryOffset: (*time.Duration)(rg.QueryOffset), Opts: o,
		}))
	}
	return groups, nil
}

// ruleKey tells one rule from the others: its name and labels.
func ruleKey(name string, l labels.Labels) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(l.String()))
	return name + "/" + strconv.FormatUint(h.Sum64(), 16)
}

// windows says how far back each alerting rule looks, what it takes from
// recording rules included, by ruleKey. It is at least two evaluations: a rule may
// come before the one whose record it reads.
func windows(groups []*rules.Group) map[string]time.Duration {
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
	all := map[string]time.Duration{}
	for _, g := range groups {
		for _, r := range g.Rules() {
			if r, ok := r.(*rules.AlertingRule); ok {
				all[ruleKey(r.Name(), r.Labels())] = max(2*slowest, window(r.Query(), records, 0))
			}
		}
	}
	return all
}

// onScraped are the alerting rules that ask for what is scraped, by ruleKey. One
// that asks how the scrapes are, by what they report of themselves, is not among
// them, nor is one that asks for nothing.
func onScraped(groups []*rules.Group) map[string]bool {
	all := map[string]bool{}
	for _, g := range groups {
		for _, r := range g.Rules() {
			r, ok := r.(*rules.AlertingRule)
			if !ok {
				continue
			}
			series, scrapes := false, false
			parser.Inspect(r.Query(), func(n parser.Node, _ []parser.Node) error {
				if v, ok := n.(*parser.VectorSelector); ok {
					series, scrapes = true, scrapes || reported[v.Name]
				}
				return nil
			})
			all[ruleKey(r.Name(), r.Labels())] = series && !scrapes
		}
	}
	return all
}

// maxRecordDepth is how many recording rules may build on one another.
const maxRecordDepth = 5

func window(e parser.Expr, records map[string]parser.Expr, depth int) time.Duration {
	var longest time.Duration
	parser.Inspect(e, func(n parser.Node, path []parser.Node) error {
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

func parseExternalURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil { // Config was checked
		return &url.URL{}
	}
	return u
}
