package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// status is how a check ended.
type status string

const (
	statusOK   status = "ok"
	statusFail status = "FAIL"
	statusSkip status = "skip" // there was nothing to look at
)

// checked is what check or doctor found, as -format json prints it.
type checked struct {
	File   string    `json:"file"`
	OK     bool      `json:"ok"`
	Checks []finding `json:"checks"`

	verb string
}

// finding is what one check found.
type finding struct {
	Check string `json:"check"`
	// Subject is what was looked at, if that says more than the check's name.
	Subject string `json:"subject"`
	Status  status `json:"status"`
	// Detail says what was looked at and found good, or why nothing was.
	Detail string `json:"detail,omitempty"`
	// Notes are worth knowing, and no problem.
	Notes    []string  `json:"notes,omitempty"`
	Problems []problem `json:"problems,omitempty"`

	about string
}

// problem is one thing that is wrong.
type problem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
	// Fix says what to do, where the message does not.
	Fix string `json:"fix,omitempty"`
}

// String is the problem in one line.
func (p problem) String() string {
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

// fail adds a problem.
func (f *finding) fail(format string, args ...any) *problem {
	f.Problems = append(f.Problems, problem{Message: fmt.Sprintf(format, args...)})
	return &f.Problems[len(f.Problems)-1]
}

// skip is the finding of a check that had nothing to look at.
func skip(format string, args ...any) finding {
	return finding{Status: statusSkip, Detail: fmt.Sprintf(format, args...)}
}

// maxProblems is how many problems of one check are printed for people.
const maxProblems = 20

// outputs are the formats of check and doctor.
var outputs = map[string]func(io.Writer, checked){"text": writeText, "json": writeJSON, "junit": writeJUnit}

// writeText writes for people: a line for each check, and one for what to do.
func writeText(w io.Writer, found checked) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range found.Checks {
		if f.Status != statusFail {
			fmt.Fprintf(table, "%s\t%s\t%s\n", f.Subject, f.Status, f.Detail)
		}
		for i, p := range f.Problems {
			if i == maxProblems {
				fmt.Fprintf(table, "\t\tand %d more; -format json has them all\n", len(f.Problems)-i)
				break
			}
			fmt.Fprintf(table, "%s\t%s\t%s\n", f.Subject, f.Status, plain(p.String()))
			// What to do is said once for those that need the same.
			if next := i + 1; p.Fix != "" && (next == len(f.Problems) || next == maxProblems || f.Problems[next].Fix != p.Fix) {
				fmt.Fprintf(table, "\t\t%s\n", plain(p.Fix))
			}
		}
		for _, note := range f.Notes {
			fmt.Fprintf(table, "\t\t%s\n", plain(note))
		}
	}
	_ = table.Flush() // run tells
}

// plain keeps a message on its line and in its column: label values of a
// running service may have any letter in them.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// writeJSON writes the same for programs.
func writeJSON(w io.Writer, found checked) {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(found) // run tells
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
func writeJUnit(w io.Writer, found checked) {
	suite := junitSuite{Name: "latido " + found.verb + " " + found.File, Tests: len(found.Checks)}
	for _, f := range found.Checks {
		c := junitCase{Class: "latido." + found.verb, Name: f.Check + ": " + f.about, Output: strings.Join(append([]string{f.Detail}, f.Notes...), "\n")}
		switch f.Status {
		case statusSkip:
			suite.Skipped++
			c.Skipped = &junitSkipped{f.Detail}
		case statusFail:
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
	_ = encoder.Encode(suite) // run tells
	_, _ = io.WriteString(w, "\n")
}

// list joins what there is.
func list(parts ...string) string { return strings.Join(parts, ", ") }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
