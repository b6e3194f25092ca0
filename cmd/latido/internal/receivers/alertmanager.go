// Package receivers reads the configuration of an Alertmanager with its own
// packages: what it refuses, and who hears of an alert.
package receivers

import (
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/matcher/compat"
	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/spelling"
	"github.com/latido-dev/latido/internal/yamlpos"
)

// matchersOnce has Alertmanager read matchers as its server does without flags:
// the setting is a global of its own.
var matchersOnce sync.Once

// load reads a configuration as Alertmanager does.
func load(text []byte) (c *config.Config, err error) {
	matchersOnce.Do(func() { compat.InitFromFlags(slog.New(slog.DiscardHandler), featurecontrol.NoopFlags{}) })
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its loader ends with %v", p)
		}
	}()
	return config.Load(string(text))
}

// mistakes are what Alertmanager refuses, with the line of each if that is known.
func mistakes(err error) (all []mistake) {
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "yaml: ")
		if line == "" || line == "unmarshal errors:" {
			continue
		}
		one := mistake{text: line}
		if m := lineOf.FindStringSubmatch(line); m != nil {
			one.line, _ = strconv.Atoi(m[1])
			one.text = line[len(m[0]):]
		}
		all = append(all, one)
	}
	return all
}

type mistake struct {
	line int // in the text that was read; 0 for none
	text string
}

// What Alertmanager's parser says of a line, of an option that it does not
// know, and of a value of another type.
var (
	lineOf        = regexp.MustCompile(`\Aline (\d+): `)
	unknownOption = regexp.MustCompile(`\Afield (\S+) (?:not found in type|already set in type) `)
	otherType     = regexp.MustCompile("(?s)\\Acannot unmarshal (?:!!\\w+ )?(`.*`|!!\\w+) ?into (.+)\\z")
)

// OfDomain are the receivers of a domain that Alertmanager would
// refuse, each tried alone, with the place in the domain file.
func OfDomain(file string, data []byte, d domain.Domain) []result.Problem {
	text, err := alerting.AlertmanagerFile(d, alerting.Options{})
	if err != nil {
		return nil // told where the domain is checked
	}
	var content struct {
		Global    yaml.Node
		Receivers []yaml.Node
	}
	if yaml.Unmarshal(text, &content) != nil {
		return nil
	}
	var problems []result.Problem
	for i, spec := range alerting.Receivers(d) {
		j := slices.IndexFunc(content.Receivers, func(n yaml.Node) bool {
			var named struct{ Name string }
			return n.Decode(&named) == nil && named.Name == spec.Name
		})
		if j < 0 {
			continue
		}
		alone, err := yaml.Marshal(map[string]any{
			"global": &content.Global, "route": map[string]string{"receiver": spec.Name}, "receivers": []*yaml.Node{&content.Receivers[j]},
		})
		if err != nil {
			continue
		}
		kind := strings.TrimSuffix(Kind(spec.Name), "-")
		if _, err = load(alone); err == nil {
			continue
		}
		for _, m := range mistakes(err) {
			option := optionAt(alone, m.line)
			path := strings.Join(append([]string{fmt.Sprintf("notify[%d]", i), kind}, option...), ".")
			line, column := yamlpos.Of(data, path, 0)
			problems = append(problems, result.Problem{File: file, Line: line, Column: column, Path: path, Message: m.explain(kind, option)})
		}
	}
	return problems
}

// Kind is a receiver's kind: the second webhook is webhook-2.
func Kind(name string) string {
	kind, number, ok := strings.Cut(name, "-")
	if _, err := strconv.Atoi(number); ok && err == nil {
		return kind
	}
	return name
}

// optionAt is the way to the option on a line, within the one entry of the one
// receiver of a text.
func optionAt(text []byte, line int) []string {
	var doc yaml.Node
	if line == 0 || yaml.Unmarshal(text, &doc) != nil {
		return nil
	}
	var found []string
	var walk func(n *yaml.Node, path []string)
	walk = func(n *yaml.Node, path []string) {
		for i, child := range n.Content {
			at := slices.Clone(path)
			if n.Kind == yaml.SequenceNode && len(at) > 2 { // of the lists above there is one
				at[len(at)-1] += fmt.Sprintf("[%d]", i)
			}
			if n.Kind == yaml.MappingNode {
				if i%2 == 0 {
					continue
				}
				at = append(at, n.Content[i-1].Value)
				if n.Content[i-1].Line == line || child.Line == line {
					found = at
				}
			}
			walk(child, at)
		}
	}
	walk(&doc, nil)
	return found[min(len(found), 2):] // receivers, discord_configs
}

// explain says what is wrong with an option of an integration, and what to write.
func (m mistake) explain(kind string, option []string) string {
	if found := unknownOption.FindStringSubmatch(m.text); found != nil {
		known := optionsAt(kind, option[:max(0, len(option)-1)])
		near := spelling.Nearest(found[1], known)
		switch {
		case near != "":
			near = fmt.Sprintf(" (did you mean %q?)", near)
		case len(known) > 0:
			near = ": it has " + strings.Join(known, ", ")
		}
		return fmt.Sprintf("Alertmanager has no option %q here%s", found[1], near)
	}
	if found := otherType.FindStringSubmatch(m.text); found != nil {
		return fmt.Sprintf("is %s, and Alertmanager wants %s", strings.NewReplacer("!!seq", "a list", "!!map", "a map", "!!", "").Replace(found[1]), wanted(found[2]))
	}
	return "Alertmanager refuses it: " + m.text
}

// wanted says what a value of a type of Go is in YAML.
func wanted(goType string) string {
	switch name := goType[strings.LastIndexAny(goType, ".*")+1:]; {
	case strings.HasPrefix(goType, "map["):
		return "a map of names and values"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	case strings.HasPrefix(name, "int"), strings.HasPrefix(name, "uint"):
		return "a whole number"
	case strings.HasPrefix(name, "float"):
		return "a number"
	case name == "bool":
		return "true or false"
	case name == "Duration":
		return "a duration such as 30s"
	case name == "string", name == "Secret", strings.HasSuffix(name, "URL"):
		return "text"
	}
	return "options, each on a line of its own"
}

// optionsAt are the options that Alertmanager has at a place of an integration,
// by its own types; none if it has them from somewhere else.
func optionsAt(kind string, path []string) []string {
	t, ok := optionsOfType(reflect.TypeFor[config.Receiver]())[kind+"_configs"]
	for _, step := range path {
		if !ok {
			return nil
		}
		name, _, _ := strings.Cut(step, "[")
		t, ok = optionsOfType(t)[name]
	}
	if !ok {
		return nil
	}
	return slices.Sorted(maps.Keys(optionsOfType(t)))
}

// optionsOfType are the keys that a type has in YAML, with the type of each.
func optionsOfType(t reflect.Type) map[string]reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	all := map[string]reflect.Type{}
	if t.Kind() != reflect.Struct {
		return all
	}
	for i := range t.NumField() {
		name, flags, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		switch {
		case strings.Contains(flags, "inline"):
			maps.Copy(all, optionsOfType(t.Field(i).Type))
		case name != "" && name != "-":
			all[name] = t.Field(i).Type
		}
	}
	return all
}
