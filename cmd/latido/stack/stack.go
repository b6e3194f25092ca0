// Package stack writes the files that put servers around a service: a Compose
// file with their configuration, a Dockerfile, and manifests for Kubernetes.
//
// They are templates of text, under files/, in which the domain's names are
// filled in; everything else in them is the same for every service. It runs
// nothing and reads nothing but the domain.
package stack

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
)

// templates are the files as they are written, with [[ ]] around what depends
// on the domain: {{ }}, ${ } and << >> are in use by those who read them.
//
//go:embed files
var templates embed.FS

// Images are the containers' images by the name of the server in them: what a
// user should run. docs/stack.md says beside each which version is tested here.
var Images = map[string]string{
	"prometheus":      "prom/prometheus:v3.15.1",
	"alertmanager":    "prom/alertmanager:v0.34.2",
	"grafana":         "grafana/grafana:13.2.3",
	"pyroscope":       "grafana/pyroscope:1.18.1",
	"tempo":           "grafana/tempo:2.10.8",
	"collector":       "otel/opentelemetry-collector-contrib:0.162.0",
	"victoriametrics": "victoriametrics/victoria-metrics:v1.154.1",
}

// goVersion is the image of Go that the service is built in: the least that
// the SDK asks for.
const goVersion = "1.26"

// File is one file of the stack.
type File struct {
	Path    string // from the service's folder, with slashes
	Content []byte
}

// Options say what the files depend on besides the domain.
type Options struct {
	// Main is the folder of the service's main package, from the folder that
	// the files are written to, as in "./cmd/shop". "" is that folder itself.
	Main string
	// Domain is the domain file from there, for the images. "" leaves out what
	// needs it: latido evidence.
	Domain string
	// Rules are the domain's alert rules, as alerting.RuleFile writes them.
	Rules []byte
	// Dashboards are the names of the dashboards' files.
	Dashboards []string
}

// written are the files with the templates that they come from, where those
// have another name: a file whose name begins with a dot is not embedded, and
// one for each Prometheus is enough.
var written = map[string][]string{
	"dockerignore": {".dockerignore"},
	"env.example":  {".env.example"},

	"deploy/alertmanager/gitignore": {"deploy/alertmanager/.gitignore"},
	"deploy/prometheus/prometheus.yaml": {
		"deploy/prometheus/prometheus.yaml", longTerm, small,
	},
}

const (
	longTerm = "deploy/prometheus/longterm.yaml"
	small    = "deploy/prometheus/small.yaml"

	evidenceManifest = "deploy/kubernetes/evidence.yaml"
)

// Watchers is the file of the rules on the servers themselves, which are the same
// for every service. Their annotations say what to do: no runbook has them.
const Watchers = "deploy/prometheus/rules/stack-watchers.rules.yaml"

// Files returns the stack's files in the order of their paths. The same domain
// and options give the same bytes. It returns an error for a template that does
// not fit, which no domain that passes its validation makes.
func Files(d domain.Domain, o Options) ([]File, error) {
	rules, err := specs(string(o.Rules)) // once: it reads all rules, to know how long they are
	if err != nil {
		return nil, fmt.Errorf("stack of %s: %w", d.Prefix, err)
	}
	var files []File
	err = fs.WalkDir(templates, "files", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := templates.ReadFile(name)
		if err != nil {
			return err
		}
		name = strings.TrimPrefix(name, "files/")
		if name == evidenceManifest && o.Domain == "" {
			return nil
		}
		paths := written[name]
		if paths == nil {
			paths = []string{strings.ReplaceAll(name, "targets/service", "targets/"+d.Prefix)}
		}
		for _, p := range paths {
			content, err := fill(p, string(text), d, o, rules)
			if err != nil {
				return fmt.Errorf("%s: %w", p, err)
			}
			files = append(files, File{Path: p, Content: content})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("stack of %s: %w", d.Prefix, err)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

// values are what the templates know.
type values struct {
	Prefix     string
	Service    string // its name in every label
	Host       string // and in the network
	Main       string
	Domain     string // the domain file; "" for one that no image can have
	Command    string // the package of the latido command
	Go         string
	Links      domain.Links
	Days       int      // for which samples are kept
	Telemetry  string   // the package that the linker tells the version
	LongTerm   bool     // the file is for a Prometheus whose samples another store keeps
	Small      bool     // the file is for one that has no server beside it
	Dashboards []string // without .json
	Specs      []string // of the PrometheusRules
	Watchers   string   // the spec of that about the servers
	Collector  string   // the Collector's file, without who it was made for
	Secrets    []string // the variables of .env that receivers log in with
}

// fill writes the file p. rules are the specs of the domain's rules.
func fill(p, text string, d domain.Domain, o Options, rules []string) ([]byte, error) {
	v := values{
		Prefix: d.Prefix, Service: d.Service(), Host: dns(d.Service()), Main: o.Main, Domain: o.Domain, Command: "github.com/latido-dev/latido/cmd/latido", Go: goVersion, Links: d.Links, Days: days(d), Telemetry: "github.com/latido-dev/latido/telemetry",
		LongTerm: p == longTerm, Small: p == small, Specs: rules,
	}
	for _, secret := range alerting.Secrets(d) {
		if secret.Env != "" {
			v.Secrets = append(v.Secrets, secret.Env)
		}
	}
	switch p {
	case "deploy/kubernetes/watchers.yaml":
		var err error
		if v.Watchers, err = watchersSpec(d, o); err != nil {
			return nil, err
		}
	case "deploy/kubernetes/collector.yaml":
		text, err := templates.ReadFile("files/deploy/otel-collector.yaml")
		if err != nil {
			return nil, err
		}
		v.Collector = strings.TrimPrefix(string(text), "[[header]]\n")
	}
	if v.Main == "" {
		v.Main = "."
	}
	for _, name := range o.Dashboards {
		v.Dashboards = append(v.Dashboards, strings.TrimSuffix(name, path.Ext(name)))
	}
	t, err := template.New(p).Delims("[[", "]]").Option("missingkey=error").Funcs(template.FuncMap{
		"header": func() string {
			return fmt.Sprintf("# Written by \"latido generate stack\" from the domain file of %s.\n# Change that file, not this one, and write this one again.", d.Prefix)
		},
		"image": func(name string) (string, error) {
			if Images[name] == "" {
				return "", fmt.Errorf("no image is known of %q", name)
			}
			return Images[name], nil
		},
		"of": func(en, es string) string {
			if d.Language == "es" {
				return es
			}
			return en
		},
		"dns": dns,
		"indent": func(text string) string {
			return strings.ReplaceAll("    "+strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    "), "    \n", "\n")
		},
		"sum":       func(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))[:10] },
		"gigabytes": func(days int) int { return (8*days + leastDays - 1) / leastDays }, // of samples, as much a day as for the least
		"numbered": func(i int) string { // the first has the name alone
			if i == 0 {
				return ""
			}
			return fmt.Sprintf("-%d", i+1)
		},
	}).Parse(text)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// watchersSpec is the spec of a PrometheusRule with the rules about the servers.
func watchersSpec(d domain.Domain, o Options) (string, error) {
	text, err := templates.ReadFile("files/" + Watchers)
	if err != nil {
		return "", err
	}
	rules, err := fill(Watchers, string(text), d, o, nil)
	if err != nil {
		return "", err
	}
	all, err := specs(string(rules))
	return strings.Join(all, ""), err
}

// leastDays is how many days of samples are kept for people to look back.
const leastDays = 15

// days is for how many days samples are kept: for longer than any rule of the
// domain looks back, as it would else look at a part of its window.
func days(d domain.Domain) int {
	var longest time.Duration
	for _, s := range d.SLOs {
		longest = max(longest, time.Duration(cmp.Or(s.Window, domain.DefaultSLOWindow)))
	}
	for _, t := range d.Thresholds {
		longest = max(longest, time.Duration(t.Window))
	}
	return max(leastDays, int(longest/(24*time.Hour))+1)
}

// longestHost leaves room for "-evidence": a Service of Kubernetes has a name of
// 63 letters at most.
const longestHost = 63 - len("-evidence")

// dns is a name as hosts, images and the objects of Kubernetes have it (RFC
// 1123): a service's name may have capitals, dots and underscores as well, and
// be longer, where the sum of the whole tells it from others that begin so.
func dns(name string) string {
	host := strings.Trim(strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name)), "-")
	if len(host) > longestHost {
		host = fmt.Sprintf("%s-%x", strings.TrimRight(host[:longestHost-9], "-"), sha256.Sum256([]byte(name)))[:longestHost]
	}
	return host
}
