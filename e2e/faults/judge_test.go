package faults

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// verdict is what a sentence is worth.
type verdict string

const (
	right      verdict = "right"
	rightPlace verdict = "right place"
	wrong      verdict = "wrong"
	noAlert    verdict = "no alert"
)

// truth is what a sentence has to name. Each is a regular expression, in which
// upper and lower case are the same.
type truth struct {
	thing []string // all of them: what is wrong
	place []string // one of them: where
	not   []string // none of them: a distractor, blamed
}

func (tr truth) judge(sentence string) verdict {
	found := func(pattern string) bool { return regexp.MustCompile("(?i)" + pattern).MatchString(sentence) }
	for _, p := range tr.not {
		if found(p) {
			return wrong
		}
	}
	place := len(tr.place) == 0
	for _, p := range tr.place {
		place = place || found(p)
	}
	thing := sentence != ""
	for _, p := range tr.thing {
		thing = thing && found(p)
	}
	switch {
	case place && thing:
		return right
	case place && len(tr.place) > 0:
		return rightPlace
	}
	return wrong
}

func TestJudge(t *testing.T) {
	tr := truth{thing: []string{"slow|latency"}, place: []string{`rates\.go`, `rates\.internal`}, not: []string{"^version"}}
	for sentence, want := range map[string]verdict{
		"rates.internal is slow":                   right,
		"Slow: Rates.ask (rates.go:12)":            right,
		"rates.internal fails":                     rightPlace,
		"geo.internal is slow":                     wrong,
		"Version 2 was deployed; rates.go is slow": wrong,
		"": wrong,
	} {
		if got := tr.judge(sentence); got != want {
			t.Errorf("%q is %s, want %s", sentence, got, want)
		}
	}
}

// own is the package of the service's functions.
const own = "github.com/latido-dev/latido/e2e/faults/parcel."

// hottest is the rule of thumb: the function of the service with the most CPU
// time below it that no other of its functions has, as a sentence.
func hottest(data []byte) (string, error) {
	p, err := profile.ParseData(data)
	if err != nil {
		return "", err
	}
	type spot struct{ function, file string }
	sums, total, lines := map[spot]int64{}, int64(0), map[spot]int64{}
	value := len(p.SampleType) - 1
	for _, s := range p.Sample {
		total += s.Value[value]
	stack:
		for _, l := range s.Location { // the leaf first
			for _, line := range l.Line {
				if line.Function != nil && strings.HasPrefix(line.Function.Name, own) {
					at := spot{line.Function.Name, path.Base(line.Function.Filename)}
					sums[at] += s.Value[value]
					lines[at] = line.Line
					break stack
				}
			}
		}
	}
	best := spot{}
	for at, n := range sums {
		if best == (spot{}) || n > sums[best] || n == sums[best] && at.function < best.function {
			best = at
		}
	}
	if total == 0 || best == (spot{}) {
		return "", nil
	}
	return fmt.Sprintf("%s (%s:%d) has %d %% of the CPU time", path.Base(best.function), best.file, lines[best], 100*sums[best]/total), nil
}
