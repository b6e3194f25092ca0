package alerting

import (
	"fmt"

	"github.com/latido-dev/latido/domain"
)

// RuleFile is the rule file of a domain, for Prometheus: deploy/prometheus/rules/P.rules.yaml.
// It returns an error for a domain that is not valid, and for addresses in o
// that Prometheus would read as templates.
//
// An expression of the domain file stands there as it is: only Prometheus'
// parser knows whether it is right, which latido check and embedded ask.
func RuleFile(d domain.Domain, o Options) ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	if err := checkLinks(o); err != nil {
		return nil, err
	}
	var groups []fields
	for _, g := range Groups(d, o) {
		group := fields{{key: "name", value: g.Name}}
		if g.Interval > 0 {
			group = append(group, field{key: "interval", value: length(g.Interval)})
		}
		if g.Limit > 0 {
			group = append(group, field{key: "limit", value: g.Limit})
		}
		rules := make([]fields, len(g.Rules))
		for i, r := range g.Rules {
			rules[i] = r.fields()
		}
		groups = append(groups, append(group, field{key: "rules", value: rules}))
	}
	if len(groups) == 0 {
		return file(head(d, "rules"), fields{{key: "groups", value: []fields{}}})
	}
	return file(head(d, "rules"), fields{{key: "groups", value: groups}})
}

// fields are those of the rule in the file.
func (r Rule) fields() fields {
	var f fields
	if r.Record != "" {
		f = fields{{key: "record", value: r.Record}, {key: "expr", value: r.Expr}}
	} else {
		f = fields{{key: "alert", value: r.Alert}, {key: "expr", value: r.Expr}}
	}
	if r.For > 0 {
		f = append(f, field{key: "for", value: length(r.For)})
	}
	if r.KeepFiring > 0 {
		f = append(f, field{key: "keep_firing_for", value: length(r.KeepFiring)})
	}
	if len(r.Labels) > 0 {
		f = append(f, field{key: "labels", value: r.Labels})
	}
	if len(r.Annotations) > 0 {
		f = append(f, field{key: "annotations", value: r.Annotations})
	}
	return f
}

// head says how a file was made.
func head(d domain.Domain, what string) string {
	return fmt.Sprintf("# Written by \"latido generate %s\" from the domain file of %s.\n# Change that file, not this one, and write this one again.\n", what, d.Prefix)
}
