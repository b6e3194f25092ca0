package spanish

import (
	"regexp"
	"strings"
	"text/tabwriter"
)

// table is some rows, one after the other, in Spanish.
type table struct {
	was, said strings.Builder // as they were, and with a tab between columns
	changed   bool            // a column that is not the last: all are laid out anew
}

var (
	// row is a line of a table: it is indented, and its columns are two spaces
	// apart at least.
	row     = regexp.MustCompile(`^ +\S+(?: \S+)*  +\S`)
	columns = regexp.MustCompile(`  +`)
)

// take adds a row, if a line is one: it has a message in a column after the
// first one, which has names and figures, or it is no message as a whole.
func (t *table) take(l string) bool {
	body := strings.TrimSuffix(l, "\n")
	if !row.MatchString(body) {
		return false
	}
	text := strings.TrimLeft(body, " ")
	indent, end := body[:len(body)-len(text)], l[len(body):]
	cells, message := columns.Split(text, -1), false
	last := len(cells) - 1
	for i := 1; i <= last; i++ {
		if s, ok := phrase(cells[i]); ok {
			t.changed = t.changed || i < last && s != cells[i]
			cells[i], message = s, true
		}
	}
	if !message && line(body) != body {
		return false
	}
	for i, c := range cells {
		cells[i] = figures(c)
	}
	before := columns.FindAllStringIndex(body, -1)
	t.was.WriteString(figures(body[:before[len(before)-1][1]]) + cells[last] + end)
	t.said.WriteString(indent + strings.Join(cells, "\t") + end)
	return true
}

func (t *table) String() string {
	if !t.changed {
		return t.was.String()
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = w.Write([]byte(t.said.String())) // into memory
	_ = w.Flush()
	return b.String()
}
