package am

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // mute times name zones, and images of services often have none

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/embedded/alert"
)

// maxFile is the largest configuration or template file.
const maxFile = 1 << 20

// loaded is a configuration, ready to be assembled.
type loaded struct {
	conf    *config.Config // with the secrets in it
	shown   *config.Config // as the file has it: what the API shows
	tmpl    *template.Template
	secrets *redactor
	broken  map[string]error // receivers that cannot be built, by name
}

// matchersOnce sets the syntax of matchers to the one of Alertmanager's own
// default. The setting is a global of Alertmanager's.
var matchersOnce sync.Once

// load reads the configuration. Receivers that are wrong are left without what
// they would do.
func load(cfg Config) (*loaded, error) {
	l, err := loadWhole(cfg)
	if err == nil {
		return l, nil
	}
	file, broken := withoutBroken(cfg)
	if len(broken) == 0 {
		return nil, err
	}
	cfg.File = file
	if l, err = loadWhole(cfg); err != nil {
		return nil, err
	}
	l.broken = broken
	return l, nil
}

func loadWhole(cfg Config) (*loaded, error) {
	matchersOnce.Do(func() {
		compat.InitFromFlags(slog.New(slog.DiscardHandler), featurecontrol.NoopFlags{})
	})
	if len(cfg.File) > maxFile || len(cfg.Templates) > maxFile {
		return nil, fmt.Errorf("the configuration and its template are %d and %d bytes: more than %d are refused", len(cfg.File), len(cfg.Templates), maxFile)
	}
	shown, err := config.Load(string(cfg.File))
	if err != nil {
		return nil, fmt.Errorf("its configuration: %w", err)
	}
	text, err := resolveSecrets(cfg.File, cfg.Secrets)
	if err != nil {
		return nil, err
	}
	conf, err := config.Load(string(text))
	secrets := newRedactor(cfg.Secrets, conf)
	if err != nil {
		return nil, fmt.Errorf("its configuration, with the secrets in it: %s", secrets.text(err.Error()))
	}
	apartDrills(conf)
	l := &loaded{conf: conf, shown: shown, secrets: secrets}
	if l.tmpl, err = templates(conf, cfg); err != nil {
		return nil, err
	}
	return l, l.tryTemplates()
}

// resolveSecrets puts values in the place of the files that would hold them:
// url_file: NAME becomes url: VALUE. Alertmanager has such a pair of options for
// each secret.
func resolveSecrets(file []byte, secrets map[string]string) ([]byte, error) {
	if len(secrets) == 0 {
		return file, nil
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(file, &doc); err != nil {
		return nil, fmt.Errorf("its configuration: %w", err)
	}
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.MappingNode {
			for i := 0; i+1 < len(n.Content); i += 2 {
				key, value := n.Content[i], n.Content[i+1]
				name, isFile := strings.CutSuffix(key.Value, "_file")
				secret, have := secrets[value.Value]
				if isFile && have && secret != "" && value.Kind == yaml.ScalarNode {
					key.Value = name
					value.Value, value.Tag, value.Style = secret, "!!str", yaml.DoubleQuotedStyle
				}
			}
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	walk(&doc)
	return yaml.Marshal(&doc)
}

// apartDrills keeps drills out of the groups of true alerts, and from inhibiting
// them, whatever the file says.
func apartDrills(conf *config.Config) {
	var walk func(*config.Route)
	walk = func(r *config.Route) {
		// A route without group_by has that of its parent.
		if (r.GroupBy != nil || r == conf.Route) && !r.GroupByAll && !slices.Contains(r.GroupBy, model.LabelName(alert.DrillLabel)) {
			r.GroupBy = append(r.GroupBy, alert.DrillLabel)
		}
		for _, child := range r.Routes {
			walk(child)
		}
	}
	walk(conf.Route)
	for i := range conf.InhibitRules {
		if equal := &conf.InhibitRules[i].Equal; !slices.Contains(*equal, alert.DrillLabel) {
			*equal = append(*equal, alert.DrillLabel)
		}
	}
}

func templates(conf *config.Config, cfg Config) (*template.Template, error) {
	globs := conf.Templates
	if cfg.Templates != nil {
		globs = nil
	}
	tmpl, err := template.FromGlobs(globs)
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	if err := tmpl.Parse(bytes.NewReader(cfg.Templates)); err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	if cfg.Local {
		tmpl.ExternalURL = &url.URL{}
	} else if tmpl.ExternalURL, err = url.Parse(cfg.ExternalURL); err != nil {
		return nil, fmt.Errorf("external URL: %w", err)
	}
	return tmpl, nil
}

// tryTemplates executes every template of every receiver on an alert that fires
// and one that is resolved, so that a mistake shows now, and not when an alert
// waits to be told.
func (l *loaded) tryTemplates() error {
	var errs []error
	for _, r := range l.conf.Receivers {
		data := l.sample(r.Name)
		text, err := yaml.Marshal(r)
		if err != nil {
			return fmt.Errorf("receiver %q: %w", r.Name, err)
		}
		var doc yaml.Node
		if err := yaml.Unmarshal(text, &doc); err != nil {
			return fmt.Errorf("receiver %q: %w", r.Name, err)
		}
		eachScalar(&doc, "", func(key, value string) {
			if !strings.Contains(value, "{{") {
				return
			}
			run := l.tmpl.ExecuteTextString
			if key == "html" {
				run = l.tmpl.ExecuteHTMLString
			}
			if _, err := run(value, data); err != nil {
				errs = append(errs, fmt.Errorf("receiver %q: %s: %w", r.Name, key, err))
			}
		})
	}
	return errors.Join(errs...)
}

func (l *loaded) sample(receiver string) *template.Data {
	now := time.Now()
	one := func(state string, ends time.Time) *amalert.Alert {
		return &amalert.Alert{UpdatedAt: now, Alert: model.Alert{
			Labels: model.LabelSet{
				"alertname": "Sample", "severity": "page", "domain": "sample", "job": "sample", "instance": model.LabelValue(state),
			},
			Annotations: model.LabelSet{
				"summary": "a sample", "description": "a sample", "runbook_url": "http://localhost/runbook#sample", "cause": "a sample",
				"hot_1": "50.0% | +40.0% | main.work | main.go:1", "waits_1": "50.0% | select | main.wait | main.go:2",
				"changed": "a sample", "incident": "http://localhost/incidents/1", "evidence": "cpu",
			},
			StartsAt: now.Add(-time.Minute), EndsAt: ends, GeneratorURL: "http://localhost/graph",
		}}
	}
	labels := model.LabelSet{"alertname": "Sample", "job": "sample"}
	return l.tmpl.Data(receiver, labels, nil, notify.ReasonFirstNotification.String(),
		one("firing", now.Add(time.Hour)), one("resolved", now.Add(-time.Second)))
}

// eachScalar calls f with each scalar and the key of the mapping that it is in.
func eachScalar(n *yaml.Node, key string, f func(key, value string)) {
	switch n.Kind {
	case yaml.ScalarNode:
		f(key, n.Value)
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			eachScalar(n.Content[i+1], n.Content[i].Value, f)
		}
	default:
		for _, child := range n.Content {
			eachScalar(child, key, f)
		}
	}
}

// unnumbered is the name of a receiver without the number that the file gives to
// the second and further ones of a name: log-2, action/page-2.
func unnumbered(receiver string) string {
	at := strings.LastIndexByte(receiver, '-')
	if at < 0 {
		return receiver
	}
	if n, err := strconv.Atoi(receiver[at+1:]); err != nil || n < 2 {
		return receiver
	}
	return receiver[:at]
}

// isLog tells whether a receiver writes to the log.
func isLog(receiver string) bool { return unnumbered(receiver) == logReceiver }

// actionOf finds the function of a receiver that is one. name is "" for other
// receivers.
func actionOf(receiver string, actions map[string]Action) (name string, do Action) {
	name, is := strings.CutPrefix(receiver, "action/")
	if !is {
		return "", nil
	}
	if do := actions[name]; do != nil {
		return name, do
	}
	return name, actions[unnumbered(name)]
}
