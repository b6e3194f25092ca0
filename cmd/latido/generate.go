package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
)

// generation is one run of generate: the domain, and what its flags say.
type generation struct {
	d        domain.Domain
	file     string // the domain file
	out      string // of the one thing that was asked for
	pkg      string
	main     string // the main package's folder
	alerting alerting.Options
}

// generator is one thing that comes from a domain file.
type generator struct {
	name  string
	out   func(g generation) string // where it is written by default
	write func(g generation, out string) ([]byte, error)

	folder func(g generation, out, again string) ([]target, error) // instead of write: out is a folder of files
}

// generators are all of them, in the order in which "all" writes them.
var generators = []generator{
	{name: "events", out: func(generation) string { return filepath.Join("events", "events_gen.go") }, write: writeEvents},
	{name: "rules", out: rulesOut, write: func(g generation, _ string) ([]byte, error) { return alerting.RuleFile(g.d, g.alerting) }},
	{
		name: "rule-tests", out: func(g generation) string { return strings.TrimSuffix(rulesOut(g), ".yaml") + ".test.yaml" },
		write: func(g generation, _ string) ([]byte, error) {
			return alerting.RuleTests(g.d, g.alerting, g.d.Prefix+rulesSuffix)
		},
	},
	{name: "alertmanager", out: alertmanagerOut, write: func(g generation, _ string) ([]byte, error) { return alerting.AlertmanagerFile(g.d, g.alerting) }},
	{
		name: "runbook", out: func(generation) string { return filepath.Join("docs", "runbook.md") },
		write: func(g generation, _ string) ([]byte, error) { return alerting.Runbook(g.d, g.alerting), nil },
	},
	{name: "dashboards", out: func(generation) string { return filepath.Join("deploy", "grafana", "dashboards") }, folder: dashboardTargets},
	{name: "stack", out: func(generation) string { return "." }, folder: stackTargets},
}

// rulesSuffix is the end of a rule file's name. That of the tests beside it is
// another one, so that Prometheus does not load them as rules.
const rulesSuffix = ".rules.yaml"

func rulesOut(g generation) string {
	return filepath.Join("deploy", "prometheus", "rules", g.d.Prefix+rulesSuffix)
}

func alertmanagerOut(generation) string {
	return filepath.Join("deploy", "alertmanager", "alertmanager.yaml")
}

// target is a file to write.
type target struct {
	path, again string
	content     []byte
	about       string
	extra       bool // it is there and does not come from the domain: a person removes it
}

// generate writes what comes from the domain file.
func generate(c *call) error {
	var g generation
	c.flags.StringVar(&g.file, "domain", "domain.yaml", "the domain `file`")
	c.flags.StringVar(&g.out, "out", "", "the `file` to write, of dashboards and stack the folder; empty means where others look for it")
	c.flags.StringVar(&g.pkg, "package", "", "events: the package's `name`; empty means the folder's")
	c.flags.StringVar(&g.main, "main", "", "stack: the `folder` of the service's main package, from where the files are; empty means that one")
	c.flags.BoolVar(&g.alerting.Fast, "fast", false, "rules, alertmanager: a minute passes in a second, for demonstrations")
	c.flags.StringVar(&g.alerting.RunbookURL, "runbook-url", "", "rules, dashboards: where the runbook is published; empty means docs/runbook.md, and no links in dashboards")
	c.flags.StringVar(&g.alerting.EvidenceURL, "evidence-url", "", "rules, alertmanager: the service's admin listener as Alertmanager reaches it, which then keeps evidence of alerts")
	stale := c.flags.Bool("check", false, "write nothing: exit with 1 if a file is not as it would be written")
	rest, err := c.parse()
	if err != nil {
		return err
	}
	g.main = mainFolder(g.main)
	chosen, err := choose(rest, g.out)
	if err != nil {
		return err
	}
	if g.d, err = domain.Load(g.file); err != nil {
		return err
	}
	var targets []target
	for _, each := range chosen {
		more, err := each.targets(g)
		if errors.Is(err, errNothing) && len(chosen) > 1 {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", each.name, err)
		}
		targets = append(targets, more...)
	}
	var failed error
	for _, t := range targets {
		if err := t.put(c, g.file, *stale); errors.Is(err, errProblems) {
			failed = err
		} else if err != nil {
			return err
		}
	}
	return failed
}

// choose finds what is to be generated.
func choose(rest []string, out string) ([]generator, error) {
	names := make([]string, len(generators))
	for i, each := range generators {
		names[i] = each.name
	}
	say := "say what to generate: " + strings.Join(names, ", ") + ", or all"
	if len(rest) != 1 {
		return nil, usageError{say}
	}
	if rest[0] == "all" {
		if out != "" {
			return nil, usageError{"-out is of one thing: generate one thing at a time, or leave it out"}
		}
		return generators, nil
	}
	i := slices.Index(names, rest[0])
	if i < 0 {
		return nil, usageError{fmt.Sprintf("%q is nothing that is generated%s: %s", rest[0], didYouMean(rest[0], append(names, "all")), say)}
	}
	return generators[i : i+1], nil
}

// targets are the files of one generator.
func (each generator) targets(g generation) ([]target, error) {
	usual := each.out(g)
	out := cmp.Or(g.out, usual)
	again := fmt.Sprintf("latido generate %s -domain %s", each.name, g.file)
	if out != usual || each.name == "events" {
		again += " -out " + out
	}
	again += g.flags(each.name)
	if each.folder != nil {
		return each.folder(g, out, again)
	}
	content, err := each.write(g, out)
	if err != nil {
		return nil, err
	}
	about := map[string]string{
		"events": count(len(g.d.Events), "event"), "rules": count(len(alerting.Rules(g.d, g.alerting)), "rule"),
		"alertmanager": count(len(g.d.Notify), "receiver"),
	}[each.name]
	targets := []target{{path: out, again: again, content: content, about: about}}
	if each.name == "alertmanager" {
		targets = append(targets, target{
			path: filepath.Join(filepath.Dir(out), alerting.TemplatesName), again: again, content: alerting.Templates(g.d, g.alerting), about: "the messages",
		})
	}
	return targets, nil
}

// flags are those that a generator's content depends on, as they were given.
func (g generation) flags(name string) string {
	text := ""
	if name == "events" {
		if g.pkg != "" {
			text = " -package " + g.pkg
		}
		return text
	}
	if name == "stack" && g.main != "" {
		text += " -main " + g.main
	}
	if g.alerting.Fast && name != "dashboards" {
		text += " -fast"
	}
	if g.alerting.RunbookURL != "" {
		text += " -runbook-url " + g.alerting.RunbookURL
	}
	if g.alerting.EvidenceURL != "" && name != "dashboards" {
		text += " -evidence-url " + g.alerting.EvidenceURL
	}
	return text
}

// writeEvents writes the typed helpers for events.
func writeEvents(g generation, out string) ([]byte, error) {
	folder, err := filepath.Abs(filepath.Dir(out))
	if err != nil {
		return nil, err
	}
	return eventsFile(g.d, filepath.Base(g.file), cmp.Or(g.pkg, filepath.Base(folder)))
}

// put writes the file, or only says with stale whether it is up to date.
func (t target) put(c *call, from string, stale bool) error {
	if t.extra {
		fmt.Fprintf(c.stdout, "%s  FAIL  does not come from %s: remove it, or give it a name of its own\n", t.path, from)
		return errProblems
	}
	got, err := os.ReadFile(t.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A checkout on Windows may have turned line ends into CRLF.
	if err == nil && bytes.Equal(bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n")), t.content) {
		fmt.Fprintf(c.stdout, "%s  ok    as %s says\n", t.path, from)
		return nil
	}
	if stale {
		fmt.Fprintf(c.stdout, "%s  FAIL  not as %s says; write it again with: %s\n", t.path, from, t.again)
		return errProblems
	}
	if err := os.MkdirAll(filepath.Dir(t.path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(t.path, t.content, 0o644); err != nil {
		return err
	}
	fmt.Fprintln(c.stdout, strings.TrimSuffix(fmt.Sprintf("%s  written from %s: %s", t.path, from, t.about), ": "))
	return nil
}
