package domain

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/internal/testkit"
)

// TestSchema holds the schema that is committed against the types.
func TestSchema(t *testing.T) {
	source, err := os.ReadFile("domain.go")
	if err != nil {
		t.Fatal(err)
	}
	type object = jsonObject
	enum := func(words any) object { return object{{Key: "type", Value: "string"}, {Key: "enum", Value: words}} }
	pattern := func(re *regexp.Regexp) object { return object{{Key: "pattern", Value: re.String()}} }
	named := func(re *regexp.Regexp) object {
		return append(pattern(re), object{{Key: "maxLength", Value: maxName}}...)
	}
	oneOf := func(keys ...string) object {
		var choices []object
		for _, k := range keys {
			choices = append(choices, object{{Key: "required", Value: []string{k}}})
		}
		return object{{Key: "oneOf", Value: choices}}
	}
	items := func(o object) object { return object{{Key: "items", Value: o}} }
	receivers := append([]string{"log", "action", "email", "webhook", "slack", "alertmanager"}, integrations...)
	got, err := writeSchema(schemaInput{
		ID:    "https://raw.githubusercontent.com/latido-dev/latido/main/domain/domain.schema.json",
		Title: "Latido domain file",
		Root:  reflect.TypeFor[Domain](), Source: source,
		Keys: map[string][]string{"Receiver.Other": integrations},
		Hints: map[string]object{
			"Domain.Prefix":   pattern(prefixName),
			"Domain.App":      named(appName),
			"Domain.Entity":   named(eventName),
			"Domain.Language": {{Key: "enum", Value: languages}},
			"Kind":            enum([]Kind{KindCounter, KindUpDown, KindHistogram, KindGauge}),
			"Stat":            enum([]Stat{StatP50, StatP95, StatP99, StatMean, StatRate, StatIncrease, StatRatio, StatValue, StatMax, StatMin}),
			"Severity":        enum(severities),
			"Quantity":        {{Key: "type", Value: []string{"number", "string"}}, {Key: "pattern", Value: `^ *[-+]?[0-9.]`}},
			"Duration":        {{Key: "type", Value: "string"}, {Key: "pattern", Value: `^([0-9]+(y|w|d|h|m|s|ms))+$`}},

			"Buckets.ResponseDuration": {{Key: "maxItems", Value: maxBuckets}},
			"Buckets.FunctionDuration": {{Key: "maxItems", Value: maxBuckets}},

			"Event.Name":       named(eventName),
			"Event.Unit":       pattern(unitName),
			"Event.Buckets":    {{Key: "maxItems", Value: maxBuckets}},
			"Event.Attributes": {{Key: "propertyNames", Value: pattern(attributeName)}},

			"Event.WasUntil": {{Key: "pattern", Value: `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`}},

			"Threshold":          oneOf("metric", "event", "expr", "heartbeat"),
			"Threshold.Name":     named(alertName),
			"Threshold.Metric":   {{Key: "enum", Value: contractKeys()}},
			"Threshold.Event":    named(eventName),
			"Threshold.MinCount": {{Key: "minimum", Value: 0}},

			"SLO.Name":             named(alertName),
			"SLO.Objective":        {{Key: "exclusiveMinimum", Value: 1}, {Key: "exclusiveMaximum", Value: 100}},
			"SLO.MinCount":         {{Key: "minimum", Value: 0}},
			"Good":                 oneOf("status", "faster_than", "event"),
			"DefaultRules.Disable": items(enum(defaultRuleNames)),

			"Receiver":                  oneOf(receivers...),
			"ActionReceiver.Name":       named(alertName),
			"EmailReceiver.To":          {{Key: "minItems", Value: 1}},
			"EmailReceiver.PasswordEnv": pattern(envName),
			"WebhookReceiver":           oneOf("url", "url_env", "url_file"),
			"WebhookReceiver.URL":       {{Key: "pattern", Value: "^https?://"}},
			"WebhookReceiver.URLEnv":    pattern(envName),
			"SlackReceiver":             oneOf("url_env", "url_file"),
			"SlackReceiver.URLEnv":      pattern(envName),
			"AlertmanagerReceiver.URL":  {{Key: "pattern", Value: "^https?://"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Golden(t, "domain.schema.json", got)
}

// contractKeys are the metrics that a threshold may name.
func contractKeys() []string {
	var keys []string
	for _, m := range (Domain{Prefix: "tienda"}).Metrics() {
		keys = append(keys, m.Key)
	}
	return keys
}

// TestSchemaFiles shows the schema what the loader takes and refuses.
func TestSchemaFiles(t *testing.T) {
	s := newSchema(t)
	for _, file := range glob(t, "testdata/*.good.yaml") {
		if problem := s.check(s.root, content(t, read(t, file))); problem != "" {
			t.Errorf("%s: the schema refuses what the loader takes: %s", file, problem)
		}
	}
	// What a single value or key tells; the loader's other checks need the whole file.
	refused := map[string]string{
		"attribute_name": "pattern", "default_rule": "enum", "disabled_scalar": "type", "env_name": "anyOf", "event_kind": "enum",
		"event_name_case": "pattern", "duration": "pattern", "language": "enum", "notify_kind": "additionalProperties",
		"notify_two_kinds": "oneOf", "objective": "exclusiveMaximum", "prefix_hyphen": "pattern", "prefix_missing": "required",
		"threshold_metric": "enum", "threshold_no_subject": "oneOf", "unknown_key": "additionalProperties", "wrong_types": "type",
	}
	for _, f := range bad(t).Files {
		file := strings.TrimSuffix(f.Name, ".yaml")
		want, tried := refused[file]
		if !tried {
			continue
		}
		delete(refused, file)
		if problem := s.check(s.root, content(t, f.Data)); !strings.Contains(problem, want) {
			t.Errorf("%s: the schema says %q, want its %s to refuse it", file, problem, want)
		}
	}
	if len(refused) > 0 {
		t.Errorf("%s has no %v", badFiles, refused)
	}
}

// TestSchemaUnknownKeys adds a key to each map of the file that has them all.
func TestSchemaUnknownKeys(t *testing.T) {
	s := newSchema(t)
	free := regexp.MustCompile(`\.(attributes|where|pagerduty|telegram|details)$`) // maps whose keys are the user's
	root := content(t, read(t, "testdata/full.good.yaml"))
	tried := 0
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch value := value.(type) {
		case map[string]any:
			if !free.MatchString(path) {
				value["unheard_of"] = 1
				if problem := s.check(s.root, root); !strings.Contains(problem, "unheard_of") {
					t.Errorf("%s: an unknown key passes: %q", path, problem)
				}
				delete(value, "unheard_of")
				tried++
			}
			for k, v := range value {
				walk(path+"."+k, v)
			}
		case []any:
			for i, v := range value {
				walk(index(path, i), v)
			}
		}
	}
	walk("", root)
	if tried < 20 {
		t.Errorf("only %d maps tried", tried)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s (%v)", pattern, err)
	}
	return files
}

func content(t *testing.T, file []byte) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(file, &value); err != nil {
		t.Fatalf("%v\n%s", err, file)
	}
	return value
}

// jsonSchema checks values against as much of JSON Schema as ours uses. A
// keyword that it does not know is a failure, so that none goes unchecked.
type jsonSchema struct {
	t    *testing.T
	root map[string]any
}

func newSchema(t *testing.T) jsonSchema {
	t.Helper()
	s := jsonSchema{t: t}
	if err := json.Unmarshal(Schema(), &s.root); err != nil {
		t.Fatal(err)
	}
	return s
}

// check returns the first problem, "" for none.
func (s jsonSchema) check(schema map[string]any, value any) string {
	for _, keyword := range sortedNames(schema) {
		arg := schema[keyword]
		bad := fmt.Sprintf("%s: %v does not fit %v", keyword, value, arg)
		switch keyword {
		case "$schema", "$id", "$defs", "title", "description", "properties":
		case "$ref":
			name := strings.TrimPrefix(arg.(string), "#/$defs/")
			if problem := s.check(s.root["$defs"].(map[string]any)[name].(map[string]any), value); problem != "" {
				return name + ": " + problem
			}
		case "type":
			if types, several := arg.([]any); several && !slices.ContainsFunc(types, func(t any) bool { return hasType(value, t) }) || !several && !hasType(value, arg) {
				return bad
			}
		case "enum":
			if !slices.Contains(arg.([]any), value) {
				return bad
			}
		case "pattern":
			if text, ok := value.(string); ok && !regexp.MustCompile(arg.(string)).MatchString(text) {
				return bad
			}
		case "maxLength":
			if text, ok := value.(string); ok && len(text) > int(arg.(float64)) {
				return bad
			}
		case "minimum", "exclusiveMinimum", "exclusiveMaximum":
			limit, n := arg.(float64), number(value)
			if keyword == "minimum" && n < limit || keyword == "exclusiveMinimum" && n <= limit || keyword == "exclusiveMaximum" && n >= limit {
				return bad
			}
		case "minItems", "maxItems":
			list, _ := value.([]any)
			if keyword == "minItems" && len(list) < int(arg.(float64)) || keyword == "maxItems" && len(list) > int(arg.(float64)) {
				return bad
			}
		case "items":
			list, _ := value.([]any)
			for i, item := range list {
				if problem := s.check(arg.(map[string]any), item); problem != "" {
					return index("", i) + problem
				}
			}
		case "required":
			m, isMap := value.(map[string]any)
			for _, k := range arg.([]any) {
				if _, there := m[k.(string)]; isMap && !there {
					return bad
				}
			}
		case "propertyNames":
			m, _ := value.(map[string]any)
			for _, k := range sortedNames(m) {
				if problem := s.check(arg.(map[string]any), k); problem != "" {
					return problem
				}
			}
		case "additionalProperties":
			if problem := s.properties(schema, value); problem != "" {
				return problem
			}
		case "oneOf", "anyOf":
			fit := 0
			for _, choice := range arg.([]any) {
				if s.check(choice.(map[string]any), value) == "" {
					fit++
				}
			}
			if fit == 0 || keyword == "oneOf" && fit > 1 {
				return fmt.Sprintf("%s: %d of the choices fit %v", keyword, fit, value)
			}
		default:
			s.t.Fatalf("the test does not know the keyword %s", keyword)
		}
	}
	return ""
}

func (s jsonSchema) properties(schema map[string]any, value any) string {
	m, _ := value.(map[string]any)
	properties, _ := schema["properties"].(map[string]any)
	for _, k := range sortedNames(m) {
		sub, known := properties[k].(map[string]any)
		if !known {
			if sub, known = schema["additionalProperties"].(map[string]any); !known {
				return "additionalProperties: " + k + " is unknown"
			}
		}
		if problem := s.check(sub, m[k]); problem != "" {
			return k + ": " + problem
		}
	}
	return ""
}

func hasType(value, name any) bool {
	switch value := value.(type) {
	case nil:
		return name == "null"
	case string:
		return name == "string"
	case bool:
		return name == "boolean"
	case map[string]any:
		return name == "object"
	case []any:
		return name == "array"
	default:
		return name == "number" || name == "integer" && number(value) == math.Trunc(number(value))
	}
}

func number(value any) float64 {
	switch n := value.(type) {
	case int:
		return float64(n)
	case float64:
		return n
	}
	return math.NaN()
}
