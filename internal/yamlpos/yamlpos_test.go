package yamlpos

import (
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestPosition marks with ^ where the ! of each expression stands.
func TestPosition(t *testing.T) {
	for name, c := range map[string]struct{ file, path, want string }{
		"plain":        {"thresholds:\n  - name: a\n    expr: sum(x) ! 5\n", "thresholds[0].expr", "3:18"},
		"second":       {"thresholds:\n- {name: a}\n- expr: x !\n", "thresholds[1].expr", "3:11"},
		"several":      {"thresholds:\n  - expr: sum(x)\n      + y\n      ! 5\n", "thresholds[0].expr", "4:7"},
		"double quote": {"thresholds:\n  - expr: \"x{a=\\\"b\\\"} ! 5\"\n", "thresholds[0].expr", "2:23"},
		"single quote": {"thresholds:\n  - expr: 'x{a=''b''} ! 5'\n", "thresholds[0].expr", "2:23"},
		"literal":      {"thresholds:\n  - expr: | # why\n      sum(x)\n\n        ! 5\n    name: a\n", "thresholds[0].expr", "5:9"},
		"folded":       {"thresholds:\n  - expr: >-\n      sum(á)\n      ! 5\n", "thresholds[0].expr", "4:7"},
		"alias":        {"entity: &e a ! b\nthresholds:\n  - expr: *e\n", "thresholds[0].expr", "1:14"},
		"mark":         {"\ufeffentity: a !\n", "entity", "1:11"},
		"windows":      {"thresholds:\r\n  - expr: |\r\n      a\r\n      !\r\n", "thresholds[0].expr", "4:7"},
		"escape":       {"entity: \"\\u0061 !\"\n", "entity", "1:9"}, // the text's start
		"no such path": {"thresholds:\n  - name: a !\n", "thresholds[0].expr", "2:5"},
		"no list":      {"thresholds:\n  - name: a !\n", "thresholds[7].expr", "2:3"},
		"the next":     {"thresholds:\n  - name: a !\n", "thresholds[1].expr", "2:3"},
		"third key":    {"prefix: a\nentity: b\ndescription: c !\n", "description", "3:16"},
		"quoted start": {"entity: \"! a\"\n", "entity", "1:10"},
		"no YAML":      {"a: [", "a", "1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			offset := 0
			if d, err := Documents([]byte(c.file)); err == nil && len(d) > 0 {
				n := d[0]
				for _, step := range PathStep.FindAllString(c.path, -1) {
					if n = Child(n, step); n == nil {
						break
					}
				}
				if n != nil {
					offset = strings.IndexByte(Target(n).Value, '!')
				}
			}
			line, column := Of([]byte(c.file), c.path, offset)
			if got := fmt.Sprintf("%d:%d", line, column); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestPositionAt is where an expression that ends too early is continued, and
// where a space is.
func TestPositionAt(t *testing.T) {
	for _, c := range []struct {
		file   string
		offset int
		want   string
	}{{"entity: sum(\nprefix: x\n", 4, "1:13"}, {"entity: 'sum('\n", 4, "1:14"}, {"entity: |\n  sum(\n", 4, "2:7"}, {"entity: a  b\n", 1, "1:10"}, {"entity: 'a b'\n", 5, "1:9"}} {
		line, column := Of([]byte(c.file), "entity", c.offset)
		if got := fmt.Sprintf("%d:%d", line, column); got != c.want {
			t.Errorf("%q: %s, want %s", c.file, got, c.want)
		}
	}
}

// TestChildOfADocument: a document's child is that of what is in it.
func TestChildOfADocument(t *testing.T) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte("a: 1\nb: x\n"), &doc); err != nil {
		t.Fatal(err)
	}
	if n := Child(&doc, "b"); n == nil || n.Value != "x" {
		t.Errorf("%+v", n)
	}
}

func FuzzPosition(f *testing.F) {
	f.Add("entity: 'a ''b'' !'\n", "entity", 3)
	f.Add("a:\n  - b: |+2\n      x\n", "a[0].b", 2)
	f.Fuzz(func(t *testing.T, file, path string, offset int) {
		if line, column := Of([]byte(file), path, offset); line < 1 || column < 1 {
			t.Errorf("%d:%d", line, column)
		}
	})
}
