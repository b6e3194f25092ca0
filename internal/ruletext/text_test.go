package ruletext

import (
	"errors"
	"fmt"
	"testing"
)

// TestLabels finds every way to ask for a label, where it is asked for.
func TestLabels(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"none":                            "[]",
		"{{ $labels.a }} {{ .Labels.b }}": "[{a 3} {b 19}]",
		`{{ index $labels "a" }}`:         "[{a 17}]",
		"{{ if $labels.a }}{{ $labels.b }}{{ else }}{{ with $labels.c }}{{ . }}{{ end }}{{ end }}": "[{a 6} {b 21} {c 51}]",
		"{{ range $k, $v := $labels }}{{ $k }}{{ end }}":                                           "[]",
		"{{ $externalLabels.x }} {{ $value }}":                                                     "[]",
		`{{ query "up" | first | label "x" }}`:                                                     "[]",
		"one\ntwo {{ printf \"%s\" $labels.a }}":                                                   "[{a 23}]",
	} {
		parsed, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := fmt.Sprint(parsed.Labels()); got != want && (want != "[]" || got != "[]") {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// TestRun writes what Prometheus writes.
func TestRun(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{{ $value }} {{ $value | humanize }}":                                  "1234.5 1.234k",
		"{{ $value | humanize1024 }}B":                                          "1.206kiB",
		"{{ $value | humanizeDuration }}":                                       "20m 34s",
		"{{ $value | humanizePercentage }}":                                     "1.234e+05%",
		"{{ $labels.x }}|{{ $labels.status | humanize }}":                       "|500",
		"{{ title $labels.job }} {{ toUpper \"a\" }}":                           "Tienda-Api A",
		"{{ $labels.address | stripPort }} {{ $labels.address | stripDomain }}": "a.example.com a:80",
		"{{ reReplaceAll \"t(.*)a\" \"$1\" $labels.job }}":                      "ienda-pi",
		"{{ `{{` }}": "{{",
		"{{ with query \"up\" }}{{ . | first | value }}{{ end }}": "1",
	} {
		parsed, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := parsed.Run(map[string]string{"job": "tienda-api", "status": "500", "address": "a.example.com:80"}, 1234.5)
		if err != nil || got != want {
			t.Errorf("%s: %q (%v), want %q", text, got, err, want)
		}
	}
}

// FuzzRun: whatever the text, there is a text or an Error within it.
func FuzzRun(f *testing.F) {
	for _, text := range []string{"{{ $labels.a | humanize }}", "a\n{{ reReplaceAll \"(\" \"\" .Labels.b }}", "{{ if }}", "{{ index $labels 3 }}", "{{ define \"x\" }}{{ template \"x\" }}{{ end }}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := Parse(text)
		if err == nil {
			if len(text) > 200 {
				return // a template may print a megabyte
			}
			_, err = parsed.Run(map[string]string{"a": "x"}, 1)
		}
		var wrong *Error
		if err != nil && (!errors.As(err, &wrong) || wrong.Offset < 0 || wrong.Offset > len(text)) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
