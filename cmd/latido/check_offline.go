package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/dashboards"
	"github.com/latido-dev/latido/domain"
)

// checkExpressions parses the thresholds that are written in PromQL.
func checkExpressions(in *inspection) finding {
	var f finding
	n := 0
	for i, t := range in.d.Thresholds {
		if t.Expr == "" {
			continue
		}
		n++
		path := fmt.Sprintf("thresholds[%d].expr", i)
		for _, m := range in.exprMistakes(t.Expr, conditionOf(t)) {
			line, column := domain.Position(in.data, path, m.offset)
			f.Problems = append(f.Problems, problem{File: in.cfg.file, Line: line, Column: column, Path: path, Message: m.message})
		}
	}
	f.Detail = count(n, "expression")
	return f
}

// checkCardinality adds up what series the events can make, the value that
// stands for all others included.
func checkCardinality(in *inspection) finding {
	var f finding
	total, most, name := 0, 0, ""
	for _, e := range in.d.Events {
		m, _ := in.d.Metric(e.Name)
		n := m.Series()
		if total += n; n > most {
			most, name = n, e.Name
		}
	}
	f.Detail = fmt.Sprintf("the events make at most %d series, of %d", total, in.cfg.maxSeries)
	if total > in.cfg.maxSeries {
		f.fail("the events can make %d series, and the budget is %d: %s alone makes %d", total, in.cfg.maxSeries, name, most).
			Fix = "leave out an attribute of " + name + ", or values of one, or allow more with -max-series"
	}
	return f
}

// checkNames asks Prometheus' own linter, which promtool check metrics runs,
// about the families that the domain file names. What it says is advice: a unit
// such as min works, and everybody who reads it has to know that it is not s.
func checkNames(in *inspection) finding {
	f := finding{Detail: count(len(in.d.Events), "event")}
	for i, e := range in.d.Events {
		m, _ := in.d.Metric(e.Name)
		one := &dto.Metric{}
		for _, a := range m.Attributes {
			one.Label = append(one.Label, &dto.LabelPair{Name: new(domain.Label(a))})
		}
		kind := dto.MetricType(dto.MetricType_value[strings.ToUpper(kindNames[m.Kind])])
		found, err := promlint.NewWithMetricFamilies([]*dto.MetricFamily{{Name: &m.Family, Help: &m.Description, Type: &kind, Metric: []*dto.Metric{one}}}).Lint()
		if err != nil {
			f.fail("%s: %v", m.Family, err)
		}
		path := fmt.Sprintf("events[%d]", i)
		line, column := domain.Position(in.data, path, 0)
		for _, p := range found {
			f.Notes = append(f.Notes, problem{File: in.cfg.file, Line: line, Column: column, Path: path, Message: m.Family + ": " + p.Text}.String())
		}
	}
	return f
}

// source is a file that comes from the domain file.
type source struct {
	path  string
	again string // the command that writes it
	text  func(alerting.Options) ([]byte, error)
}

// generatedFiles are the files that would be written from the domain, where
// they are looked for.
func generatedFiles(in *inspection) []source {
	rules := filepath.Join(filepath.Dir(in.cfg.rules), in.d.Prefix+rulesSuffix)
	events := filepath.Join(in.cfg.dir, eventsOut(generation{}))
	var all []source
	if len(in.d.Events) > 0 {
		all = append(all, source{events, in.again("events"), func(alerting.Options) ([]byte, error) {
			return eventsFile(in.d, filepath.Base(in.cfg.file), packageOf(events))
		}})
	}
	return slices.Concat(all, []source{
		{rules, in.again("rules"), func(o alerting.Options) ([]byte, error) { return alerting.RuleFile(in.d, o) }},
		{strings.TrimSuffix(rules, ".yaml") + ".test.yaml", in.again("rule-tests"), func(o alerting.Options) ([]byte, error) {
			return alerting.RuleTests(in.d, o, filepath.Base(rules))
		}},
		{in.cfg.alertmanager, in.again("alertmanager"), func(o alerting.Options) ([]byte, error) { return alerting.AlertmanagerFile(in.d, o) }},
		{filepath.Join(filepath.Dir(in.cfg.alertmanager), alerting.TemplatesName), in.again("alertmanager"), func(o alerting.Options) ([]byte, error) {
			return alerting.Templates(in.d, o), nil
		}},
		{in.cfg.runbook, in.again("runbook"), func(o alerting.Options) ([]byte, error) { return alerting.Runbook(in.d, o), nil }},
	}, generatedDashboards(in), generatedStack(in))
}

// again is the command that writes a kind of files.
func (in *inspection) again(what string) string {
	text := "latido generate " + what
	if in.cfg.file != domainName {
		text += " -domain " + in.cfg.file
	}
	if in.cfg.given["dir"] {
		text += " -dir " + in.cfg.dir
	}
	return text
}

// packageOf is the package of the helpers that are there, which is no matter
// of the domain.
func packageOf(path string) string {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly)
	if err != nil {
		return "events"
	}
	return f.Name.Name
}

// generatedDashboards are those in the folder of dashboards.
func generatedDashboards(in *inspection) []source {
	made := map[dashboards.Options][]dashboards.File{}
	all := func(o dashboards.Options) ([]dashboards.File, error) {
		if made[o] != nil {
			return made[o], nil
		}
		files, err := dashboards.All(in.d, o)
		made[o] = files
		return files, err
	}
	files, err := all(dashboards.Options{})
	if err != nil {
		return nil // a domain that checkDomain has found mistakes in
	}
	sources := make([]source, len(files))
	for i, file := range files {
		sources[i] = source{filepath.Join(in.cfg.dashboards, file.Name), in.again("dashboards"), func(o alerting.Options) ([]byte, error) {
			files, err := all(dashboards.Options{RunbookURL: o.RunbookURL})
			if err != nil {
				return nil, err
			}
			return files[i].JSON, nil
		}}
	}
	return sources
}

// checkGenerated compares the files that are there with what would be written.
func checkGenerated(in *inspection) finding {
	var f finding
	fresh := 0
	g := generation{d: in.d, file: in.cfg.file}
	all := generatedFiles(in)
	for _, s := range all {
		got, err := os.ReadFile(s.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			f.fail("%v", err)
			continue
		}
		h, _, ok := headOf(got)
		if !ok {
			f.Notes = append(f.Notes, s.path+" was not generated: left alone")
			continue
		}
		if !g.ours(s.path, h) {
			f.Notes = append(f.Notes, s.path+" is written from the domain file of "+h.prefix+": left alone")
			continue
		}
		// From where the domain file is seen is no matter of its content.
		same, err := asGenerated(in, s, withSource(unix(got), ""))
		switch {
		case err != nil:
			f.fail("%s cannot be made: %v", s.path, err)
		case !same:
			f.Problems = append(f.Problems, problem{File: s.path, Message: "is not as " + in.cfg.file + " says",
				Fix: "write it again with: " + s.again})
		default:
			fresh++
		}
	}
	for _, path := range in.leftBehind(g, all) {
		f.Problems = append(f.Problems, problem{File: path, Message: "was written from " + in.cfg.file + ", which no longer makes it",
			Fix: "remove it with: " + in.again("all") + " -prune"})
	}
	f.Detail = count(fresh, "file") + " as " + in.cfg.file + " says"
	if fresh == 0 && len(f.Problems) == 0 {
		f.Status, f.Detail = statusSkip, "no generated file is there: write them with latido generate"
	}
	return f
}

// leftBehind are the files, beside those that the domain makes, that it made
// once: a server that reads their folder still has them.
func (in *inspection) leftBehind(g generation, all []source) []string {
	kinds := make([]string, len(generators))
	for i, each := range generators {
		kinds[i] = each.name
	}
	made := make([]string, len(all))
	folders := []string{in.cfg.dir, filepath.Join(in.cfg.dir, filepath.Dir(eventsOut(g)))}
	for i, s := range all {
		made[i] = s.path
		folders = append(folders, filepath.Dir(s.path))
	}
	return g.extras(append(folders, foldersIn(filepath.Join(in.cfg.dir, "deploy"))...), kinds, made)
}

// asGenerated reports whether a file is what is generated with the options
// that its own content has: where the runbook is published and who is asked for
// evidence are no matter of the domain file.
func asGenerated(in *inspection, s source, got []byte) (bool, error) {
	for _, o := range optionsOf(in, got) {
		want, err := s.text(o)
		if err != nil {
			return false, err
		}
		if bytes.Equal(got, want) {
			return true, nil
		}
	}
	return false, nil
}

// optionsOf are the options with which a file may have been generated.
func optionsOf(in *inspection, got []byte) []alerting.Options {
	var o alerting.Options
	for _, r := range in.rules.rules {
		if url, _, ok := strings.Cut(r.Annotations["runbook_url"], "#"); ok && url != defaultRunbook {
			o.RunbookURL = url
		}
		if url, _, ok := strings.Cut(r.Annotations["incident"], "/incidents"); ok {
			o.EvidenceURL = url
		}
	}
	if i := bytes.Index(got, []byte(evidencePath)); i >= 0 { // the Alertmanager's file has it, and no rule of one SLO
		start := bytes.LastIndexAny(got[:i], " \"'\n") + 1
		o.EvidenceURL = string(got[start:i])
	}
	fast := o
	fast.Fast = true
	all := []alerting.Options{o, fast}
	if o != (alerting.Options{}) {
		all = append(all, alerting.Options{}, alerting.Options{Fast: true})
	}
	return all
}

// Where the runbook is by default, and where an Alertmanager asks for evidence.
const (
	defaultRunbook = "docs/runbook.md"
	evidencePath   = "/api/evidence"
)

// checkRunbook looks for the section that each alert's runbook_url names.
func checkRunbook(in *inspection) finding {
	alerts := in.rules.alerts()
	text, from, wrong := in.read(in.cfg.runbook, "runbook", func() ([]byte, error) { return alerting.Runbook(in.d, alerting.Options{}), nil })
	if wrong != nil {
		return finding{Problems: []problem{*wrong}}
	}
	f := finding{Detail: count(len(alerts), "section") + " in " + from}
	anchors := sections(string(text))
	for _, r := range alerts {
		_, anchor, ok := strings.Cut(r.Annotations["runbook_url"], "#")
		switch {
		case !ok:
			f.at(r, "%s has no runbook_url with a section, such as %s#%s", r.Alert, defaultRunbook, strings.ToLower(r.Alert))
		case !slices.Contains(anchors, anchor):
			f.at(r, "%s has no section #%s in %s", r.Alert, anchor, from).Fix = "write the runbook with latido generate runbook, or a section of this name by hand"
		}
	}
	return f
}
