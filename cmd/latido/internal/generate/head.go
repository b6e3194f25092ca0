package generate

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// head is how a file begins that latido generate wrote.
type head struct {
	what   string // it was asked for, such as "rules"
	prefix string // of the domain
	from   string // the domain file, as seen from the file's folder; "" if that is not said
}

// What a file begins with: the third group is the domain file. A dashboard,
// which has no comments, says it in its description, and its domain in its tags.
var (
	headLine = regexp.MustCompile(`\A(?:# Written|<!-- Written|\{\{/\* Written|// Code generated) by "latido generate ([a-z-]+)" from the domain file of ([a-z0-9_]+)((?:, [^\r\n]+?)?)(?:\.|; DO NOT EDIT\.)\r?\n`)
	headJSON = regexp.MustCompile(`\A\{\s*"uid": "[^\n]*",\s*"title": "[^\n]*",\s*"description": "[^\n]* latido generate (dashboards)((?:, [^\n]+?)?)\.",\s*"tags": \[\s*"latido",\s*"([a-z0-9_]+)"`)
)

// headSize is more than any head has.
const headSize = 4 << 10

// writable are the paths that a head may have: nothing ends a comment or a
// string of JSON.
var writable = regexp.MustCompile(`\A[\p{L}\p{N}._/ @+~-]+\z`)

// headOf reads how a file begins, and where in it the domain file is named.
func headOf(content []byte) (h head, from [2]int, ok bool) {
	content = content[:min(len(content), headSize)]
	what, prefix, file := 1, 2, 3
	m := headLine.FindSubmatchIndex(content)
	if m == nil {
		m = headJSON.FindSubmatchIndex(content)
		prefix, file = 3, 2
	}
	if m == nil {
		return head{}, from, false
	}
	text := func(group int) string { return string(content[m[2*group]:m[2*group+1]]) }
	h = head{what: text(what), prefix: text(prefix)}
	if h.from = text(file); h.from != "" {
		h.from = h.from[len(", "):]
	}
	return h, [2]int{m[2*file], m[2*file+1]}, true
}

// signed adds to each file's head which domain file it comes from, so that a
// domain that was renamed knows its files, and another one does not take them
// for its own.
func (g Generation) signed(targets []File) []File {
	for i, t := range targets {
		below, err := filepath.Rel(filepath.Dir(g.File), t.Path)
		if g.out != "" && filepath.IsAbs(t.Path) && (err != nil || !filepath.IsLocal(below)) {
			continue // how the two lie to each other differs from machine to machine
		}
		from, err := filepath.Rel(filepath.Dir(t.Path), g.File)
		if from = filepath.ToSlash(from); err == nil && writable.MatchString(from) {
			targets[i].Content = withSource(t.Content, ", "+from)
		}
	}
	return targets
}

// withSource is a file whose head names this domain file; "" for none.
func withSource(content []byte, from string) []byte {
	_, at, ok := headOf(content)
	if !ok {
		return content
	}
	return slices.Concat(content[:at[0]], []byte(from), content[at[1]:])
}

// ours tells whether a file with this head comes from the domain file, under
// the present prefix or an earlier one.
func (g Generation) ours(path string, h head) bool {
	if h.from != "" {
		source, err := os.Stat(filepath.Join(filepath.Dir(path), filepath.FromSlash(h.from)))
		if mine, errMine := os.Stat(g.File); err == nil && errMine == nil {
			return os.SameFile(source, mine)
		}
	}
	return h.prefix == g.Domain.Prefix
}

// stranger says why a file that is there is not to be written over; "" if it may
// be. An empty file has no head: somebody keeps it, or has lost what was in it.
func (g Generation) stranger(t File, got []byte) string {
	h, _, ok := headOf(got)
	switch {
	case !ok:
		return fmt.Sprintf("is there, and latido generate did not write it: left as it is; give yours another name, or write over it with: %s -force", t.again)
	case !g.ours(t.Path, h):
		from := ""
		if h.from != "" {
			from = filepath.Join(filepath.Dir(t.Path), filepath.FromSlash(h.from)) + ", "
		}
		return fmt.Sprintf("is written from %sthe domain file of %s: left as it is; give %s a folder of its own with -dir, or write over it with: %s -force",
			from, h.prefix, g.Domain.Prefix, t.again)
	}
	return ""
}
