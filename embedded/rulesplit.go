package embedded

import (
	"fmt"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/internal/yamlpos"
)

// splitRules takes a rule file apart that does not parse, and puts together
// what does: Prometheus' parser refuses the whole file for one rule.
func splitRules(text []byte) (kept []byte, wrong []leftOut, err error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, nil, err
	}
	groups := yamlpos.Child(&doc, "groups")
	if groups == nil || groups.Kind != yaml.SequenceNode {
		_, err := parseFile(text)
		return nil, nil, err
	}
	all := groups.Content
	groups.Content = nil
	for _, g := range all {
		rules := yamlpos.Child(g, "rules")
		if rules == nil || rules.Kind != yaml.SequenceNode {
			wrong = append(wrong, leftOut{nameOf(g, "name"), fmt.Errorf("a group without rules")})
			continue
		}
		each := rules.Content
		rules.Content = slices.DeleteFunc(slices.Clone(each), func(r *yaml.Node) bool {
			rules.Content, groups.Content = []*yaml.Node{r}, []*yaml.Node{g}
			err := parseNode(&doc)
			if err != nil {
				wrong = append(wrong, leftOut{nameOf(r, "alert", "record"), err})
			}
			return err != nil
		})
	}
	groups.Content = nil
	for _, g := range all { // what two groups together have wrong: a name
		if rules := yamlpos.Child(g, "rules"); rules == nil || len(rules.Content) == 0 {
			continue
		}
		groups.Content = append(groups.Content, g)
		if err := parseNode(&doc); err != nil {
			groups.Content = groups.Content[:len(groups.Content)-1]
			wrong = append(wrong, leftOut{nameOf(g, "name"), err})
		}
	}
	kept, err = yaml.Marshal(&doc)
	return kept, wrong, err
}

// withoutRules is a rule file without those of some names.
func withoutRules(text []byte, names []leftOut) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	if groups := yamlpos.Child(&doc, "groups"); groups != nil {
		for _, g := range groups.Content {
			if rules := yamlpos.Child(g, "rules"); rules != nil {
				rules.Content = slices.DeleteFunc(rules.Content, func(r *yaml.Node) bool {
					name := nameOf(r, "alert", "record")
					return slices.ContainsFunc(names, func(l leftOut) bool { return l.name == name })
				})
			}
		}
	}
	return yaml.Marshal(&doc)
}

// lineOf is where a parser found something, in a text that is not the user's.
var lineOf = regexp.MustCompile(`\b(\d+:\d+: |line \d+: )`)

func parseNode(doc *yaml.Node) error {
	text, err := yaml.Marshal(doc)
	if err != nil {
		return err
	}
	if _, err = parseFile(text); err != nil {
		return fmt.Errorf("%s", lineOf.ReplaceAllString(err.Error(), ""))
	}
	return nil
}

// nameOf is the first of the keys that a mapping has.
func nameOf(n *yaml.Node, keys ...string) string {
	for _, key := range keys {
		if name := yamlpos.Child(n, key); name != nil {
			return name.Value
		}
	}
	return "without a name"
}
