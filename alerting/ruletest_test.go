package alerting

import (
	"strings"
	"testing"
)

// TestTextsOfComputedValues: a text that shows all digits of a value which
// Prometheus computes is no part of a test, as the last digits are not known; of
// one that shows the first, or of a level as it stands, it is.
func TestTextsOfComputedValues(t *testing.T) {
	t.Parallel()
	for threshold, known := range map[string]bool{
		`{name: A, event: pedidos, stat: increase, above: 7, summary: "{{ $value }}"}`:            false,
		`{name: A, event: pedidos, stat: increase, above: 7, summary: "{{ $value | humanize }}"}`: true,
		`{name: A, event: carritos, above: 7, summary: "{{ $value }}"}`:                           true,
		`{name: A, event: carritos, above: 7, summary: "{{ query \"up\" }}"}`:                     false,
	} {
		d := parse(t, base+"\nthresholds: ["+threshold+"]")
		tests, err := RuleTests(d, Options{}, "x.yaml")
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(tests), "- name: 'A: ")
		one, _, _ := strings.Cut(after, "  - name: ")
		if got := strings.Contains(one, "exp_annotations"); got != known {
			t.Errorf("%s: texts are in the test: %v\n%s", threshold, got, one)
		}
	}
}

// TestLongTrials: a rule whose trial takes very many evaluations, as another one
// has a short time, is left out of the tests and named in their file.
func TestLongTrials(t *testing.T) {
	t.Parallel()
	d := parse(t, base+`
thresholds:
  - {name: Larga, event: pedidos, stat: increase, window: 25h, below: 5}
  - {name: Corta, event: carritos, above: 7, for: 10s}
`)
	tests, err := RuleTests(d, Options{}, "x.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(tests)
	if !strings.Contains(text, "takes too long: Larga") || strings.Contains(text, "eval_time: 25h") || !strings.Contains(text, "'Corta: > 7'") {
		t.Errorf("%.2000s", text)
	}
	if d = parse(t, base+"\nthresholds: [{name: Larga, event: pedidos, stat: increase, window: 6h, below: 5}]"); err != nil {
		t.Fatal(err)
	}
	if tests, err = RuleTests(d, Options{}, "x.yaml"); err != nil || strings.Contains(string(tests), "too long") {
		t.Errorf("%v\n%.500s", err, tests)
	}
}

// TestLinksAreNoTemplates: an address with braces would keep Prometheus from
// loading any rule.
func TestLinksAreNoTemplates(t *testing.T) {
	t.Parallel()
	d := parse(t, base)
	for _, o := range []Options{{RunbookURL: "https://wiki/{{page}}"}, {EvidenceURL: "http://x/{{ .y }}"}} {
		if _, err := RuleFile(d, o); err == nil || !strings.Contains(err.Error(), "{{") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
