package check

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/generate"
	"github.com/latido-dev/latido/cmd/latido/internal/gomod"
	"github.com/latido-dev/latido/cmd/latido/internal/receivers"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/yamlpos"
)

// checkReceivers routes every alert as an Alertmanager does.
func checkReceivers(in *inspection) result.Check {
	text, from, wrong := in.read(in.alertmanager, "alertmanager", func() ([]byte, error) { return alerting.AlertmanagerFile(in.d, in.options()) })
	if wrong != nil {
		return result.Check{Problems: []result.Problem{*wrong}}
	}
	f := result.Check{Problems: append(receivers.OfDomain(in.file, in.data, in.d), receivers.Messages(in.file, in.data, in.d)...)}
	if len(f.Problems) > 0 { // the file has the same
		return f
	}
	module := gomod.Above(filepath.Dir(in.file))
	routes, problems := receivers.Load(from, text, inProcess(module))
	if len(problems) > 0 {
		return result.Check{Problems: problems}
	}
	alerts := in.rules.alerts()
	var heard []string
	var lost []fileRule                 // for which there are receivers of the process only
	unrouted := map[string][]fileRule{} // what would be generated, by severity
	for _, r := range alerts {
		names, own := routes.Heard(r.Alert, r.Labels)
		heard = append(heard, names...)
		switch {
		case len(names) > 0:
		case own:
			lost = append(lost, r)
		case r.file == "":
			unrouted[r.Labels["severity"]] = append(unrouted[r.Labels["severity"]], r)
		default:
			r.problem(&f, "nobody hears of %s, severity %s: %s routes it to no receiver", r.Alert, r.Labels["severity"], from).
				Fix = fmt.Sprintf("add one to notify in %s, or %s to the severities of one", in.file, r.Labels["severity"])
		}
	}
	for _, severity := range slices.Sorted(maps.Keys(unrouted)) {
		var names []string
		for _, r := range unrouted[severity] {
			names = append(names, r.Alert)
		}
		p := f.Fail("nobody hears of %s, severity %s: %s routes it to no receiver", cli.Few(names), severity, from)
		p.File, p.Path = in.file, "notify"
		p.Line, p.Column = yamlpos.Of(in.data, p.Path, 0)
		p.Fix = fmt.Sprintf("add one to notify in %s, or %s to the severities of one", in.file, severity)
	}
	if len(lost) > 0 {
		i := slices.IndexFunc(in.d.Notify, func(r domain.Receiver) bool { return r.Log != nil || r.Action != nil })
		path := fmt.Sprintf("notify[%d]", max(0, i))
		p := f.Fail("nobody hears of %s, %s first: log and action are receivers of a process that starts embedded, and %s does not require %s",
			cli.Count(len(lost), "alert"), lost[0].Alert, module, gomod.Embedded)
		p.File, p.Path = in.file, path
		p.Line, p.Column = yamlpos.Of(in.data, path, 0)
		p.Fix = "add to notify who hears of alerts from a server, such as email, webhook or slack, or call embedded.Start in main"
	}
	checkServers(in, &f, from, text, alerts)
	if names := receivers.Misread(in.dir); len(names) > 0 {
		f.Note("%s in %s has characters that a shell or Compose reads as something else, such as $ and &: write its value in single quotes", cli.Few(names), filepath.Join(in.dir, ".env"))
	}
	if missing := receivers.Missing(in.dir, in.d); len(missing) > 0 {
		f.Note("%s", receivers.Lacking(missing)) // where a file is checked its secrets need not be
	}
	slices.Sort(heard)
	f.Detail = fmt.Sprintf("%s heard by %s, in %s", cli.Count(len(alerts), "alert"), strings.Join(slices.Compact(heard), ", "), from)
	return f
}

// checkServers looks at who hears of alerts from the Alertmanager of the stack
// that is there: the process is silent then, and its log and actions with it. A
// page must reach somebody; of the rest it is said.
func checkServers(in *inspection, f *result.Check, from string, text []byte, alerts []fileRule) {
	if _, err := os.Stat(filepath.Join(in.dir, filepath.Dir(filepath.FromSlash(generate.AlertmanagerFile)))); err != nil {
		return
	}
	if text := receivers.Relative(in.d); text != "" {
		f.Note("%s", text)
	}
	routes, _ := receivers.Load(from, text, false)
	lost := map[bool][]fileRule{} // by whether they are pages
	for _, r := range alerts {
		if names, own := routes.Heard(r.Alert, r.Labels); len(names) == 0 && own {
			page := r.Labels["severity"] == string(domain.SeverityPage)
			lost[page] = append(lost[page], r)
		}
	}
	const why = "log and action are receivers of the process, which in Compose and Kubernetes leaves alerts to Alertmanager"
	if pages := lost[true]; len(pages) > 0 && len(f.Problems) == 0 {
		p := f.Fail("on servers nobody hears of %s, %s first: %s", cli.Count(len(pages), "page"), pages[0].Alert, why)
		p.File, p.Path = in.file, "notify"
		p.Line, p.Column = yamlpos.Of(in.data, p.Path, 0)
		p.Fix = "add to notify who hears of alerts from a server, such as email, webhook or slack, or remove deploy/ if the service runs without servers"
	}
	if others := lost[false]; len(others) > 0 {
		f.Note("on servers nobody hears of %s, %s first: %s", cli.Count(len(others), "alert"), others[0].Alert, why)
	}
}

// inProcess tells whether a service can have alerts in its process. Without a
// go.mod nobody knows, and it is believed.
func inProcess(module string) bool {
	text, err := os.ReadFile(module)
	return err != nil || gomod.Requires(text, gomod.Embedded)
}
