// Package scaffold is the verb init: it makes a new service in a folder.
package scaffold

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	gobuild "go/build"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/generate"
	"github.com/latido-dev/latido/cmd/latido/internal/gomod"
	"github.com/latido-dev/latido/domain"
)

// starter is one run of init. Tests put others in place of its functions.
type starter struct {
	out      io.Writer
	terminal bool   // somebody answers
	from     origin // of the running command
	tidy     func(dir string) error
	asker    asker
	speak    func(language string) // from then on

	choice         choice
	hears          hears
	dir            string
	module, latido string
	force          bool
	chosen         bool // a flag says what the domain is to be
	asksLanguage   bool // no flag says in which language all is to be
}

// Command makes everything that a new service needs, in a folder. It looks at
// all of it first, and then writes: what is there with other content stays,
// unless somebody says otherwise.
func Command() *cobra.Command {
	return (&starter{from: whence(), tidy: tidy}).command()
}

func (s *starter) command() *cobra.Command {
	cmd := &cobra.Command{
		Use: "init", Short: "make a new service in a folder: its domain file, a program that records its events, and all that is generated",
	}
	f := cmd.Flags()
	f.StringVar(&s.choice.kind, "kind", "", "the `kind` of business whose domain file to start from: "+strings.Join(kinds, ", "))
	cli.Complete(cmd, "kind", kinds)
	f.StringVar(&s.choice.prefix, "prefix", "", "how the names of all metrics begin; empty means the template's")
	f.StringVar(&s.choice.app, "app", "", "the service's `name`; empty means the prefix and -api")
	f.StringVar(&s.choice.entity, "entity", "", "what the service is mostly about, in the singular; empty means the template's")
	language := cli.Choice(cmd, "language", "of the domain file and all that is generated: es or en", "es", "en")
	f.StringVar(&s.hears.who, "notify", "", "who hears of alerts: an e-mail `address`, or that of a webhook, Slack's too; empty means a webhook whose address you write into .env")
	f.StringVar(&s.hears.smtp, "smtp", "", "`host:port` of the mail server, beside an e-mail address; empty means smtp. and its domain, port 587")
	f.StringVar(&s.dir, "dir", ".", "the `folder`; it is made if it is not there")
	f.StringVar(&s.module, "module", "", "the `path` of the new module, if there is none; empty means the folder's name")
	f.StringVar(&s.latido, "latido", "", "a `checkout` of Latido to build against, in place of a release")
	f.BoolVar(&s.force, "force", false, "overwrite what is there with other content, but never go.mod nor a main package")
	for _, folder := range []string{"dir", "latido"} {
		cli.Files(cmd, folder)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return cli.UsageError(fmt.Sprintf("unexpected %q: everything is a flag, as in latido init -kind ecommerce", args[0]))
		}
		s.choice.language = *language
		s.asker.in = bufio.NewReader(cmd.InOrStdin())
		s.speak = func(language string) {
			s.out = cli.Speaker(cmd.OutOrStdout(), language)
			s.asker.out = s.out
		}
		s.asksLanguage = !f.Changed("language")
		if s.asksLanguage {
			s.speak(cli.Language("", s.choice.language)) // the person's
		} else {
			s.speak(s.choice.language)
		}
		s.terminal = s.terminal || cli.IsTerminal(cmd.InOrStdin())
		s.chosen = slices.ContainsFunc([]string{"kind", "prefix", "app", "entity", "language"}, f.Changed)
		if err := s.right(); err != nil {
			return err
		}
		return s.run()
	}
	return cmd
}

func (s *starter) run() error {
	there, err := readIfThere(filepath.Join(s.dir, cli.DomainFile))
	if err != nil {
		return err
	}
	if there == nil || s.chosen {
		if err := s.choose(); err != nil {
			return err
		}
	}
	p := plan{dir: s.dir, force: s.force, out: s.out}
	if s.terminal {
		p.asker = &s.asker
	}
	d, err := s.domain(&p, there)
	if err != nil {
		return err
	}
	files, err := generate.Generation{Domain: d, File: filepath.Join(s.dir, cli.DomainFile), Dir: s.dir}.Files()
	if err != nil {
		return err
	}
	for _, f := range files {
		path, err := filepath.Rel(s.dir, f.Path)
		if err != nil {
			return err
		}
		if err := p.add(path, f.Content, f.About); err != nil {
			return err
		}
	}
	if err := s.secrets(&p, example(files)); err != nil {
		return err
	}
	mod, err := s.goMod(&p)
	if err != nil {
		return err
	}
	main, err := s.service(&p, d, mod.path)
	if err != nil {
		return err
	}
	if err := p.write(); err != nil {
		return err
	}
	return s.finish(&p, d, mod, main)
}

// example is what .env.example says.
func example(files []generate.File) []byte {
	i := slices.IndexFunc(files, func(f generate.File) bool { return filepath.Base(f.Path) == ".env.example" })
	return files[i].Content
}

// right looks at what the options say.
func (s *starter) right() (err error) {
	if s.module != "" && !moduleName.MatchString(s.module) {
		return cli.UsageError(fmt.Sprintf("-module %q: write a path such as example.com/tienda", s.module))
	}
	for _, name := range []struct {
		flag, value string
		wrong       func(string) error
	}{{"prefix", s.choice.prefix, domain.CheckPrefix}, {"app", s.choice.app, checkApp}, {"entity", s.choice.entity, checkEntity}, {"notify", s.hears.who, checkWho}, {"smtp", s.hears.smtp, checkSMTP}} {
		if name.value != "" {
			if err := name.wrong(name.value); err != nil {
				return cli.UsageError(fmt.Sprintf("-%s: %v", name.flag, err))
			}
		}
	}
	if s.hears.smtp != "" && !s.hears.mail() {
		return cli.UsageError("-smtp is of an e-mail address: say -notify guardia@example.com too")
	}
	if s.choice.kind != "" {
		if s.choice.kind, err = checkKind(s.choice.kind); err != nil {
			return cli.UsageError("-kind: " + err.Error())
		}
	}
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return err
	}
	if s.latido != "" {
		if s.latido, err = filepath.Abs(s.latido); err != nil {
			return err
		}
		if err := checkCheckout(s.latido); err != nil {
			return cli.UsageError("-latido: " + err.Error())
		}
		s.from = origin{checkout: s.latido}
	} else if s.from.version != "" {
		s.from.checkout = "" // a release needs none
	}
	return nil
}

// choose asks for what no flag says.
func (s *starter) choose() error {
	ch := &s.choice
	if ch.kind == "" {
		if !s.terminal {
			return cli.UsageError("say the kind of business: -kind " + strings.Join(kinds, ", "))
		}
		if err := s.askLanguage(); err != nil {
			return err
		}
		answer, err := s.asker.ask("Kind of business: "+strings.Join(kinds, ", "), kinds[0], func(text string) error {
			_, err := checkKind(text)
			return err
		})
		if err != nil {
			return fmt.Errorf("%w: say -kind", err)
		}
		if ch.kind, err = checkKind(answer); err != nil {
			return err
		}
	}
	own, err := ch.defaults()
	if err != nil || !s.terminal {
		return err
	}
	if ch.prefix == "" {
		if ch.prefix, err = s.asker.ask("Prefix, how the names of all metrics begin", own.Prefix, domain.CheckPrefix); err != nil {
			return fmt.Errorf("%w: say -prefix", err)
		}
	}
	if ch.entity == "" {
		if ch.entity, err = s.asker.ask("Entity, what the service is mostly about, in the singular", own.Entity, checkEntity); err != nil {
			return fmt.Errorf("%w: say -entity", err)
		}
	}
	return s.askWho()
}

// askLanguage asks, in both, which language everything is in from then on.
func (s *starter) askLanguage() error {
	if !s.asksLanguage {
		return nil
	}
	answer, err := s.asker.ask("Language, idioma: es, en", cli.Language("", s.choice.language), func(text string) error {
		if !slices.Contains(domain.Languages(), text) {
			return errors.New("write es or en")
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: say -language", err)
	}
	s.choice.language = answer
	s.speak(answer)
	return nil
}

// domain plans the domain file, and reads the one that everything then comes
// from: the new one, or the one that is there and stays.
func (s *starter) domain(p *plan, there []byte) (domain.Domain, error) {
	path, text := filepath.Join(s.dir, cli.DomainFile), there
	if s.choice.kind != "" {
		made, err := s.choice.domainFile(s.hears)
		if err != nil {
			return domain.Domain{}, err
		}
		if err := p.add(cli.DomainFile, made, fmt.Sprintf("the template %s, in %s", s.choice.kind, s.choice.language)); err != nil {
			return domain.Domain{}, err
		}
		if p.takes(cli.DomainFile) {
			text = made
		}
	} else {
		p.say(cli.DomainFile, "ok", "is there, and all else comes from it")
	}
	return domain.Parse(path, text)
}

// goModule is the module that the service is in.
type goModule struct {
	path  string
	made  bool
	lacks []string // modules that one which is there does not require
}

// goMod plans the go.mod. One that is there is never touched.
func (s *starter) goMod(p *plan) (goModule, error) {
	there, err := readIfThere(filepath.Join(s.dir, "go.mod"))
	if err != nil {
		return goModule{}, err
	}
	if there != nil {
		mod := goModule{path: gomod.Path(there)}
		for _, m := range modules {
			if !gomod.Requires(there, m) && mod.path != gomod.Latido {
				mod.lacks = append(mod.lacks, m)
			}
		}
		switch {
		case mod.path == "":
			return mod, fmt.Errorf("%s has no line that says module: mend it first", filepath.Join(s.dir, "go.mod"))
		case len(mod.lacks) > 0 && s.from.required() == "":
			return mod, errNoCheckout
		}
		p.say("go.mod", "ok", "is there: module "+mod.path)
		return mod, nil
	}
	if s.from.required() == "" {
		return goModule{}, errNoCheckout
	}
	mod := goModule{path: cmp.Or(s.module, nameOf(s.dir)), made: true}
	return mod, p.add("go.mod", s.from.goMod(mod.path), "module "+mod.path+", with Latido "+cmp.Or(s.from.checkout, s.from.version))
}

// errNoCheckout is the error of a command that was built from a checkout and
// does not know where it is.
var errNoCheckout = cli.UsageError("this command was not built from a release, so that a service needs a checkout of Latido to build against: say where it is with -latido DIR")

// mainPackage is the one that was in the folder.
type mainPackage struct {
	there bool
	wired bool // it imports the telemetry
}

// service plans the Go files, unless there is a main package.
func (s *starter) service(p *plan, d domain.Domain, module string) (mainPackage, error) {
	files, err := serviceFiles(newServiceModel(d, module+"/events"))
	if err != nil {
		return mainPackage{}, err
	}
	pkg, err := gobuild.ImportDir(s.dir, 0)
	var none *gobuild.NoGoError
	switch {
	case errors.As(err, &none), !exists(s.dir): // nothing is there yet
	case err != nil:
		return mainPackage{}, fmt.Errorf("the Go files that are there: %w", err)
	case pkg.Name != "main":
		return mainPackage{}, fmt.Errorf("%s has the package %s already, and a service needs one that is main: say another folder, such as -dir %s",
			s.dir, pkg.Name, filepath.Join("cmd", nameOf(d.Service())))
	case !p.has(files): // somebody's own, or ours that was changed since
		p.say("main", "ok", "a main package is there, and stays as it is")
		return mainPackage{there: true, wired: slices.Contains(pkg.Imports, gomod.Latido+"/telemetry")}, nil
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := p.add(name, files[name], ""); err != nil {
			return mainPackage{}, err
		}
	}
	return mainPackage{}, nil
}
