package domain

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/latido-dev/latido/internal/promname"
	"github.com/latido-dev/latido/internal/spelling"
)

// The names that the domain file has, by what they become: the start of
// every metric name, a metric name, an attribute, a name in an alert.
var (
	prefixName    = regexp.MustCompile(`^[a-z][a-z0-9_]{1,30}[a-z0-9]$`)
	eventName     = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	attributeName = regexp.MustCompile(`^[a-z][a-z0-9]*([._][a-z0-9]+)*$`)
	alertName     = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
	appName       = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9._-]*[A-Za-z0-9])?$`) // a label's value in Kubernetes too
	envName       = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

const (
	maxPrefix = 32
	maxName   = 63 // of anything else that has a name
)

// reservedPrefixes start names that others use: the Go runtime and process
// collectors, OpenTelemetry's scope, what Prometheus adds to each scrape, and
// the servers' own metrics.
var reservedPrefixes = []string{
	"go", "process", "otel", "up", "scrape", "target",
	"prometheus", "alertmanager", "grafana", "pyroscope", "tempo", "otelcol", "promhttp", "latido",
}

// serverNames are the hosts, jobs and objects of Kubernetes that stand beside
// the service in what is generated.
var serverNames = []string{
	"prometheus", "grafana", "alertmanager", "evidence", "pyroscope", "tempo", "otel-collector", "victoriametrics", "otel-agent", "otel-gateway",
	"stack-watchers", "services", "kubernetes",
}

// yamlWords are no text where they stand in YAML without quotes, as names do in
// the files of Compose and Kubernetes.
var yamlWords = []string{"true", "false", "yes", "no", "on", "off", "y", "n", "null"}

// hostOf is a name as hosts and the objects of Kubernetes have it (RFC 1123).
func hostOf(name string) string {
	return strings.Trim(strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name)), "-")
}

// placeholders stand in tutorials and templates where one's own word goes.
// Separators are underscores here.
var placeholders = []string{
	"tu_prefijo", "tu_prefix", "mi_prefijo", "su_prefijo", "prefijo", "my_prefix", "your_prefix", "the_prefix", "prefix", "myprefix", "yourprefix",
	"tu_dominio", "mi_dominio", "my_domain", "your_domain",
	"tu_entidad_principal", "tu_entidad", "mi_entidad", "entidad_principal", "entidad", "my_entity", "your_entity", "main_entity", "entity",
	"tu_proyecto_api", "tu_proyecto", "mi_proyecto_api", "mi_proyecto", "tu_app", "mi_app", "tu_api", "mi_api",
	"your_project_api", "your_project", "my_project_api", "my_project", "my_app", "your_app", "my_api", "your_api",
	"my_service", "your_service", "changeme", "change_me", "todo", "fixme", "xxx",
}

func placeholder(name string) bool {
	return slices.Contains(placeholders, spelling.Separated(spelling.Words(name)))
}

// CheckPrefix reports why a prefix cannot be one, and what to write instead.
// It looks at the prefix alone; Validate also at what events make of it.
func CheckPrefix(prefix string) error {
	meant := ""
	if s := spelling.Slug(prefix, maxPrefix); s != prefix && prefixName.MatchString(s) && !slices.Contains(reservedPrefixes, s) && !placeholder(s) {
		meant = fmt.Sprintf(" (did you mean %q?)", s)
	}
	switch {
	case prefix == "":
		return fmt.Errorf(`missing: write a short word for the business, such as "pedidos"`)
	case placeholder(prefix):
		return fmt.Errorf(`%q is a placeholder: write your own word, such as "pedidos"`, prefix)
	case slices.Contains(reservedPrefixes, prefix):
		return fmt.Errorf("%q is taken by metrics that are not the service's own: write for example %q", prefix, prefix+"_app")
	case slices.Contains(yamlWords, prefix):
		return fmt.Errorf("%q is a word of YAML, and no name: write for example %q", prefix, prefix+"_app")
	case len(prefix) < 3:
		return fmt.Errorf("%q is too short: write 3 to %d letters", prefix, maxPrefix)
	case len(prefix) > maxPrefix && eventName.MatchString(prefix):
		return fmt.Errorf("%q is too long, %d of at most %d letters%s", prefix, len(prefix), maxPrefix, meant)
	case strings.ToLower(prefix) != prefix && eventName.MatchString(strings.ToLower(prefix)):
		return fmt.Errorf("%q has upper case%s", prefix, meant)
	case strings.Contains(prefix, "-"):
		return fmt.Errorf("%q has a hyphen, which no metric name may have%s", prefix, meant)
	case !prefixName.MatchString(prefix):
		return fmt.Errorf("%q may only have a-z, 0-9 and _ between them, and starts with a letter%s", prefix, meant)
	case strings.Contains(prefix, "__"):
		return fmt.Errorf("%q has two underscores in a row, of which Prometheus keeps one%s", prefix, meant)
	}
	for _, m := range contract {
		if got := promname.Family(prefix+"."+m.Name, m.Unit, string(m.Kind)); got != prefix+strings.TrimPrefix(promname.Family("x."+m.Name, m.Unit, string(m.Kind)), "x") {
			return fmt.Errorf("%q has a word that is a suffix in Prometheus, and would move or vanish there: %s: use another word", prefix, got)
		}
	}
	return nil
}

// checkName reports why a name does not match, and how to write it.
func checkName(name string, want *regexp.Regexp, letters string) error {
	switch {
	case name == "":
		return fmt.Errorf("missing: write a name")
	case len(name) > maxName:
		return fmt.Errorf("%q is too long, %d of at most %d letters", name, len(name), maxName)
	case want.MatchString(name):
		return nil
	}
	meant := ""
	if s := spelling.Slug(name, maxName); s != "" && want.MatchString(s) {
		meant = fmt.Sprintf(" (did you mean %q?)", s)
	}
	return fmt.Errorf("%q may only have %s%s", name, letters, meant)
}

const (
	snakeLetters = "a-z, 0-9 and single _ between them, and starts with a letter"
	alertLetters = "letters, 0-9 and _, and starts with a letter"
)
