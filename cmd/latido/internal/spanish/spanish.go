// Package spanish has what the command says in Spanish. The key of a message is
// its format in English, as it stands in the code: no call has two texts. What
// others say, such as PromQL's parser and Alertmanager, stays in English.
package spanish

import (
	_ "embed" // for the catalog
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

//go:embed es.txt
var catalog string

// message is one entry of the catalog.
type message struct {
	english, spanish string
	pattern          *regexp.Regexp
	verbs            string // of the arguments, in the order of the English text
	letters          int    // of the English text, beside its arguments
	literal          string // the longest part of the English text between arguments: without it nothing matches
	twice            bool   // the last two arguments are texts, with nothing between them
}

// weak is the number of letters below which a format matches too much: it counts
// only where an argument is a message, too.
const weak = 4

// longest is how long an argument may be, in bytes, to be looked at as a message.
// What is longer is an expression or another text of the user's, and stays.
const longest = 400

// verb is one of a format. The comma, in Spanish texts alone, says that its text
// is a figure.
var verb = regexp.MustCompile(`%(?:(,)|\[(\d+)\]|\.\d)*([a-zA-Z%])`)

// figure is a number with its unit after a space, as people read it: 1.5 s. A
// quantity of a domain file or a command has no space, 1.5s, and stays.
var figure = regexp.MustCompile(`(^|[^\w.,:-])(-?\d+)\.(\d+ (?:[KMGT]i?B|B|µs|ms|s|min|h|días|núcleos|%)(?:\W|$))`)

// arguments are what each verb may have written. Text has no end of its own.
var arguments = map[string]string{
	"f": `(-?\d+(?:\.\d+)?)`, "q": `("(?:[^"\\]|\\.)*")`, "d": `(-?\d+)`, "g": `([-+]?(?:[0-9.]+(?:e[-+]?\d+)?|Inf)|NaN)`, "U": `(U\+[0-9A-F]+)`,
	"s": `(.*?)`, "v": `(.*?)`, "w": `(.*?)`,
}

// messages are all entries, those with the most text of their own first.
var messages = sync.OnceValue(func() (all []message) {
	var english string
	for line := range strings.Lines(catalog) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case english == "":
			english = line
		default:
			all = append(all, newMessage(english, line))
			english = ""
		}
	}
	slices.SortStableFunc(all, func(a, b message) int { return b.letters - a.letters })
	return all
})

func newMessage(english, spanish string) message {
	m := message{english: english, spanish: spanish}
	pattern, rest := `(?s)\A`, english
	for rest != "" {
		at := verb.FindStringSubmatchIndex(rest)
		literal := rest
		if at != nil {
			literal = rest[:at[0]]
		}
		pattern += regexp.QuoteMeta(literal)
		if len(literal) > len(m.literal) {
			m.literal = literal
		}
		for _, r := range literal {
			if unicode.IsLetter(r) {
				m.letters++
			}
		}
		if at == nil {
			break
		}
		if what := rest[at[6]:at[7]]; what == "%" {
			pattern += "%"
		} else {
			if at[0] == 0 && strings.HasSuffix(m.verbs, "s") && what == "s" { // nothing between two texts: see split
				m.twice = true
			} else {
				pattern += arguments[what]
			}
			m.verbs += what
		}
		rest = rest[at[1]:]
	}
	m.pattern = regexp.MustCompile(pattern + `\z`)
	return m
}

// Of writes a text of the command in Spanish, line by line. A line that is not
// in the catalog stays as it is, but for the comma of its figures.
func Of(text string) string {
	var b strings.Builder
	var t table
	for l := range strings.Lines(text) {
		if t.take(l) {
			continue
		}
		b.WriteString(t.String())
		t = table{}
		body := strings.TrimSuffix(l, "\n")
		b.WriteString(figures(line(body)) + l[len(body):])
	}
	return b.String() + t.String()
}

func figures(text string) string { return figure.ReplaceAllString(text, "$1$2,$3") }

// around is what may stand before and after a message on its line: space and
// the mark of a comment or of an item; figures of a report; the usual answer of a
// question; a file and how it went; a place, and the path of a field; an option
// with its value.
var around = []*regexp.Regexp{
	regexp.MustCompile(`^(\s+(?:[#-] )?)(.+)()$`),
	regexp.MustCompile(`^(\s+\d+ %\s+\d\S* \S+  )(.+)()$`),
	regexp.MustCompile(`^()(.+?)( \[[^\]]*\]: | \(y/N\): )$`),
	regexp.MustCompile(`^((?:ok|FAIL|note)\s+)(.+)()$`),
	regexp.MustCompile(`^((?:added|changed|renamed|removed)\s+(?:event|label|value|rule|objective|receiver|[a-z]+) )(.+)()$`),
	regexp.MustCompile(`^(\S.*?  (?:ok|written|left|FAIL|skip|removed)\s+)(.+)()$`),
	regexp.MustCompile(`^(\S+?:\d+(?::\d+)?: )(.+)()$`),
	regexp.MustCompile(`^(-[\w-]+ "(?:[^"\\]|\\.)*": )(.+)()$`),
	regexp.MustCompile(`^([\w.\[\]"-]+: )(.+)()$`),
}

func line(text string) string {
	if !strings.HasPrefix(text, " ") { // what begins with space is a part of a message
		if s, ok := phrase(text); ok {
			return s
		}
	}
	for _, a := range around {
		if m := a.FindStringSubmatch(text); m != nil {
			if s := line(m[2]); s != m[2] {
				return m[1] + s + strings.Replace(m[3], "(y/N)", "(s/N)", 1)
			}
		}
	}
	return text
}

// phrase writes a message, or a part of one, in Spanish. Of several that it may
// be, the one with the most text of its own counts, and of those the one with the
// most arguments that are messages too.
func phrase(text string) (string, bool) {
	best, most, letters := "", -1, 0
	for _, m := range messages() {
		if most >= 0 && m.letters < letters {
			break
		}
		if !strings.Contains(text, m.literal) {
			continue
		}
		found := m.pattern.FindStringSubmatch(text)
		if found == nil {
			continue
		}
		args := found[1:]
		if m.twice {
			args = split(args)
		}
		said, texts := 0, 0
		for i, a := range args {
			if strings.ContainsRune("svw", rune(m.verbs[i])) {
				texts++
				if len(a) > longest {
					continue
				}
				if s, ok := phrase(a); ok {
					args[i], said = s, said+1
				}
			}
		}
		if m.letters == 0 && said < len(args) || m.letters < weak && texts > 0 && said == 0 {
			continue
		}
		if said > most {
			best, most, letters = m.fill(args), said, m.letters
		}
	}
	return best, most >= 0
}

// split makes two of the last argument: a text, and what is added to it, which is
// a message or nothing.
func split(args []string) []string {
	last := len(args) - 1
	whole := args[last]
	args = append(args[:last:last], whole, "")
	for i := max(1, len(whole)-longest); i < len(whole); i++ {
		if whole[i] != ' ' && whole[i] != ':' && whole[i] != ',' {
			continue
		}
		if _, ok := phrase(whole[i:]); ok {
			args[last], args[last+1] = whole[:i], whole[i:]
			break
		}
	}
	return args
}

// fill puts the arguments into the Spanish text.
func (m message) fill(args []string) string {
	next := 0
	return verb.ReplaceAllStringFunc(m.spanish, func(v string) string {
		parts := verb.FindStringSubmatch(v)
		if parts[3] == "%" {
			return "%"
		}
		if parts[2] != "" {
			next, _ = strconv.Atoi(parts[2])
			next--
		}
		next++
		if parts[1] != "" || parts[3] == "f" {
			return strings.Replace(args[next-1], ".", ",", 1)
		}
		return args[next-1]
	})
}
