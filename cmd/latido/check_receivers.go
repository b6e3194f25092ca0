package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
)

// amFile is what routes an alert in an Alertmanager's file. The rest of the
// file is amtool's matter.
type amFile struct {
	Route     *amRoute         `yaml:"route"`
	Receivers []map[string]any `yaml:"receivers"`
}

type amRoute struct {
	Receiver string            `yaml:"receiver"`
	Match    map[string]string `yaml:"match"`
	MatchRE  map[string]string `yaml:"match_re"`
	Matchers []string          `yaml:"matchers"`
	Continue bool              `yaml:"continue"`
	Routes   []*amRoute        `yaml:"routes"`

	parsed labels.Matchers
}

// checkReceivers routes every alert as an Alertmanager does.
func checkReceivers(in *inspection) finding {
	text, from, wrong := in.read(in.cfg.alertmanager, "alertmanager", func() ([]byte, error) { return alerting.AlertmanagerFile(in.d, alerting.Options{}) })
	if wrong != nil {
		return finding{Problems: []problem{*wrong}}
	}
	alerts := in.rules.alerts()
	f := finding{Problems: receiverMistakes(in.cfg.file, in.data, in.d)}
	if _, _, generated := headOf(text); !generated { // by hand: its mistakes are its own
		for _, m := range amMistakes(text) {
			f.Problems = append(f.Problems, problem{File: from, Line: m.line, Message: m.explain("", nil)})
		}
	}
	if len(f.Problems) > 0 {
		return f
	}
	var file amFile
	if err := yaml.Unmarshal(text, &file); err != nil {
		f.fail("%s: %s", from, strings.TrimPrefix(err.Error(), "yaml: "))
		return f
	}
	if file.Route == nil {
		f.fail("%s has no route, so nobody hears of anything", from).Fix = "write it with: latido generate alertmanager"
		return f
	}
	inProcess := in.evaluates()
	receivers := file.receivers(inProcess)
	if err := file.Route.prepare(receivers, "", 0); err != nil {
		f.fail("%s: %v", from, err)
		return f
	}
	heard := map[string]bool{}
	var lost []fileRule // for which there are receivers of the process only
	for _, r := range alerts {
		set := model.LabelSet{model.AlertNameLabel: model.LabelValue(r.Alert)}
		for name, value := range r.Labels {
			set[model.LabelName(name)] = model.LabelValue(value)
		}
		silent, own := true, false
		for _, name := range file.Route.match(set) {
			if receivers[name] {
				heard[name], silent = true, false
			}
			own = own || ofProcess(name)
		}
		switch {
		case silent && own:
			lost = append(lost, r)
		case silent:
			f.at(r, "nobody hears of %s, severity %s: %s routes it to no receiver", r.Alert, r.Labels["severity"], from).
				Fix = fmt.Sprintf("add one to notify in %s, or %s to the severities of one", in.cfg.file, r.Labels["severity"])
		}
	}
	if len(lost) > 0 {
		i := slices.IndexFunc(in.d.Notify, func(r domain.Receiver) bool { return r.Log != nil || r.Action != nil })
		path := fmt.Sprintf("notify[%d]", max(0, i))
		p := f.fail("nobody hears of %s, %s first: log and action are receivers of a process that starts embedded, and %s does not require %s",
			count(len(lost), "alert"), lost[0].Alert, in.module(), embeddedModule)
		p.File, p.Path = in.cfg.file, path
		p.Line, p.Column = domain.Position(in.data, path, 0)
		p.Fix = "add to notify who hears of alerts from a server, such as email, webhook or slack, or call embedded.Start in main"
	}
	f.Detail = fmt.Sprintf("%s heard by %s, in %s", count(len(alerts), "alert"), strings.Join(slices.Sorted(maps.Keys(heard)), ", "), from)
	return f
}

// embeddedModule evaluates rules and tells receivers in the process.
const embeddedModule = latidoModule + "/embedded"

// module is the go.mod of the service: the nearest one above its domain file.
// "" is none.
func (in *inspection) module() string {
	dir, err := filepath.Abs(filepath.Dir(in.cfg.file))
	for ; err == nil; dir = filepath.Dir(dir) {
		if file := filepath.Join(dir, "go.mod"); exists(file) {
			return file
		}
		if filepath.Dir(dir) == dir {
			break
		}
	}
	return ""
}

// evaluates tells whether the service can have alerts in its process. Without a
// go.mod nobody knows, and it is believed.
func (in *inspection) evaluates() bool {
	file := in.module()
	if file == "" {
		return true
	}
	text, err := os.ReadFile(file)
	return err != nil || embeddedRequired.Match(text)
}

var embeddedRequired = regexp.MustCompile(`(?m)^(?:require)?\s*"?` + regexp.QuoteMeta(embeddedModule) + `"?\s+v`)

// ofProcess tells whether a receiver is one that only the process itself has.
func ofProcess(name string) bool {
	return unnumbered(name) == "log" || strings.HasPrefix(name, "action/")
}

// receivers are all that the file has, and whether one of them tells anybody:
// it has an integration, or is the process's own and that has alerts.
func (file amFile) receivers(inProcess bool) map[string]bool {
	receivers := map[string]bool{}
	for _, r := range file.Receivers {
		name, _ := r["name"].(string)
		tells := inProcess && ofProcess(name)
		for key, value := range r {
			configs, _ := value.([]any)
			if strings.HasSuffix(key, "_configs") && slices.ContainsFunc(configs, tellsSomebody) {
				tells = true
			}
		}
		receivers[name] = tells
	}
	return receivers
}

// tellsSomebody tells whether an integration has a person at its end: the
// service's own webhook, which gathers evidence, has none.
func tellsSomebody(config any) bool {
	fields, _ := config.(map[string]any)
	url, _ := fields["url"].(string)
	return !strings.HasSuffix(url, evidencePath)
}

// maxRoutes is how deep routes may be nested: more than that nobody means.
const maxRoutes = 100

// prepare reads the matchers of a route and of those in it, with
// Alertmanager's own parser, and hands down the receiver.
func (r *amRoute) prepare(receivers map[string]bool, above string, depth int) error {
	if depth > maxRoutes {
		return errors.New("the routes are nested too deeply")
	}
	if r.Receiver == "" {
		r.Receiver = above
	}
	if _, ok := receivers[r.Receiver]; !ok {
		return fmt.Errorf("a route names the receiver %q, which is not in receivers", r.Receiver)
	}
	add := func(kind labels.MatchType, of map[string]string) error {
		for name, value := range of {
			m, err := labels.NewMatcher(kind, name, value)
			if err != nil {
				return fmt.Errorf("the matcher %s of a route: %w", name, err)
			}
			r.parsed = append(r.parsed, m)
		}
		return nil
	}
	if err := errors.Join(add(labels.MatchEqual, r.Match), add(labels.MatchRegexp, r.MatchRE)); err != nil {
		return err
	}
	for _, text := range r.Matchers {
		parsed, err := parseMatchers(text, "")
		if err != nil {
			return fmt.Errorf("the matcher %q of a route: %w", text, err)
		}
		r.parsed = append(r.parsed, parsed...)
	}
	for _, child := range r.Routes {
		if child == nil {
			return errors.New("a route is empty")
		}
		if err := child.prepare(receivers, r.Receiver, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// match lists the receivers to which a route sends an alert.
func (r *amRoute) match(set model.LabelSet) []string {
	if !r.parsed.Matches(set) {
		return nil
	}
	var all []string
	for _, child := range r.Routes {
		found := child.match(set)
		all = append(all, found...)
		if found != nil && !child.Continue {
			break
		}
	}
	if len(all) == 0 {
		return []string{r.Receiver}
	}
	return all
}

// parseMatchers is how an Alertmanager without flags reads matchers.
var parseMatchers = compat.FallbackMatchersParser(slog.New(slog.DiscardHandler))

// sections are the anchors of a Markdown file's headings, as GitHub and others
// make them, and those that are written as HTML.
func sections(text string) []string {
	var anchors []string
	for line := range strings.Lines(text) {
		if hashes := strings.TrimLeft(line, "#"); hashes != line && strings.HasPrefix(hashes, " ") {
			heading := strings.ToLower(strings.TrimSpace(strings.Trim(hashes, "# \r\n")))
			heading = notInAnchor.ReplaceAllString(heading, "")
			anchors = append(anchors, strings.ReplaceAll(heading, " ", "-"))
		}
		for _, m := range htmlAnchor.FindAllStringSubmatch(line, -1) {
			anchors = append(anchors, m[1])
		}
	}
	return anchors
}

var (
	notInAnchor = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	htmlAnchor  = regexp.MustCompile(`\b(?:id|name)="([^"]+)"`)
)
