package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/latido-dev/latido/internal/humanize"
)

// IsTerminal tells whether somebody is at the other end of a reader or writer.
func IsTerminal(end any) bool {
	f, ok := end.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colours tells whether the results are painted: on a terminal that has
// colours, unless NO_COLOR says otherwise (https://no-color.org).
func colours(w io.Writer) bool {
	return IsTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// outcome is the word in the second column of a line that says how it went.
var outcome = regexp.MustCompile(`(?m)^(\S.*?  )(ok|FAIL|skip|left|written|removed)(  |$)`)

var colour = map[string]string{"ok": "32", "written": "32", "FAIL": "1;31", "skip": "33", "left": "33", "removed": "33"}

func paint(text []byte) []byte {
	return outcome.ReplaceAllFunc(text, func(found []byte) []byte {
		m := outcome.FindSubmatch(found)
		return fmt.Appendf(nil, "%s\x1b[%sm%s\x1b[0m%s", m[1], colour[string(m[2])], m[2], m[3])
	})
}

// Safe writes a text of a service's for a terminal, on one line: what would
// move the cursor, change colours or turn the direction of writing is shown as
// Go writes it in a string, \x1b.
func Safe(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(text[i])|0x100, 16)[1:])
		case strconv.IsGraphic(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		i += size
	}
	return b.String()
}

// JSON writes a value for programs. An error of w is told by Run.
func JSON(w io.Writer, value any) {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(value)
}

// Table writes rows whose cells end in tabs in columns, all at once.
func Table(w io.Writer, rows func(w io.Writer)) {
	var b bytes.Buffer
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	rows(table)
	_ = table.Flush()         // a Buffer's writes do not fail
	_, _ = w.Write(b.Bytes()) // Run tells
}

// Count is a number of things: "1 event", "2 events".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Few names some of a list.
func Few(names []string) string {
	if len(names) > 5 {
		return strings.Join(names[:5], ", ") + fmt.Sprintf(" and %d more", len(names)-5)
	}
	return strings.Join(names, ", ")
}

// Because puts a reason, if there is one, at the end of a sentence.
func Because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// Figure writes a number with three digits that matter.
func Figure(v float64) string { return humanize.Language{}.Number(v) }

// Spell is a length of time in words.
func Spell(d time.Duration) string {
	round := func(n float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", n), ".0") }
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", math.Round(d.Minutes()))
	case d < 48*time.Hour:
		return round(d.Hours()) + " h"
	}
	return round(d.Hours()/24) + " days"
}
