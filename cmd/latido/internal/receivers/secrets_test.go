package receivers

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/config/common"
	commoncfg "github.com/prometheus/common/config"

	"github.com/latido-dev/latido/domain"
)

// Every option whose type is a secret to Alertmanager is refused in the domain
// file, however deep it is, and no other one.
func TestSecretsByTheirType(t *testing.T) {
	t.Parallel()
	secrets := map[reflect.Type]bool{
		reflect.TypeFor[commoncfg.Secret](): true, reflect.TypeFor[common.SecretURL](): true, reflect.TypeFor[common.SecretTemplateURL](): true,
		reflect.TypeFor[config.SecretTemplateURL](): true,
	}
	n, plain := 0, 0
	var walk func(kind string, t reflect.Type, path []string, wrap func(string) string)
	walk = func(kind string, typ reflect.Type, path []string, wrap func(string) string) {
		inner := wrap
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			if before := inner; typ.Kind() == reflect.Slice {
				inner = func(s string) string { return before("[" + s + "]") }
			}
			typ = typ.Elem()
		}
		if typ.Kind() == reflect.Map {
			before := inner
			inner = func(s string) string { return before("{X-Some: " + s + "}") }
			for typ = typ.Elem(); typ.Kind() == reflect.Slice; typ = typ.Elem() {
				list := inner
				inner = func(s string) string { return list("[" + s + "]") }
			}
		}
		if secrets[typ] {
			n++
			text := "prefix: floreria\nentity: ramo\nnotify:\n  - " + kind + ": " + inner("https://hunter2.example/") + "\n"
			if _, err := domain.Parse("domain.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), "is a secret") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s is accepted, or told: %v\n%s", strings.Join(path, "."), err, text)
			}
			return
		}
		if len(path) > 8 {
			return
		}
		if typ.Kind() == reflect.String {
			plain++
			text := "prefix: floreria\nentity: ramo\nnotify:\n  - " + kind + ": " + inner("norte") + "\n"
			if _, err := domain.Parse("domain.yaml", []byte(text)); err != nil && strings.Contains(err.Error(), "is a secret") {
				t.Errorf("%s is no secret to Alertmanager, and is refused: %v\n%s", strings.Join(path, "."), err, text)
			}
			return
		}
		for name, field := range optionsOfType(typ) {
			if strings.HasPrefix(name, "http_headers") { // an inline map of headers
				name, field = "http_headers", reflect.TypeFor[map[string]commoncfg.Header]()
			}
			before := inner
			walk(kind, field, append(path[:len(path):len(path)], name), func(s string) string { return before("{" + name + ": " + s + "}") })
		}
	}
	for name, configs := range optionsOfType(reflect.TypeFor[config.Receiver]()) {
		kind, ok := strings.CutSuffix(name, "_configs")
		if !ok || slices.Contains([]string{"email", "slack", "webhook"}, kind) { // those have options of their own in the domain file
			continue
		}
		walk(kind, configs.Elem(), []string{kind}, func(s string) string { return s })
	}
	if n < 100 || plain < 100 {
		t.Errorf("only %d secrets and %d other texts are found", n, plain)
	}
}
