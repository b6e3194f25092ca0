// Package result is what checks find, and how that is written: for people, as
// JSON and, for CI systems, as JUnit.
package result

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
)

// Status is how a check ended.
type Status string

// The ways in which a check ends.
const (
	OK      Status = "ok"
	Fail    Status = "FAIL"
	Skipped Status = "skip" // there was nothing to look at
)

// Set is what all checks of a verb found, as -format json prints it.
type Set struct {
	File   string  `json:"file"`
	OK     bool    `json:"ok"`
	Checks []Check `json:"checks"`

	Verb string `json:"-"`
	// Language is that of the texts when they are written; "" is English.
	Language string `json:"-"`
}

// Add adds what a check found. A check with problems failed, whatever its
// status says; one without a status is good.
func (s *Set) Add(c Check) {
	switch {
	case len(c.Problems) > 0:
		c.Status, s.OK = Fail, false
	case c.Status == "":
		c.Status = OK
	}
	s.Checks = append(s.Checks, c)
}

// Check is what one check found.
type Check struct {
	Check string `json:"check"`
	// Subject is what was looked at, if that says more than the check's name.
	Subject string `json:"subject"`
	Status  Status `json:"status"`
	// Detail says what was looked at and found good, or why nothing was.
	Detail string `json:"detail,omitempty"`
	// Notes are worth knowing, and no problem.
	Notes    []string  `json:"notes,omitempty"`
	Problems []Problem `json:"problems,omitempty"`

	// About says what the check holds.
	About string `json:"-"`
}

// Problem is one thing that is wrong.
type Problem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
	// Fix says what to do, where the message does not.
	Fix string `json:"fix,omitempty"`
}

// String is the problem in one line.
func (p Problem) String() string {
	var b strings.Builder
	switch {
	case p.Line > 0:
		fmt.Fprintf(&b, "%s:%d:%d: ", p.File, p.Line, max(1, p.Column))
	case p.File != "":
		b.WriteString(p.File + ": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	return b.String() + p.Message
}

// Fail adds a problem, and returns it for its place and its fix.
func (c *Check) Fail(format string, args ...any) *Problem {
	c.Problems = append(c.Problems, Problem{Message: fmt.Sprintf(format, args...)})
	return &c.Problems[len(c.Problems)-1]
}

// Note adds what is worth knowing, and no problem.
func (c *Check) Note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

// Skip is the result of a check that had nothing to look at.
func Skip(format string, args ...any) Check {
	return Check{Status: Skipped, Detail: fmt.Sprintf(format, args...)}
}

// Format declares the option that says how results are written.
func Format(cmd *cobra.Command) *string {
	return cli.Choice(cmd, "format", "text, json, or junit for CI systems", "text", "json", "junit")
}

// Write writes the results in a format, and returns cli.ErrProblems if there
// are any.
func (s *Set) Write(w io.Writer, format string) error {
	s.translate()
	switch format {
	case "json":
		cli.JSON(w, s)
	case "junit":
		s.writeJUnit(w)
	default:
		s.writeText(w)
	}
	if !s.OK {
		return cli.ErrProblems
	}
	return nil
}

// translate puts the texts into the set's language.
func (s *Set) translate() {
	say := func(text *string) { *text = cli.Say(s.Language, *text) }
	for i := range s.Checks {
		c := &s.Checks[i]
		say(&c.Detail)
		say(&c.About)
		for j := range c.Notes {
			say(&c.Notes[j])
		}
		for j := range c.Problems {
			say(&c.Problems[j].Message)
			say(&c.Problems[j].Fix)
		}
	}
}

// maxProblems is how many problems of one check are printed for people.
const maxProblems = 20

// writeText writes for people: a line for each check, and one for what to do.
func (s *Set) writeText(w io.Writer) {
	cli.Table(w, func(w io.Writer) {
		for _, c := range s.Checks {
			c.writeText(w, s.Language)
		}
	})
}

func (c Check) writeText(w io.Writer, language string) {
	if c.Status != Fail {
		fmt.Fprintf(w, "%s\t%s\t%s\n", plain(c.Subject), c.Status, plain(c.Detail))
	}
	for i, p := range c.Problems {
		if i == maxProblems {
			fmt.Fprintf(w, "\t\t%s\n", cli.Say(language, fmt.Sprintf("and %d more; -format json has them all", len(c.Problems)-i)))
			break
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", plain(c.Subject), c.Status, plain(p.String()))
		// What to do is said once for those that need the same.
		if next := i + 1; p.Fix != "" && (next == len(c.Problems) || next == maxProblems || c.Problems[next].Fix != p.Fix) {
			fmt.Fprintf(w, "\t\t%s\n", plain(p.Fix))
		}
	}
	for _, note := range c.Notes {
		fmt.Fprintf(w, "\t\t%s\n", plain(note))
	}
}

// plain keeps a text on its line and in its column: label values of a running
// service may have any letter in them.
func plain(s string) string {
	return cli.Safe(strings.NewReplacer("\n", " ", "\t", " ").Replace(s))
}

// The elements of JUnit's report, as CI systems read it.
type (
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		File    string        `xml:"file,attr,omitempty"`
		Failure *junitFailure `xml:"failure"`
		Skipped *junitSkipped `xml:"skipped"`
		Output  string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	junitSkipped struct {
		Message string `xml:"message,attr"`
	}
)

// writeJUnit writes the same for CI systems: a test case for each check.
func (s *Set) writeJUnit(w io.Writer) {
	suite := junitSuite{Name: "latido " + s.Verb + " " + s.File, Tests: len(s.Checks)}
	for _, f := range s.Checks {
		c := junitCase{Class: "latido." + s.Verb, Name: f.Check + ": " + f.About, Output: strings.TrimPrefix(strings.Join(append([]string{f.Detail}, f.Notes...), "\n"), "\n")}
		switch f.Status {
		case Skipped:
			suite.Skipped++
			c.Skipped = &junitSkipped{f.Detail}
		case Fail:
			suite.Failures++
			lines := make([]string, 0, len(f.Problems))
			for _, p := range f.Problems {
				lines = append(lines, strings.TrimSuffix(p.String()+"\n  "+p.Fix, "\n  "))
			}
			c.File = f.Problems[0].File
			c.Failure = &junitFailure{f.Problems[0].Message, strings.Join(lines, "\n")}
		}
		suite.Cases = append(suite.Cases, c)
	}
	_, _ = io.WriteString(w, xml.Header)
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	_ = encoder.Encode(suite) // cli.Run tells
	_, _ = io.WriteString(w, "\n")
}
