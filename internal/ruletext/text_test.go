package ruletext

import (
	"errors"
	"fmt"
	"math"
	"testing"
)

// TestLabels finds every way to ask for a label, where it is asked for.
func TestLabels(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"none":                            "[]",
		"{{ $labels.a }} {{ .Labels.b }}": "[{a 3} {b 19}]",
		`{{ index $labels "a" }}`:         "[{a 17}]",
		`{{ index .Labels "a" }}`:         "[{a 17}]",
		`{{ index $externalLabels "a" }}`: "[]",
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
		"{{ stripDomain \"a.example.com\" }} {{ stripDomain \"10.0.0.1\" }} {{ stripDomain \"10.0.0.1:80\" }} {{ stripPort \"a\" }}": "a 10.0.0.1 10.0.0.1:80 a",
		"{{ reReplaceAll \"t(.*)a\" \"$1\" $labels.job }}":                                                                           "ienda-pi",
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

// TestNumbers writes figures with the prefixes that Prometheus gives them, at
// both sides of each.
func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value           float64
		decimal, ofTwos string
	}{
		{0, "0", "0"}, {1, "1", "1"}, {-1, "-1", "-1"}, {999, "999", "999"}, {1000, "1k", "1000"}, {1023, "1.023k", "1023"}, {1024, "1.024k", "1ki"},
		{-1500, "-1.5k", "-1.465ki"}, {1e6, "1M", "976.6ki"}, {1 << 20, "1.049M", "1Mi"}, {1e27, "1000Y", "827.2Yi"}, {0.999, "999m", "0.999"},
		{0.001, "1m", "0.001"}, {0.0001, "100u", "0.0001"}, {1e-25, "0.1y", "1e-25"}, {math.Inf(1), "+Inf", "+Inf"}, {math.NaN(), "NaN", "NaN"},
	} {
		parsed, err := Parse("{{ $value | humanize }} {{ $value | humanize1024 }}")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parsed.Run(nil, c.value); err != nil || got != c.decimal+" "+c.ofTwos {
			t.Errorf("%v: %s (%v), want %s %s", c.value, got, err, c.decimal, c.ofTwos)
		}
	}
}

// TestWrongTexts says what is wrong and at which byte: from the start of its line
// where text/template does not know better.
func TestWrongTexts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{{ if }}":                                  "0: missing value for if",
		"a {{ $labels.a.b }}":                       "12: <$labels.a.b>: can't evaluate field b in type string",
		"a {{ $labels.a.b }}\nlast":                 "12: <$labels.a.b>: can't evaluate field b in type string",
		"one\nb {{ $labels.a.b }}\nlast":            "16: <$labels.a.b>: can't evaluate field b in type string",
		"one\n\nb {{ if }}":                         "5: missing value for if",
		"one\n\nb {{ $labels.a.b }}":                "17: <$labels.a.b>: can't evaluate field b in type string",
		"\nb {{ $labels.a.b }}":                     "13: <$labels.a.b>: can't evaluate field b in type string",
		`{{ printf "%d" $labels.a }}`:               "0: %!d(string=x)",
		`%!d(string=x) {{ printf "%d" $labels.a }}`: "", // as it is written
		`{{ reReplaceAll "(" "" $labels.a }}`:       "3: <reReplaceAll \"(\" \"\" $labels.a>: error calling reReplaceAll: error parsing regexp: missing closing ): `(`",
	} {
		parsed, err := Parse(text)
		if err == nil {
			_, err = parsed.Run(map[string]string{"a": "x"}, 1)
		}
		got := ""
		if wrong, ok := errors.AsType[*Error](err); ok {
			got = fmt.Sprintf("%d: %s", wrong.Offset, wrong)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
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
