package check

import (
	"iter"
	"regexp"
	"slices"
	"strings"
)

// variables are those of a dashboard: what each is replaced by, and what it asks.
type variables struct {
	values map[string]string // of those that are known
	asks   []query
}

// anyValue stands for the value of a variable that only Grafana knows.
const anyValue = "latido_any"

// variablesOf reads the variables of a dashboard.
func variablesOf(board map[string]any) variables {
	vars := variables{values: map[string]string{}}
	templating, _ := board["templating"].(map[string]any)
	items, _ := templating["list"].([]any)
	for _, item := range items {
		v, _ := item.(map[string]any)
		name, _ := v["name"].(string)
		kind, _ := v["type"].(string)
		switch kind {
		case "interval":
			vars.values[name] = "5m"
		case "constant", "textbox":
			if text, ok := v["query"].(string); ok {
				vars.values[name] = text
			}
		case "custom": // a list of values, the first of which is as good as any
			text, _ := v["query"].(string)
			first, _, _ := strings.Cut(text, ",")
			if _, value, ok := strings.Cut(first, " : "); ok {
				first = value
			}
			vars.values[name] = strings.TrimSpace(first)
		case "query":
			if is, known := isPrometheus(v["datasource"]); known && !is {
				continue
			}
			text, _ := v["query"].(string)
			if q, ok := v["query"].(map[string]any); ok {
				text, _ = q["query"].(string)
			}
			if expr := variableExpr(text); expr != "" {
				vars.asks = append(vars.asks, query{where: "variable " + name, expr: expr})
			}
		}
	}
	return vars
}

// queries are what the variables ask; they may use one another.
func (v variables) queries() []query {
	asks := slices.Clone(v.asks)
	for i := range asks {
		asks[i].vars = v
	}
	return asks
}

var (
	labelValues = regexp.MustCompile(`(?s)^\s*label_values\((.+),\s*[A-Za-z0-9_$]+\s*\)\s*$`)
	queryResult = regexp.MustCompile(`(?s)^\s*query_result\((.+)\)\s*$`)
)

// variableExpr is the PromQL in a variable's query, "" if there is none:
// Grafana has functions of its own around it.
func variableExpr(text string) string {
	if m := labelValues.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	if m := queryResult.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// reference is a variable in a query, in one of Grafana's three ways.
var reference = regexp.MustCompile(`\$\{([A-Za-z0-9_]+)(?::[^}]*)?\}|\$([A-Za-z_][A-Za-z0-9_]*)|\[\[([A-Za-z0-9_]+)(?::[^\]]*)?\]\]`)

// maxGuessed is for how many variables of a query it is tried whether they are
// a word or a number.
const maxGuessed = 4

// expanded are the texts that a query may become, the likeliest first. Where a
// variable is unknown and stands outside of quotes, it may be a word, a number
// or a time.
func (v variables) expanded(expr string) iter.Seq[string] {
	var unknown []string
	for _, m := range reference.FindAllStringSubmatch(expr, -1) {
		name := m[1] + m[2] + m[3]
		if v.value(name) == "" && !slices.Contains(unknown, name) {
			unknown = append(unknown, name)
		}
	}
	guesses := []string{anyValue, "1", "5m"}
	return func(yield func(string) bool) {
		n := 1
		for range min(len(unknown), maxGuessed) {
			n *= len(guesses)
		}
		for i := range n {
			guess := map[string]string{}
			for j, name := range unknown {
				guess[name] = anyValue
				if j < maxGuessed {
					guess[name] = guesses[i%len(guesses)]
					i /= len(guesses)
				}
			}
			text := reference.ReplaceAllStringFunc(expr, func(s string) string {
				m := reference.FindStringSubmatch(s)
				name := m[1] + m[2] + m[3]
				if value := v.value(name); value != "" {
					return value
				}
				return guess[name]
			})
			if !yield(text) {
				return
			}
		}
	}
}

// value is what is known of a variable, Grafana's own included; "" for nothing.
func (v variables) value(name string) string {
	switch name {
	case "__rate_interval", "__interval", "__range":
		return "5m"
	case "__interval_ms", "__range_ms", "__range_s", "__from", "__to":
		return "300"
	}
	return v.values[name]
}
