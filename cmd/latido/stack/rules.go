package stack

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// applied is how many bytes of JSON an object may have: kubectl apply keeps the
// whole object in an annotation, and all annotations together have 256 KiB at
// most. What is left is for its names and labels.
const applied = 256<<10 - 4<<10

// group is a group of rules as its text in a rule file, two columns further in.
type group struct {
	head  string // up to the key of its rules
	rules []string
}

func (g group) text() string { return g.head + strings.Join(g.rules, "") }

// specs are a rule file as the specs of PrometheusRules, of which kubectl apply
// takes each. A group stays in one where it fits into one: the rules of an
// objective need each other's order.
func specs(rules string) ([]string, error) {
	var parts []string
	var part strings.Builder
	size := 0
	start := func() {
		if part.Len() > 0 {
			parts = append(parts, strings.TrimSuffix(part.String(), "\n"))
		}
		part.Reset()
		part.WriteString("  groups:\n")
		size = len(`{"groups":[]}`)
	}
	start()
	all := groups(rules)
	for _, whole := range all {
		n, err := jsonSize(whole.text())
		if err != nil {
			return nil, err
		}
		pieces := []group{whole}
		if n > applied {
			pieces = nil
			for _, r := range whole.rules {
				pieces = append(pieces, group{whole.head, []string{r}})
			}
		}
		open := false // the group's head stands in this part
		for _, g := range pieces {
			if len(pieces) > 1 {
				if n, err = jsonSize(g.text()); err != nil {
					return nil, err
				}
			}
			if size+n > applied {
				start()
				open = false
			}
			if open {
				g.head = ""
			}
			part.WriteString(g.text())
			size, open = size+n, true
		}
	}
	start()
	if len(parts) == 1 && len(all) == 0 {
		return []string{"  groups: []"}, nil
	}
	return parts, nil
}

// jsonSize is how long a list of groups is as kubectl writes it.
func jsonSize(text string) (int, error) {
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		return 0, fmt.Errorf("a group of rules: %w", err)
	}
	data, err := json.Marshal(value)
	return len(data), err
}

// groups takes a rule file apart, of which alerting writes every key where it
// is expected here.
func groups(rules string) []group {
	var all []group
	for line := range strings.Lines(rules) {
		last := len(all) - 1
		inRules := last >= 0 && len(all[last].rules) > 0
		switch {
		case strings.HasPrefix(line, "#") || strings.HasPrefix(line, "groups:"):
			continue
		case strings.HasPrefix(line, "  - "):
			all = append(all, group{head: "  " + line})
			continue
		case last >= 0 && strings.HasPrefix(line, "      - "):
			all[last].rules = append(all[last].rules, "")
			inRules = true
		}
		if strings.TrimSpace(line) != "" {
			line = "  " + line
		}
		switch {
		case last < 0:
		case inRules:
			all[last].rules[len(all[last].rules)-1] += line
		default:
			all[last].head += line
		}
	}
	return all
}
