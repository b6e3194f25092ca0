package receivers

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/model"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/yamlpos"
)

// Messages runs the templates in the options of receivers as Alertmanager
// does, on an alert that fires: one that fails would lose every message.
func Messages(file string, data []byte, d domain.Domain) []result.Problem {
	tmpl, err := template.FromGlobs(nil)
	if err == nil {
		err = tmpl.Parse(bytes.NewReader(alerting.Templates(d, alerting.Options{})))
	}
	if err != nil {
		return []result.Problem{{File: file, Message: fmt.Sprintf("the templates of messages cannot be read: %v", err)}}
	}
	tmpl.ExternalURL = &url.URL{Scheme: "http", Host: "127.0.0.1:9093"}
	now := time.Now()
	labels := model.LabelSet{"alertname": "Sample", "severity": "page", "domain": model.LabelValue(d.Prefix), "job": model.LabelValue(d.Service())}
	sample := &amalert.Alert{UpdatedAt: now, Alert: model.Alert{
		Labels: labels, Annotations: model.LabelSet{"summary": "a sample", "description": "a sample"},
		StartsAt: now.Add(-time.Minute), EndsAt: now.Add(time.Hour), GeneratorURL: "http://127.0.0.1:9090/graph",
	}}
	var problems []result.Problem
	for i, spec := range alerting.Receivers(d) {
		values := tmpl.Data(spec.Name, labels, nil, "first notification", sample)
		for kind, options := range spec.Receiver.Other {
			eachText(fmt.Sprintf("notify[%d].%s", i, kind), options, func(path, text string) {
				if _, err := tmpl.ExecuteTextString(text, values); err != nil {
					line, column := yamlpos.Of(data, path, 0)
					problems = append(problems, result.Problem{
						File: file, Line: line, Column: column, Path: path,
						Message: "Alertmanager cannot run this template, and would send nothing: " + templatePlace.ReplaceAllString(err.Error(), ""),
					})
				}
			})
		}
	}
	return problems
}

// templatePlace is where in its own copy text/template has found something.
var templatePlace = regexp.MustCompile(`^template: :\d+(:\d+)?: `)

// eachText calls f with each text of some options that has a template in it.
func eachText(path string, value any, f func(path, text string)) {
	switch value := value.(type) {
	case string:
		if strings.Contains(value, "{{") {
			f(path, value)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			eachText(path+"."+name, value[name], f)
		}
	case []any:
		for i, item := range value {
			eachText(fmt.Sprintf("%s[%d]", path, i), item, f)
		}
	}
}
