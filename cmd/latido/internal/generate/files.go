package generate

import (
	"cmp"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/stack"
	"github.com/latido-dev/latido/dashboards"
)

// Where the files are, from the folder that they are for.
const (
	EventsFile       = "events/events_gen.go"
	AlertmanagerFile = "deploy/alertmanager/alertmanager.yaml"
	RunbookFile      = "docs/runbook.md"
	DashboardsFolder = "deploy/grafana/dashboards"
	RulesFolder      = "deploy/prometheus/rules"

	// RulesSuffix is the end of a rule file's name. That of the tests beside it
	// is another one, so that Prometheus does not load them as rules.
	RulesSuffix = ".rules.yaml"
	testsSuffix = ".rules.test.yaml"
)

// RulesFile is where the rule file of a domain is.
func RulesFile(prefix string) string { return RulesFolder + "/" + prefix + RulesSuffix }

// File is one that comes from a domain file.
type File struct {
	Path    string
	Content []byte
	About   string // for people

	again string // the command that writes it
}

// generator is one thing that comes from a domain file.
type generator struct {
	name   string
	place  func(g Generation) string // where it is written by default
	folder bool                      // that is a folder of files
	files  func(g Generation, out string) ([]File, error)
}

const all = "all"

// generators are all of them, in the order in which "all" writes them.
var generators = []generator{
	{"events", always(EventsFile), false, eventsFiles},
	{"rules", func(g Generation) string { return RulesFile(g.Domain.Prefix) }, false, func(g Generation, out string) ([]File, error) {
		text, err := g.made.rules(g)
		return []File{{Path: out, Content: text, About: cli.Count(len(alerting.Rules(g.Domain, g.options())), "rule")}}, err
	}},
	{testsOf, func(g Generation) string { return RulesFolder + "/" + g.Domain.Prefix + testsSuffix }, false, func(g Generation, out string) ([]File, error) {
		text, err := alerting.RuleTests(g.Domain, g.options(), g.Domain.Prefix+RulesSuffix)
		return []File{{Path: out, Content: text}}, err
	}},
	{"alertmanager", always(AlertmanagerFile), false, alertmanagerFiles},
	{"runbook", always(RunbookFile), false, func(g Generation, out string) ([]File, error) {
		return []File{{Path: out, Content: alerting.Runbook(g.Domain, g.options())}}, nil
	}},
	{"dashboards", always(DashboardsFolder), true, func(g Generation, out string) (files []File, _ error) {
		boards, err := g.made.boards(g)
		for _, b := range boards {
			files = append(files, File{Path: filepath.Join(out, b.Name), Content: b.JSON})
		}
		return files, err
	}},
	{"stack", always("."), true, stackFiles},
}

// testsOf is the generator of the rules' tests, which are for whoever changes
// rules by hand: "all" leaves them out.
const testsOf = "rule-tests"

func always(path string) func(Generation) string { return func(Generation) string { return path } }

func names() []string {
	all := make([]string, len(generators))
	for i, each := range generators {
		all[i] = each.name
	}
	return all
}

// usual is where a generator's output is looked for.
func (g Generation) usual(each generator) string {
	return filepath.Join(g.Dir, filepath.FromSlash(each.place(g)))
}

// Files are all that a plain "latido generate all" writes.
func (g Generation) Files() ([]File, error) {
	g.Domain, _ = g.sound()
	return g.filesOf(generators)
}

// errNothing says that a domain has none of what is to be generated.
var errNothing = errors.New("there is nothing to generate")

func (g Generation) filesOf(chosen []generator) ([]File, error) {
	g.made = &made{}
	var files []File
	for _, each := range chosen {
		out := cmp.Or(g.out, g.usual(each))
		if g.streams() {
			out = g.usual(each) // as it is when somebody puts it there
		}
		if len(chosen) > 1 && each.name == testsOf && !g.tests {
			if _, err := os.Stat(out); err != nil {
				continue
			}
		}
		more, err := each.files(g, out)
		if errors.Is(err, errNothing) && len(chosen) > 1 {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", each.name, err)
		}
		for i := range more {
			more[i].again = "latido generate " + each.name + " -domain " + g.File + g.Said + g.flags(each.name)
		}
		files = append(files, g.signed(more)...)
	}
	return files, nil
}

// made is what files of more than one generator have in them. It is made when
// the first one asks for it.
type made struct {
	ruleFile   []byte
	dashboards []dashboards.File
}

func (m *made) rules(g Generation) (_ []byte, err error) {
	if m.ruleFile == nil {
		m.ruleFile, err = alerting.RuleFile(g.Domain, g.options())
	}
	return m.ruleFile, err
}

func (m *made) boards(g Generation) (_ []dashboards.File, err error) {
	if m.dashboards == nil {
		m.dashboards, err = dashboards.All(g.Domain, dashboards.Options{RunbookURL: g.Domain.Links.Runbook})
	}
	return m.dashboards, err
}

// flags are those that a generator's content depends on, as they were given.
func (g Generation) flags(name string) (text string) {
	switch {
	case name == "events" && g.pkg != "":
		text = " -package " + g.pkg
	case name == "stack" && g.main != "":
		text = " -main " + g.main
	}
	if g.Fast && name != "events" && name != "dashboards" {
		text += " -fast"
	}
	return text
}

// eventsFiles are the typed helpers for events. Their package is that of the
// file that is there, which is no matter of the domain.
func eventsFiles(g Generation, out string) ([]File, error) {
	pkg := g.pkg
	if f, err := parser.ParseFile(token.NewFileSet(), out, nil, parser.PackageClauseOnly); err == nil {
		pkg = cmp.Or(pkg, f.Name.Name)
	}
	folder, err := filepath.Abs(filepath.Dir(out))
	if err != nil {
		return nil, err
	}
	text, err := eventsFile(g.Domain, filepath.Base(g.File), cmp.Or(pkg, filepath.Base(folder)))
	return []File{{Path: out, Content: text, About: cli.Count(len(g.Domain.Events), "event")}}, err
}

// alertmanagerFiles are the file for the domain, and its messages.
func alertmanagerFiles(g Generation, out string) ([]File, error) {
	text, err := alerting.AlertmanagerFile(g.Domain, g.options())
	if err != nil {
		return nil, err
	}
	return []File{
		{Path: out, Content: text, About: cli.Count(len(g.Domain.Notify), "receiver")},
		{Path: filepath.Join(filepath.Dir(out), alerting.TemplatesName), Content: alerting.Templates(g.Domain, g.options()), About: "the messages"},
	}, nil
}

// composeMain is where a Compose file says which main package is built.
var composeMain = regexp.MustCompile(`(?m)^ +MAIN: (\S+)$`)

// stackFiles are the files that put servers around the service. Which main
// package they build stays as the Compose file has it.
func stackFiles(g Generation, out string) (files []File, err error) {
	o := stack.Options{Main: g.main}
	if o.Main != "" && !strings.HasPrefix(o.Main, ".") {
		o.Main = "./" + o.Main // as go build takes it
	}
	compose, _ := os.ReadFile(filepath.Join(out, "docker-compose.yml")) // one that cannot be read is told when it is written
	if m := composeMain.FindSubmatch(compose); m != nil {
		o.Main = cmp.Or(o.Main, string(m[1]))
	}
	if o.Rules, err = g.made.rules(g); err != nil {
		return nil, err
	}
	boards, err := g.made.boards(g)
	if err != nil {
		return nil, err
	}
	for _, b := range boards {
		o.Dashboards = append(o.Dashboards, b.Name)
	}
	if below, err := filepath.Rel(out, g.File); err == nil && filepath.IsLocal(below) && writable.MatchString(below) {
		o.Domain = filepath.ToSlash(below)
	}
	all, err := stack.Files(g.Domain, o)
	for _, f := range all {
		files = append(files, File{Path: filepath.Join(out, filepath.FromSlash(f.Path)), Content: f.Content})
	}
	return files, err
}
