package domain

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"

	"github.com/latido-dev/latido/internal/testkit"
)

func read(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func load(t testing.TB, file string) Domain {
	t.Helper()
	d, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// badFiles has each file NAME.yaml that is refused, and then NAME.txt, all errors.
const badFiles = "testdata/bad.txtar"

func bad(t testing.TB) *txtar.Archive {
	t.Helper()
	archive, err := txtar.ParseFile(badFiles)
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

func TestBadFiles(t *testing.T) {
	all := bad(t)
	said := txtar.Archive{Comment: all.Comment}
	for _, f := range all.Files {
		name, file := strings.CutSuffix(f.Name, ".yaml")
		if !file {
			continue
		}
		d, err := Parse(f.Name, f.Data)
		if err == nil {
			t.Fatalf("%s: the loader takes it", f.Name) // and -update would lose it
		}
		if !reflect.DeepEqual(d, Domain{}) {
			t.Errorf("%s: with an error, the domain is not empty: %+v", f.Name, d)
		}
		if _, same := Parse(f.Name, windows(f.Data)); same == nil || same.Error() != err.Error() {
			t.Errorf("%s: with a byte order mark and CRLF it says otherwise:\n%v\n%v", f.Name, same, err)
		}
		said.Files = append(said.Files, f, txtar.File{Name: name + ".txt", Data: []byte(err.Error() + "\n")})
	}
	testkit.Golden(t, badFiles, txtar.Format(&said))
}

// windows is a file as an editor on Windows may write it.
func windows(file []byte) []byte {
	return []byte(strings.ReplaceAll("\ufeff"+string(file), "\n", "\r\n"))
}

func TestNotUTF8(t *testing.T) {
	_, err := Parse("domain.yaml", []byte("prefix: tienda\nentity: pedido\ndescription: caf\xe9\n"))
	testkit.Error(t, err, "domain.yaml:3:17: not UTF-8: save the file with this encoding")
}

func TestGoodFiles(t *testing.T) {
	for _, file := range glob(t, "testdata/*.good.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			d := load(t, file)
			testkit.Error(t, d.Validate(), "")
			same, err := Parse(file, windows(read(t, file)))
			testkit.Error(t, err, "")
			if !reflect.DeepEqual(d, same) {
				t.Errorf("with a byte order mark and CRLF it loads otherwise:\n%+v\n%+v", d, same)
			}
			roundTrip(t, read(t, file))
		})
	}
}

// TestFullFile holds the file to its promise to have every key, so that a new
// field is in the tests of loading, writing and the schema.
func TestFullFile(t *testing.T) {
	set, all := make(map[string]bool), make(map[string]bool)
	var walk func(v reflect.Value, there bool)
	walk = func(v reflect.Value, there bool) {
		switch v.Kind() {
		case reflect.Pointer:
			if v.IsNil() {
				v = reflect.New(v.Type().Elem())
			}
			walk(v.Elem(), there)
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i), there)
			}
			walk(reflect.New(v.Type().Elem()).Elem(), false)
		case reflect.Struct:
			for i := range v.NumField() {
				name := v.Type().Name() + "." + v.Type().Field(i).Name
				all[name] = true
				if there && !v.Field(i).IsZero() {
					set[name] = true
				}
				walk(v.Field(i), there && !v.Field(i).IsZero())
			}
		}
	}
	walk(reflect.ValueOf(load(t, "testdata/full.good.yaml")), true)
	for _, name := range sortedNames(all) {
		if !set[name] {
			t.Errorf("full.good.yaml has no %s", name)
		}
	}
}

func TestLoadWithoutFile(t *testing.T) {
	_, err := Load("testdata/none.yaml")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	testkit.Error(t, err, "write one with: latido init")
	if _, err := Load("testdata"); err == nil {
		t.Error("a folder loads")
	}
}

// unknown is so many keys that there are not.
func unknown(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "x%d: 1\n", i)
	}
	return b.String()
}

// TestLoadLarge: a file of the largest size is read whole, and of one that is
// larger nothing is taken, whatever its beginning says.
func TestLoadLarge(t *testing.T) {
	t.Parallel()
	const file = "prefix: tienda\nentity: pedido\n#"
	path := filepath.Join(t.TempDir(), "domain.yaml")
	for more, want := range map[int]string{0: "", 1: "larger than 1048576 bytes", 5000: "larger than 1048576 bytes"} {
		if err := os.WriteFile(path, []byte(file+strings.Repeat("x", MaxFileSize-len(file)+more)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path)
		testkit.Error(t, err, want)
	}
}

// TestBrief keeps the beginning and the end of a long message.
func TestBrief(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 599, 600, 601, 602, 5000} {
		text := strings.Repeat("a", n/2) + strings.Repeat("z", n-n/2)
		want := text
		if n > 600 {
			want = strings.Repeat("a", 300) + "…" + strings.Repeat("z", 300)
		}
		if got := brief(text); got != want {
			t.Errorf("%d letters become %q", n, got)
		}
	}
}

func TestParseLimits(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"too large":     {strings.Repeat("#", MaxFileSize+1), "larger than 1048576 bytes"},
		"too deep":      {"prefix: tienda\nentity: a\nnotify: [pagerduty: {a: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}]", "too deep"},
		"far too deep":  {strings.Repeat("[", 200_000), "not YAML"},
		"as deep":       {"prefix: tienda\nentity: a\nnotify: [pagerduty: {a: " + strings.Repeat("[", maxDepth-3) + strings.Repeat("]", maxDepth-3) + "}]", ""},
		"deeper":        {"prefix: tienda\nentity: a\nnotify: [pagerduty: {a: " + strings.Repeat("[", maxDepth-2) + strings.Repeat("]", maxDepth-2) + "}]", "too deep"},
		"a tab at last": {"prefix: tienda\nentity:\n\ta", "domain.yaml:3:2: not YAML: "},
		"nothing":       {"", "the file is empty"},
		"null":          {"~", "the file is empty"},
		"text":          {"hello", `expected a map, got text "hello"`},
		"list":          {"- prefix: tienda", "expected a map, got a list"},
		"key":           {"? [a]\n: b\nprefix: tienda\nentity: a", "expected text as the key, got a list"},
		"UTF-16":        {"\xff\xfep\x00r\x00", "not UTF-8"},
		"huge numbers":  {"prefix: tienda\nentity: a\nthresholds: [{name: a, metric: requests, above: 1e999}]", `"1e999" is no quantity`},
		"huge duration": {"prefix: tienda\nentity: a\nthresholds: [{name: a, metric: requests, above: 1, for: 99999999999y}]", "is no duration"},
		"many mistakes": {"prefix: tienda\nentity: a\n" + strings.Repeat("x: 1\n", 1000), "and 900 more mistakes"},
		"long value":    {"prefix: tienda\nentity: " + strings.Repeat("a", 100_000), "…"},
		"long filter":   {"prefix: tienda\nentity: a\nthresholds: [{name: a, metric: requests, above: 1, where: {endpoint: '=~" + strings.Repeat("a|", 600) + "'}}]", "is too long, 1202 of at most 1024 bytes"},
		"many filters":  {"prefix: tienda\nentity: a\nthresholds: [{name: a, metric: requests, above: 1, where: {a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u}}]", "21 filters, at most 20"},
		"most filters":  {"prefix: tienda\nentity: a\nthresholds: [{name: a, metric: requests, above: 1, where: {a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t}}]", `requests has no label "t"`},
		"unknown keys":  {"prefix: tienda\nentity: a\n" + unknown(1000), "and 900 more mistakes"},
		"many events":   {"prefix: tienda\nentity: a\nevents:\n" + strings.Repeat("- name: a\n", 501), "501 events, at most 500"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("domain.yaml", []byte(c.text))
			testkit.Error(t, err, c.want)
		})
	}
}

// TestOtherReceivers: what stands after a receiver that the file only hands on is
// read as what stands before it.
func TestOtherReceivers(t *testing.T) {
	d, err := Parse("domain.yaml", []byte("prefix: tienda\nentity: a\nnotify: [{severities: [page], jira: {project: A}, mute: [{weekdays: [sunday]}]}]"))
	if err != nil {
		t.Fatal(err)
	}
	if r := d.Notify[0]; r.Other["jira"]["project"] != "A" || len(r.Severities) != 1 || len(r.Mute) != 1 {
		t.Errorf("%+v", r)
	}
}

// roundTrip holds an invariant: an error has a place, and what loads, written
// back, loads the same.
func roundTrip(t *testing.T, data []byte) {
	d, err := Parse("domain.yaml", data)
	if err != nil {
		var errs Errors
		if !errors.As(err, &errs) || len(errs) == 0 {
			t.Fatalf("%T is not Errors: %v", err, err)
		}
		for i, e := range errs {
			if e.Message == "" || i < maxErrors && (e.Line < 1 || e.Column < 1) {
				t.Fatalf("an error without place or message: %#v", e)
			}
		}
		if !slices.IsSortedFunc(errs[:min(len(errs), maxErrors)], func(a, b *Error) int { return a.Line - b.Line }) {
			t.Fatalf("not in the order of the file:\n%v", errs)
		}
		return
	}
	if err := d.Validate(); err != nil {
		t.Fatalf("it loads, but is not valid: %v", err)
	}
	back, err := yaml.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	same, err := Parse("domain.yaml", back)
	if err != nil {
		t.Fatalf("written back, it does not load: %v\n%s", err, back)
	}
	if !reflect.DeepEqual(d, same) {
		t.Fatalf("written back, it loads otherwise:\n%+v\n%+v\n%s", d, same, back)
	}
}

func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		f.Add(read(f, file))
	}
	for _, file := range bad(f).Files {
		f.Add(file.Data)
	}
	f.Add([]byte("prefix: tienda\nentity: pedido\nnotify:\n  - sns: {topic_arn: a, phone_number: +34600123456, send_resolved: no, attributes: {x: [0755, 1e3]}}\n"))
	f.Fuzz(roundTrip)
}

// FuzzTexts puts one text wherever a domain has text of the user's choice: what
// is valid in code, written to a file, loads the same.
func FuzzTexts(f *testing.F) {
	for _, s := range []string{"web", "tienda 24h", "é", "5..", "~", "no", "2024-01-01", "# x", "- a", "a: b", "\"'", "\n\ta ", "\u2028", "\ufeff", "<<", "1_000", "0x1F", "&a *a !x %", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d := Domain{
			Prefix: "tienda", Entity: "pedido", Description: s, Errors: []string{s},
			Events: []Event{{Name: "pedidos", Description: s, Attributes: map[string][]string{"canal": {"web", s}}}},
			Thresholds: []Threshold{
				{Name: "a", Expr: s, Summary: s, Description: s, Impact: s, Runbook: []string{s}},
				{Name: "b", Event: "pedidos", Above: quantity(1), Where: map[string]string{"canal": s}},
				{Name: "c", Metric: "requests", Above: quantity(1), Where: map[string]string{"endpoint": s}},
			},
			Notify: []Receiver{
				{Slack: &SlackReceiver{Channel: s, URLFile: s}}, {Webhook: &WebhookReceiver{URL: "http://example.com/" + s}},
				{Other: map[string]map[string]any{"jira": {"project": s, "labels": []any{s, map[string]any{"x": s}}}}},
			},
		}
		if err := d.Validate(); err != nil {
			if s == "tienda 24h" { // or this test would hold for lack of valid domains
				t.Fatal(err)
			}
			return
		}
		back, err := yaml.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		same, err := Parse("domain.yaml", back)
		if err != nil || !reflect.DeepEqual(d, same) {
			t.Fatalf("written to a file, it loads otherwise: %v\n%#v\n%#v\n%s", err, d, same, back)
		}
	})
}

func FuzzParseQuantity(f *testing.F) {
	for _, s := range []string{"2s", "80%", "256MiB", "1h30m", "30d", "-5", "1e3", "0x1p4", ".5", "1_0", "inf", "nan", "%", "B", "1e308TiB", " 7 B", "-0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := ParseQuantity(s)
		if err != nil {
			testkit.Error(t, err, "is no quantity")
			return
		}
		same, err := ParseQuantity(q.String())
		if err != nil || same != q { // NaN would differ from itself
			t.Fatalf("%q is %v, which reads as %v, %v", s, q, same, err)
		}
	})
}
