package result

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/internal/testkit"
)

// sets are results of each kind, by name.
func sets() map[string]*Set {
	all := map[string]*Set{}
	add := func(name string, checks ...Check) {
		s := &Set{File: "domain.yaml", OK: true, Verb: "check"}
		for _, c := range checks {
			s.Add(c)
		}
		all[name] = s
	}
	add("good",
		Check{Check: "domain", Subject: "domain.yaml", Detail: "3 events", Notes: []string{"one is seldom", "another is new"}, About: "the file is right"},
		Skip("no %s here", "alerts"))

	places := Check{Check: "rules", Subject: "rules", About: "rules hold"}
	*places.Fail("no %q", "x") = Problem{File: "domain.yaml", Line: 7, Column: 3, Path: "alerts[0]", Message: "no such metric"}
	*places.Fail("") = Problem{File: "domain.yaml", Line: 8, Message: "without a column"}
	*places.Fail("") = Problem{File: "rules.yml", Message: "without a line"}
	*places.Fail("") = Problem{Path: "alerts[2].for", Message: "without a file"}
	places.Fail("%d of them", 2).Fix = "write one"
	places.Note("%d more", 3)
	add("places", places, Skip("not known"), Skip("not known either"), Check{Check: "last", Subject: "last"})

	fixes := Check{Check: "fixes", Subject: "fixes"}
	for i, fix := range []string{"mend the first two", "mend the first two", "mend the third", "", "mend the last"} {
		fixes.Fail("problem %d", i+1).Fix = fix
	}
	add("fixes", fixes)

	for _, n := range []int{maxProblems - 1, maxProblems, maxProblems + 1, maxProblems + 5} {
		many := Check{Check: "many", Subject: "many"}
		for i := range n {
			many.Fail("problem %d", i+1).Fix = "mend all of them"
		}
		add(fmt.Sprintf("%d problems", n), many)
	}

	odd := Check{Check: "odd", Subject: "a\tb"}
	odd.Fail("two\nlines, a\ttab, \x1b[31mred\x1b[0m, \u009b31m, \u202eturned, a \x7f, ~, ñ, 日 and \xff")
	odd.Note("<&\"'>\x1b")
	add("odd letters", odd, Check{Check: "fine", Subject: "fine", Detail: "called \x1b]0;title\a"})
	return all
}

// TestWrite has what is written of each kind in each format.
func TestWrite(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json", "junit"} {
		var b strings.Builder
		all := sets()
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if strings.HasSuffix(name, " problems") && format != "text" { // the others have them all
				continue
			}
			fmt.Fprintf(&b, "# %s\n", name)
			err := all[name].Write(&b, format)
			if name == "good" && err != nil || name != "good" && !errors.Is(err, cli.ErrProblems) {
				t.Errorf("%s as %s: %v", name, format, err)
			}
		}
		testkit.Golden(t, "testdata/"+format+".golden", []byte(b.String()))
	}
}

// TestWriteSpanish has the texts in Spanish, in each place that has one.
func TestWriteSpanish(t *testing.T) {
	t.Parallel()
	const english = "missing: write a name"
	if cli.Say("es", english) == english {
		t.Fatalf("%q has no Spanish any more: choose another message", english)
	}
	c := Check{Check: "a", Subject: "a", Detail: english, Notes: []string{english}, About: english}
	c.Fail("%s", english).Fix = english
	s := &Set{OK: true, Language: "es"}
	s.Add(c)
	for format, times := range map[string]int{"text": 3, "json": 4, "junit": 6} {
		var b strings.Builder
		_ = s.Write(&b, format)
		if got := b.String(); strings.Contains(got, english) || strings.Count(got, cli.Say("es", english)) != times {
			t.Errorf("%s, wanted %d times in Spanish:\n%s", format, times, got)
		}
	}
}
