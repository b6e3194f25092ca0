package latidoecho

import (
	"cmp"
	"strings"

	"github.com/latido-dev/latido/domain"
)

// endpoint is a pattern of echo's in the form of net/http's: :id is {id}, an
// escaped \: is a colon, and * is {path...}. The empty pattern is
// domain.Unmatched.
func endpoint(pattern string) string {
	if pattern == "" {
		return domain.Unmatched
	}
	var b strings.Builder
	for rest := pattern; rest != ""; {
		switch {
		case strings.HasPrefix(rest, `\:`):
			b.WriteByte(':')
			rest = rest[2:]
		case rest[0] == ':':
			end := nameEnd(rest)
			b.WriteString("{" + rest[1:end] + "}")
			rest = rest[end:]
		case rest[0] == '*':
			b.WriteString("{path...}")
			return b.String()
		default:
			end := cmp.Or(strings.IndexAny(rest[1:], `\:*`)+1, len(rest))
			b.WriteString(rest[:end])
			rest = rest[end:]
		}
	}
	return b.String()
}

// nameEnd is where the parameter at the start of rest ends: at a slash, or at
// the escaped colon of an inline verb (/:id\:cancel).
func nameEnd(rest string) int {
	end := len(rest)
	for _, stop := range []string{"/", `\:`} {
		if i := strings.Index(rest, stop); i >= 0 {
			end = min(end, i)
		}
	}
	return end
}
