package main

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// safe writes a text of a service's for a terminal, on one line: what would
// move the cursor, change colours or turn the direction of writing is shown as
// Go writes it in a string, \x1b.
func safe(text string) string {
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
