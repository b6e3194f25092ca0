package main

import (
	"cmp"
	"errors"
	"fmt"
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
	dir      string // the folder in which others look for what is written; "" is the present one
	out      string // of the one thing that was asked for
	pkg      string
	main     string // the main package's folder
	alerting alerting.Options

	stale bool // say what is not as it would be written, and write nothing
	diff  bool // show what would change, and write nothing
	force bool // write over what somebody else wrote
	prune bool // remove what the domain no longer makes
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
	{name: "events", out: eventsOut, write: writeEvents},
	{name: "rules", out: rulesOut, write: func(g generation, _ string) ([]byte, error) { return alerting.RuleFile(g.d, g.alerting) }},
	{
		name: "rule-tests", out: func(g generation) string { return strings.TrimSuffix(rulesOut(g), ".yaml") + ".test.yaml" },
		write: func(g generation, _ string) ([]byte, error) {
			return alerting.RuleTests(g.d, g.alerting, g.d.Prefix+rulesSuffix)
		},
	},
	{name: "alertmanager", out: alertmanagerOut, write: func(g generation, _ string) ([]byte, error) { return alertmanagerFile(g) }},
	{
		name: "runbook", out: runbookOut,
		write: func(g generation, _ string) ([]byte, error) { return alerting.Runbook(g.d, g.alerting), nil },
	},
	{name: "dashboards", out: dashboardsOut, folder: dashboardTargets},
	{name: "stack", out: func(generation) string { return "." }, folder: stackTargets},
}

// rulesSuffix is the end of a rule file's name. That of the tests beside it is
// another one, so that Prometheus does not load them as rules.
const rulesSuffix = ".rules.yaml"

func rulesOut(g generation) string {
	return filepath.Join("deploy", "prometheus", "rules", g.d.Prefix+rulesSuffix)
}

func eventsOut(generation) string { return filepath.Join("events", "events_gen.go") }

func runbookOut(generation) string { return filepath.Join("docs", "runbook.md") }

func dashboardsOut(generation) string { return filepath.Join("deploy", "grafana", "dashboards") }

func alertmanagerOut(generation) string {
	return filepath.Join("deploy", "alertmanager", "alertmanager.yaml")
}

// target is a file to write.
type target struct {
	path, again string
	content     []byte
	about       string
}

// generate writes what comes from the domain file.
func generate(c *call) error {
	var g generation
	c.flags.StringVar(&g.file, "domain", "domain.yaml", "the domain `file`")
	c.flags.StringVar(&g.dir, "dir", "", "the `folder` that the files are for, as deploy/ and docs/ in it; empty means the domain file's")
	c.flags.StringVar(&g.out, "out", "", "the `file` to write, - for standard output, of dashboards and stack the folder; empty means where others look for it")
	c.flags.StringVar(&g.pkg, "package", "", "events: the package's `name`; empty means the folder's")
	c.flags.StringVar(&g.main, "main", "", "stack: the `folder` of the service's main package, from where the files are; empty means that one")
	c.flags.BoolVar(&g.alerting.Fast, "fast", false, "rules, alertmanager: a minute passes in a second, for demonstrations")
	c.flags.StringVar(&g.alerting.RunbookURL, "runbook-url", "", "rules, dashboards: where the runbook is published; empty means docs/runbook.md, and no links in dashboards")
	c.flags.StringVar(&g.alerting.EvidenceURL, "evidence-url", "", "rules, alertmanager: the service's admin listener as Alertmanager reaches it, which then keeps evidence of alerts")
	c.flags.BoolVar(&g.stale, "check", false, "write nothing: exit with 1 if a file is not as it would be written")
	c.flags.BoolVar(&g.diff, "diff", false, "write nothing: show what would change; with -check exit with 1 if anything would")
	c.flags.BoolVar(&g.force, "force", false, "write over files that latido generate did not write, or wrote from another domain file")
	c.flags.BoolVar(&g.prune, "prune", false, "remove the files that were written from the domain file and that it no longer makes")
	rest, err := c.parse()
	if err != nil {
		return err
	}
	dir := g.dir
	g.main = mainFolder(g.main)
	chosen, err := g.choose(rest)
	if err != nil {
		return err
	}
	if g.d, err = domain.Load(g.file); err != nil {
		return err
	}
	g.dir = cmp.Or(dir, filepath.Dir(g.file))
	var targets []target
	for _, each := range chosen {
		more, err := each.targets(g, dir)
		if errors.Is(err, errNothing) && (len(chosen) > 1 || g.prune) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", each.name, err)
		}
		targets = append(targets, more...)
	}
	if g.streams() {
		return g.stream(c.stdout, targets[0].content)
	}
	var failed error
	for _, t := range targets {
		if err := g.put(c.stdout, t); errors.Is(err, errProblems) {
			failed = err
		} else if err != nil {
			return err
		}
	}
	if g.out != "" && chosen[0].folder == nil {
		return failed // only the usual places have nothing else of the same kind
	}
	if err := g.tidy(c.stdout, leftBehind(g, chosen, targets), "latido generate "+rest[0]+" -domain "+g.file+g.place(dir)+" -prune"); err != nil {
		failed = err
	}
	return failed
}

// choose finds what is to be generated, and whether the flags go together.
func (g generation) choose(rest []string) ([]generator, error) {
	names := make([]string, len(generators))
	for i, each := range generators {
		names[i] = each.name
	}
	say := "say what to generate: " + strings.Join(names, ", ") + ", or all"
	if len(rest) != 1 {
		return nil, usageError{say}
	}
	switch {
	case g.out != "" && g.dir != "":
		return nil, usageError{"-out and -dir both say where: give one of them"}
	case g.prune && g.stale:
		return nil, usageError{"-prune removes files, and -check changes none: give one of them"}
	}
	if rest[0] == "all" {
		if g.out != "" {
			return nil, usageError{"-out is of one thing: generate one thing at a time, or leave it out"}
		}
		return generators, nil
	}
	i := slices.Index(names, rest[0])
	if i < 0 {
		return nil, usageError{fmt.Sprintf("%q is nothing that is generated%s: %s", rest[0], didYouMean(rest[0], append(names, "all")), say)}
	}
	folder := generators[i].folder != nil
	switch {
	case folder && g.streams():
		return nil, usageError{fmt.Sprintf("%s are many files: give -out a folder, or leave it out", rest[0])}
	case !folder && g.out != "" && g.prune:
		return nil, usageError{"-prune looks where the files are by default: leave -out out"}
	case g.streams() && (g.stale || g.diff):
		return nil, usageError{"-check and -diff compare with a file, and -out is none"}
	}
	return generators[i : i+1], nil
}

// usual is where a generator's output is looked for.
func (g generation) usual(each generator) string { return filepath.Join(g.dir, each.out(g)) }

// place is how the folder was said, in the command that says it again.
func (g generation) place(dir string) string {
	switch {
	case g.out != "":
		return " -out " + g.out
	case dir != "":
		return " -dir " + dir
	}
	return ""
}

// targets are the files of one generator. dir is the folder if it was said.
func (each generator) targets(g generation, dir string) ([]target, error) {
	usual := g.usual(each)
	out := cmp.Or(g.out, usual)
	if g.streams() {
		out = usual // as it is when somebody puts it there
	}
	again := fmt.Sprintf("latido generate %s -domain %s%s", each.name, g.file, g.place(dir)) + g.flags(each.name)
	if each.folder != nil {
		targets, err := each.folder(g, out, again)
		return g.signed(targets), err
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
	return g.signed(targets), nil
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
