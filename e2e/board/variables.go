package main

import (
	"fmt"
	"regexp"
)

// variablesOf are the dashboard's variables with what is chosen when it is
// opened, and Grafana's own. All of a list is its allValue.
func variablesOf(d dashboard, w window) map[string]string {
	values := map[string]string{
		"__range":         promDuration(w.until.Sub(w.from)),
		"__interval":      promDuration(w.step),
		"__rate_interval": promDuration(w.rateInterval()),
	}
	for _, v := range d.Templating.List {
		if v.Type == "datasource" {
			continue
		}
		if chosen, ok := v.Current.Value.(string); ok && chosen != "$__all" {
			values[v.Name] = chosen
		} else {
			values[v.Name] = v.AllValue
		}
	}
	return values
}

// reference is $name, ${name} or ${name:format}. A number, as in ${1}, belongs
// to PromQL's label_replace.
var reference = regexp.MustCompile(`\$([A-Za-z_]\w*)|\$\{([A-Za-z_]\w*)(?::\w+)?\}`)

// expanded fills the variables in.
func (a asking) expanded(expr string) (string, error) {
	var unknown error
	text := reference.ReplaceAllStringFunc(expr, func(text string) string {
		m := reference.FindStringSubmatch(text)
		value, ok := a.variables[m[1]+m[2]]
		if !ok {
			unknown = fmt.Errorf("variable %s: the dashboard has none of this name", text)
		}
		return value
	})
	return text, unknown
}
