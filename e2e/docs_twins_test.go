package e2e

import (
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// twins are the documents that are there in English and in Spanish.
var twins = map[string]string{
	"README.md":           "README.es.md",
	"docs/quickstart.md":  "docs/es/quickstart.md",
	"docs/alerts.md":      "docs/es/alerts.md",
	"docs/incidents.md":   "docs/es/incidents.md",
	"docs/stack.md":       "docs/es/stack.md",
	"docs/routers.md":     "docs/es/routers.md",
	"docs/domain-file.md": "docs/es/domain-file.md",
	"docs/environment.md": "docs/es/environment.md",
	"docs/dashboards.md":  "docs/es/dashboards.md",
	"docs/backtest.md":    "docs/es/backtest.md",
	"docs/doctor.md":      "docs/es/doctor.md",
	"docs/access.md":      "docs/es/access.md",
	"docs/traces.md":      "docs/es/traces.md",
	"docs/scale.md":       "docs/es/scale.md",
}

// TestTwins holds the two languages together: the same headings, the same
// tables, and code that differs in comments and texts only. So what another
// test runs of one document is run of both.
func TestTwins(t *testing.T) {
	t.Parallel()
	for english, spanish := range twins {
		t.Run(english, func(t *testing.T) {
			t.Parallel()
			en, es := outlineOf(t, english), outlineOf(t, spanish)
			for i := range max(len(en.shape), len(es.shape)) {
				if a, b := at(en.shape, i), at(es.shape, i); a != b {
					t.Errorf("heading, row or code %d:\n%s has %q\n%s has %q", i, english, a, spanish, b)
					break
				}
			}
			for name := range en.names {
				if !es.names[name] {
					t.Errorf("%s does not name `%s`", spanish, name)
				}
			}
			for name := range es.names {
				if !en.names[name] {
					t.Errorf("%s does not name `%s`", english, name)
				}
			}
		})
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "nothing more"
}

// outline is what two documents of the same content have in common.
type outline struct {
	shape []string        // headings by level, rows of tables by their cells, and code, in order
	names map[string]bool // what is written as `code` in the text
}

var (
	inlineCode = regexp.MustCompile("`([^`]+)`")
	// prose is what a value of YAML is called whose text people read.
	prose   = regexp.MustCompile(`((?:description|summary|impact|runbook): ).*`)
	comment = regexp.MustCompile(`(^|\s)#.*`)
	// command is the first word of what is typed, and apart says where its
	// explanation begins.
	command = regexp.MustCompile(`^(latido|go|git|make|docker|kubectl|cp|cd|export|curl|promtool|amtool|GOCACHE=\S+|/\S+)( |$)`)
	apart   = regexp.MustCompile(`\s{2,}.*`)
)

func outlineOf(t *testing.T, document string) (o outline) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, document))
	if err != nil {
		t.Fatal(err)
	}
	rest := string(text)
	var running strings.Builder // the text beside all of these
	for rest != "" {
		line, after, _ := strings.Cut(rest, "\n")
		rest = after
		switch {
		case strings.HasPrefix(line, "```"):
			code, after, _ := strings.Cut(rest, "```\n")
			rest = after
			o.shape = append(o.shape, line+"\n"+bare(strings.TrimPrefix(line, "```"), code))
		case strings.HasPrefix(line, "    "):
			if line = apart.ReplaceAllString(strings.TrimSpace(line), ""); !command.MatchString(line) {
				line = "output" // of a program, in its language
			}
			o.shape = append(o.shape, "    "+line)
		case strings.HasPrefix(line, "#"):
			level, _, _ := strings.Cut(line, " ")
			o.shape = append(o.shape, level)
		case strings.HasPrefix(line, "|"):
			o.shape = append(o.shape, strings.Repeat("|", strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")))
			fallthrough
		default:
			running.WriteString(line + " ")
		}
	}
	o.names = map[string]bool{}
	for _, code := range inlineCode.FindAllStringSubmatch(running.String(), -1) {
		o.names[code[1]] = true
	}
	return o
}

// bare is code without what is in a language of people.
func bare(language, code string) string {
	switch language {
	case "go":
		var all []string
		var s scanner.Scanner
		files := token.NewFileSet()
		s.Init(files.AddFile("", files.Base(), len(code)), []byte(code), nil, 0)
		for {
			_, tok, literal := s.Scan()
			if tok == token.EOF {
				return strings.Join(all, " ")
			}
			if literal == "" || literal == "\n" {
				literal = tok.String()
			}
			all = append(all, literal)
		}
	case "yaml", "sh":
		var b strings.Builder
		for line := range strings.Lines(code) {
			line = strings.TrimRight(comment.ReplaceAllString(strings.TrimRight(line, "\n"), ""), " ")
			b.WriteString(prose.ReplaceAllString(line, "$1") + "\n")
		}
		return b.String()
	}
	return code
}
