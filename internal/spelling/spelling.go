// Package spelling compares names as people mistype them, and makes names of any text.
package spelling

import (
	"regexp"
	"strings"
	"unicode"
)

// Nearest returns the candidate most like name, or "" when none is near
// enough to be what was meant. Case, accents and the choice of separator
// count for nothing. When no candidate is a slip of the hand away, a name
// that contains a candidate, or is the only part of one, counts as near, and a
// part that it begins with before any other: requests_total is requests, and
// cpu is cpu_usage, not event_cpu.
func Nearest(name string, candidates []string) string {
	// A name far longer than any candidate is no slip of the hand, and the
	// distance takes quadratic time.
	if name == "" || len(name) > 200 {
		return ""
	}
	folded := Separated(name)
	candidates = candidates[:min(len(candidates), 1000)] // more than that nobody typed by hand
	best, least := "", 0
	for _, c := range candidates {
		other := Separated(c)
		far := max(1, min(len(folded), len(other))/3)
		if gap := len(folded) - len(other); gap > far || -gap > far {
			continue
		}
		if d := distance(folded, other); d <= far && (best == "" || d < least) {
			best, least = c, d
		}
	}
	if best != "" {
		return best
	}
	contained, containing, several := "", "", false
	for _, c := range candidates {
		switch part := Separated(c); {
		case hasPart(folded, part) && len(c) > len(contained):
			contained = c
		case hasPart(part, folded):
			begins, began := strings.HasPrefix(part, folded), strings.HasPrefix(Separated(containing), folded)
			switch {
			case containing == "" || begins && !began:
				containing, several = c, false
			case begins == began:
				several = true
			}
		}
	}
	if contained == "" && !several {
		return containing
	}
	return contained
}

// snake is a name that is folded already.
var snake = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// Separated folds a name and gives all its separators the same form.
func Separated(name string) string {
	if snake.MatchString(name) { // most are, and folding is slow
		return name
	}
	return strings.Trim(squeeze(Fold(name)), "_")
}

// hasPart reports whether part stands in name between separators.
func hasPart(name, part string) bool {
	return len(part) >= 3 && strings.Contains("_"+name+"_", "_"+part+"_")
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour to make b of a.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, row, next := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		next[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(y)]
}

// accents are the Latin letters of Europe's languages that are not in ASCII,
// by the ASCII letters that one types in their stead.
var accents = map[string]string{
	"a": "áàâäãåāăą", "ae": "æ", "c": "çćčĉċ", "d": "ďđð", "e": "éèêëēėęěĕ", "g": "ğĝġģ", "h": "ĥħ",
	"i": "íìîïīįĩĭı", "j": "ĵ", "k": "ķ", "l": "łľĺļŀ", "n": "ñńňņ", "o": "óòôöõøōőŏ", "oe": "œ", "r": "ŕřŗ",
	"s": "śšşșŝ", "ss": "ß", "t": "ťţțŧ", "th": "þ", "u": "úùûüūůűųũŭ", "w": "ŵ", "y": "ýÿŷ", "z": "źžż",
}

// plain is accents the other way round.
var plain = func() map[rune]string {
	m := make(map[rune]string)
	for ascii, letters := range accents {
		for _, r := range letters {
			m[r] = ascii
		}
	}
	return m
}()

// Fold writes s in lower case and without accents, whether they are part of
// the letter or, as macOS has them in file names, follow it.
func Fold(s string) string {
	var b strings.Builder
	for _, r := range s {
		r = unicode.ToLower(r)
		switch ascii, ok := plain[r]; {
		case ok:
			b.WriteString(ascii)
		case unicode.Is(unicode.Mn, r): // a combining accent
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Words puts an underscore where camel case starts a new word.
func Words(s string) string {
	var b strings.Builder
	before := ' '
	for _, r := range s {
		if unicode.IsUpper(r) && (unicode.IsLower(before) || unicode.IsDigit(before)) {
			b.WriteByte('_')
		}
		b.WriteRune(r)
		before = r
	}
	return b.String()
}

// squeeze replaces each run of anything but a-z and 0-9 by one underscore.
func squeeze(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			gap = true
			continue
		}
		if gap {
			b.WriteByte('_')
			gap = false
		}
		b.WriteRune(r)
	}
	if gap {
		b.WriteByte('_')
	}
	return b.String()
}

// Slug makes of any text the nearest name of at most longest letters that
// starts with one of a-z and goes on with a-z, 0-9 and single underscores.
// It returns "" if nothing is left.
func Slug(text string, longest int) string {
	s := strings.TrimLeft(squeeze(Fold(Words(text))), "_0123456789")
	if len(s) > longest {
		s = s[:longest]
	}
	return strings.TrimRight(s, "_")
}
