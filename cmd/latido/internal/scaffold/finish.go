package scaffold

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/gomod"
	"github.com/latido-dev/latido/cmd/latido/internal/receivers"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/domain"
)

// finish downloads what the service needs, and says what comes next. The files
// are written: what fails from here on is said, with the way out.
func (s *starter) finish(p *plan, d domain.Domain, mod goModule, main mainPackage) error {
	out := s.out
	var failed error
	if mod.made {
		if err := s.tidy(s.dir); err != nil {
			fmt.Fprintf(out, "go.sum  FAIL     go mod tidy: %v\n", err)
			failed = cli.ErrProblems
		} else {
			fmt.Fprintf(out, "go.sum  written  by go mod tidy\n")
		}
	}
	if main.there && !main.wired {
		fmt.Fprintf(out, `
The main package that is there is to start the telemetry and bind the events,
which takes these lines where it begins, and tel.NewServeMux() in place of
http.NewServeMux():

    d, err := domain.Load(%q)
    tel, err := telemetry.Init(ctx, telemetry.Config{Domain: d})
    defer tel.Shutdown(context.Background())

    events.Bind(tel) // of %s/events, if you record events by its helpers
`, cli.DomainFile, mod.path)
	}
	if len(p.left) > 0 {
		failed = cli.ErrProblems
		fmt.Fprintf(out, "\nLeft as they are, with other content than would be written: %s.\n"+
			"Overwrite them with latido init -force and the same flags, or, if they are only older than %s,\n"+
			"write what comes from it again with latido generate all.\n", strings.Join(p.left, ", "), cli.DomainFile)
	}
	if text := unheard(s.dir, receivers.Missing(s.dir, d)); text != "" {
		fmt.Fprintf(out, "\n%s\n", text)
	}
	fmt.Fprintf(out, "\nEverything comes from %s: change it, then run latido generate all.\nNext:\n\n", cli.DomainFile)
	for _, step := range s.steps(d, mod, main, failed != nil && mod.made) {
		fmt.Fprintf(out, "    # %s\n    %s\n", step.about, step.command)
	}
	return failed
}

// step is a command to run next, and what it is for.
type step struct{ about, command string }

func (s *starter) steps(d domain.Domain, mod goModule, main mainPackage, untidy bool) (steps []step) {
	add := func(about, command string) { steps = append(steps, step{about, command}) }
	if here, err := os.Getwd(); err == nil && here != s.dir {
		add("where the service is", "cd "+relative(here, s.dir))
	}
	lacks := mod.lacks
	if main.there { // whether it has alerts in the process, and runs the command, is its owner's business
		lacks = slices.DeleteFunc(slices.Clone(lacks), func(m string) bool { return m != gomod.Latido })
	}
	if len(lacks) > 0 {
		add("have the module require Latido", s.from.edit(lacks))
	}
	if len(lacks) > 0 || untidy {
		add("download what it needs", "go mod tidy")
	}
	if file := workspace(s.dir); file != "" {
		add("this folder is in the workspace of "+relative(s.dir, file)+", which must list it; or else set GOWORK=off", "go work use .")
	}
	if main.there {
		add("your service", "go run .")
	} else {
		add("the service, with alerts and made-up traffic; the first build takes minutes, as Prometheus is in it", "set -a; . ./.env; set +a; go run . -demo")
	}
	add("in another terminal: where its time and memory go", "latido report")
	add("who hears of an alert, by a drill", "latido fire "+anAlert(d))
	add("whether all that runs is as "+cli.DomainFile+" says", "latido doctor -only url")
	add("its flame graph, by endpoint: the page opens after ten seconds",
		"go tool pprof -http=localhost:8081 -tagroot=endpoint '"+remote.DefaultURL+"/debug/pprof/profile?last=1m'")
	return steps
}

// anAlert is the name of one that fires.
func anAlert(d domain.Domain) string {
	for _, r := range alerting.Rules(d, alerting.Options{}) {
		if r.Alert != "" && r.Severity == domain.SeverityPage {
			return r.Alert
		}
	}
	return "ServiceDown"
}

// relative is the shorter way to write a path.
func relative(from, path string) string {
	if rel, err := filepath.Rel(from, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}
