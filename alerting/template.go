package alerting

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"text/template"

	"github.com/latido-dev/latido/domain"
)

// preamble is what Prometheus puts before each template of a rule.
const preamble = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"

// templateFunctions are the names of the functions that a template of a rule
// has in Prometheus.
var templateFunctions = []string{
	"query", "first", "label", "value", "sortByLabel", "strvalue", "args", "reReplaceAll", "safeHtml", "match", "title", "toUpper", "toLower",
	"graphLink", "tableLink", "stripPort", "stripDomain", "humanize", "humanize1024", "humanizeDuration", "humanizePercentage",
	"humanizeTimestamp", "toTime", "toDuration", "now", "pathPrefix", "externalURL", "parseDuration", "urlQueryEscape",
}

// checkTemplates parses the texts of the domain that become annotations, as
// Prometheus does when it loads a rule file: one that it cannot read would
// keep it from loading any rule.
func checkTemplates(d domain.Domain) error {
	functions := template.FuncMap{}
	for _, name := range templateFunctions {
		functions[name] = func(...any) string { return "" }
	}
	var errs []error
	for i, t := range d.Thresholds {
		for _, text := range []struct{ name, value string }{{"summary", t.Summary}, {"description", t.Description}} {
			if _, err := template.New("").Funcs(functions).Parse(preamble + text.value); err != nil {
				errs = append(errs, fmt.Errorf("thresholds[%d].%s: %s is no template that Prometheus can run: %s: write {{`{{`}} for two braces",
					i, text.name, t.Name, strings.TrimPrefix(err.Error(), "template: :1: ")))
			}
		}
	}
	return errors.Join(errs...)
}

// anchor is that of an alert's section in the runbook.
func anchor(alert string) string { return strings.ToLower(alert) }

// incidentURL is where the service shows what it kept of an alert.
func incidentURL(base, alert string) string {
	return strings.TrimSuffix(base, "/") + "/incidents/?alert=" + url.QueryEscape(alert)
}
