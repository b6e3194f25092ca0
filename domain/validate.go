package domain

import (
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/internal/spelling"
)

// Languages are those in which texts can be generated.
func Languages() []string { return slices.Clone(languages) }

var languages = []string{"en", "es"}

// defaultRuleNames are the rules that every domain gets, as DefaultRules.Disable
// names them, and "all", which stands for every one of them.
var defaultRuleNames = []string{"error_ratio", "response_p95", "stuck", "clients", "refused", "pools", "cpu", "memory", "disk", "goroutines", "container_cpu", "container_memory", "files", "scrape", "telemetry", "all"}

// Severities lists the severities, loudest first.
func Severities() []Severity { return slices.Clone(severities) }

var severities = []Severity{SeverityPage, SeverityTicket, SeverityInfo}

// How many of each a domain has at most; far more than anyone reads.
const (
	maxEvents = 500
	maxRules  = 500
	maxErrorTypes,
	maxReceivers = 100, 100
	maxText = 4096
)

// Validate reports every mistake of the domain at once, as [Errors] in the
// order of the fields; nil if there is none. A domain that was loaded is
// valid; one that was built in code is checked with the same rules.
func (d Domain) Validate() error {
	v := &validator{d: d, unread: func(string) bool { return false }}
	v.run()
	if len(v.errs) > 0 {
		return v.errs
	}
	return nil
}

// validator collects the mistakes of one domain.
type validator struct {
	d    Domain
	errs Errors
	// unread reports whether the file has something at a path that could not
	// be read; unit tells the unit with which a quantity was written there. It
	// is nil for a domain that was built in code.
	unread func(path string) bool
	unit   func(path string) string

	sections map[string]section // of the runbook: alerts by their names in small letters

	named   Domain            // d with a prefix that can be one
	metrics map[string]Metric // by their short names
	keys    []string          // of metrics, without the events'
	names   []string          // of events
}

func (v *validator) add(path, format string, args ...any) {
	v.errs = append(v.errs, &Error{Path: path, Message: brief(fmt.Sprintf(format, args...))})
}

// check adds an error if there is one.
func (v *validator) check(path string, err error) {
	if err != nil {
		v.add(path, "%s", err)
	}
}

func (v *validator) run() {
	v.named = v.d
	if v.unread("prefix") || CheckPrefix(v.d.Prefix) != nil {
		v.named.Prefix = "prefix" // the true one has an error of its own
	}
	v.sections = make(map[string]section)
	v.metrics = make(map[string]Metric)
	for _, m := range v.named.Metrics() {
		if _, taken := v.metrics[m.Key]; !taken {
			v.metrics[m.Key] = m
		}
		if m.Event == nil {
			v.keys = append(v.keys, m.Key)
		} else {
			v.names = append(v.names, m.Key)
		}
	}
	v.head()
	v.errorTypes()
	v.durationBuckets()
	v.timeZone()
	v.peers()
	v.events()
	v.thresholds()
	v.slos()
	v.defaultRules()
	v.receivers()
	v.links()
	v.texts(reflect.ValueOf(v.d), "")
}

// head checks what a domain has once.
func (v *validator) head() {
	v.check("prefix", CheckPrefix(v.d.Prefix))

	switch app := v.d.App; {
	case app == "":
	case placeholder(app):
		v.add("app", `%q is a placeholder: write the service's name, such as "tienda-api"`, app)
	case len(app) > maxName:
		v.add("app", "%q is too long, %d of at most %d letters", app, len(app), maxName)
	case !appName.MatchString(app):
		meant := ""
		if s := strings.ReplaceAll(spelling.Slug(app, maxName), "_", "-"); s != "" {
			meant = fmt.Sprintf(" (did you mean %q?)", s)
		}
		v.add("app", "%q may only have letters, digits, ., - and _ between them, and starts with a letter%s", app, meant)
	case slices.Contains(serverNames, hostOf(app)):
		v.add("app", "%q is the name of a server that runs beside the service, and Compose or Kubernetes would have it twice: write for example %q", app, app+"-api")
	case slices.Contains(yamlWords, strings.ToLower(app)):
		v.add("app", "%q is a word of YAML, and no name in the files of Compose and Kubernetes: write for example %q", app, app+"-api")
	}

	switch entity := v.d.Entity; {
	case entity == "":
		v.add("entity", `missing: write what the service is mostly about, in the singular, such as "pedido"`)
	case placeholder(entity):
		v.add("entity", `%q is a placeholder: write what the service is mostly about, such as "pedido"`, entity)
	default:
		v.check("entity", checkName(entity, eventName, snakeLetters))
	}

	if l := v.d.Language; l != "" && !slices.Contains(languages, l) {
		meant := ": write en or es"
		switch folded := spelling.Fold(l); {
		case strings.HasPrefix(folded, "es"), strings.HasPrefix(folded, "spa"), strings.HasPrefix(folded, "cast"):
			meant = ` (did you mean "es"?)`
		case strings.HasPrefix(folded, "en"), strings.HasPrefix(folded, "ing"):
			meant = ` (did you mean "en"?)`
		}
		v.add("language", "unknown language %q%s", l, meant)
	}
}

// errorTypes checks the list of error types. They are values of an attribute.
func (v *validator) errorTypes() {
	if len(v.d.Errors) > maxErrorTypes {
		v.add("errors", "%d error types, at most %d: each has series of its own", len(v.d.Errors), maxErrorTypes)
		return
	}
	v.values("errors", v.d.Errors)
}

// hostName is a host as a URL has it, without a port: a name or an IP address.
var hostName = regexp.MustCompile(`^[a-z0-9_.:-]*[a-z0-9]$`)

// peers checks the list of hosts. They are values of an attribute.
func (v *validator) peers() {
	if len(v.d.Peers) > MaxPeers {
		v.add("peers", "%d hosts, at most %d: each has series of its own", len(v.d.Peers), MaxPeers)
		return
	}
	v.values("peers", v.d.Peers)
	for i, host := range v.d.Peers {
		if _, err := netip.ParseAddr(host); err == nil || hostName.MatchString(host) && !strings.Contains(host, ":") || host == "" || host == Other {
			continue // empty ones, and those listed without need, were told
		}
		meant := host
		if _, after, ok := strings.Cut(meant, "://"); ok {
			meant = after
		}
		meant, _, _ = strings.Cut(meant, "/")
		if name, _, err := net.SplitHostPort(meant); err == nil {
			meant = name
		}
		if meant = strings.TrimSuffix(strings.ToLower(meant), "."); meant != host && hostName.MatchString(meant) {
			v.add(index("peers", i), "%q is no host name: write it without scheme, port and path, in small letters (did you mean %q?)", host, meant)
		} else {
			v.add(index("peers", i), "%q is no host name: write one such as \"payments.internal\"", host)
		}
	}
}

// links checks the addresses of generated files. Everybody reads those.
func (v *validator) links() {
	l := v.d.Links
	for _, link := range []struct{ path, text string }{
		{"links.runbook", l.Runbook}, {"links.evidence", l.Evidence}, {"links.external_url", l.ExternalURL},
		{"links.prometheus", l.Prometheus}, {"links.alertmanager", l.Alertmanager}, {"links.grafana", l.Grafana},
	} {
		switch {
		case link.text == "":
		case strings.Contains(link.text, "{{"):
			v.add(link.path, "has {{ in it, which begins a template in every alert: write the address in full, each alert's section is added to it")
		default:
			v.check(link.path, checkURL(link.text))
		}
	}
}

func (v *validator) defaultRules() {
	for i, name := range v.d.DefaultRules.Disable {
		at := index("default_rules.disable", i)
		if !slices.Contains(defaultRuleNames, name) {
			v.add(at, "unknown rule %q%s", name, meantOr(name, defaultRuleNames, "the rules are"))
		} else if slices.Contains(v.d.DefaultRules.Disable[:i], name) {
			v.add(at, "%q is there twice", name)
		}
	}
}

// texts checks that every text is one that can stand in a label, a mail and a
// YAML file. It covers fields that no other check looks at.
func (v *validator) texts(value reflect.Value, path string) {
	switch value.Kind() {
	case reflect.String:
		s := value.String()
		at := strings.IndexFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' })
		switch {
		case !utf8.ValidString(s):
			v.add(path, "not valid UTF-8")
		case at >= 0:
			v.add(path, "has the control character %U: leave it out", []rune(s[at:])[0])
		case len(s) > maxText:
			v.add(path, "is too long, %d of at most %d bytes", len(s), maxText)
		}
	case reflect.Struct:
		if node, ok := value.Interface().(yaml.Node); ok { // an option that goes to Alertmanager as it stands
			v.texts(reflect.ValueOf(node.Value), path)
			return
		}
		fields, open := fieldsOf(value.Type())
		for _, f := range fields {
			v.texts(value.Field(f.index), join(path, f.key))
		}
		if open >= 0 {
			v.texts(value.Field(open), path)
		}
	case reflect.Slice:
		for i := range value.Len() {
			v.texts(value.Index(i), index(path, i))
		}
	case reflect.Map:
		for _, k := range sortedKeys(value) {
			v.texts(reflect.ValueOf(k), key(path, k))
			v.texts(value.MapIndex(reflect.ValueOf(k)), key(path, k))
		}
	case reflect.Pointer, reflect.Interface:
		if !value.IsNil() {
			v.texts(value.Elem(), path)
		}
	}
}

// sortedKeys lists a map's keys, so that errors come in the same order always.
func sortedKeys(m reflect.Value) []string {
	keys := make([]string, 0, m.Len())
	for _, k := range m.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	return keys
}

// within checks a duration; 0 means that there is none. Prometheus has
// milliseconds at the finest.
func (v *validator) within(path string, d Duration, least, most time.Duration) {
	switch t := time.Duration(d); {
	case t == 0:
	case t%time.Millisecond != 0:
		v.add(path, "%s is not in whole milliseconds", t)
	case t < least || t > most:
		v.add(path, "%s is not between %s and %s", d, Duration(least), Duration(most))
	}
}

// exactlyOne checks that one of some fields is set, and returns which; "" if
// it is another number of them, or if one of them could not be read.
func (v *validator) exactlyOne(path string, set map[string]bool, fields ...string) string {
	var given []string
	for _, f := range fields {
		if v.unread(join(path, f)) {
			return ""
		}
		if set[f] {
			given = append(given, f)
		}
	}
	switch len(given) {
	case 0:
		v.add(path, "needs one of %s", strings.Join(fields, ", "))
	case 1:
		return given[0]
	default:
		v.add(join(path, given[1]), "cannot stand beside %s: exactly one of %s", given[0], strings.Join(fields, ", "))
	}
	return ""
}

// oneOf checks a word of a closed list; "" stands for its default.
func oneOf[T ~string](v *validator, path string, word T, words ...T) {
	if word == "" || slices.Contains(words, word) {
		return
	}
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	v.add(path, "unknown value %q%s", word, meantOr(string(word), all, "write one of"))
}
