package cause_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/stacks"
	"github.com/latido-dev/latido/internal/testkit"
)

var allFaults = map[string][]fault{
	"computes": computesFaults, "collector": collectorFaults, "lock": lockFaults, "dependency": dependencyFaults, "exhausted": exhaustedFaults,
	"descriptors": descriptorFaults, "backlog": backlogFaults, "limits": limitFaults, "loses": lossFaults,
	"leaks": leaksFaults, "starved": starvedFaults, "failing": failingFaults, "value": valueFaults, "traffic": trafficFaults, "shared": sharedFaults, "disk": diskFaults, "blocked": blockedFaults, "steady": steadyFaults,
}

// eachFault tries something of every fault.
func eachFault(t *testing.T, try func(t *testing.T, f fault)) {
	for name, faults := range allFaults {
		for _, f := range faults {
			t.Run(name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				try(t, f)
			})
		}
	}
}

// TestScores: all that is found of every fault and how much of it each finding
// explains: in the normal and the fast pace, where a drill asks, where profiles know no
// endpoints, with more traffic and with less, where nothing was profiled before, and
// beside what is harmless; and what is told first in some. A change of a weight is seen here, with all that it does.
func TestScores(t *testing.T) {
	t.Parallel()
	var rows []*string
	var all sync.WaitGroup
	for _, name := range slices.Sorted(maps.Keys(allFaults)) {
		for _, f := range allFaults[name] {
			row := new("# " + name + ": " + f.name + "\n")
			rows = append(rows, row)
			all.Go(func() {
				for _, way := range []string{"normal", "fast", "drill", "nameless", "busy", "quiet", "deaf", "beside"} {
					s := newService(t, "en", slices.Contains([]string{"fast", "quiet", "deaf", "beside"}, way))
					s.nameless = way == "nameless"
					f.tell(s)
					s.alert.Drill = s.alert.Drill || way == "drill"
					switch way {
					case "busy":
						s.traffic(2)
					case "quiet":
						s.traffic(0.6)
					case "deaf":
						s.deaf = true
					case "beside":
						beside(s)
					}
					var found []string
					for i, f := range cause.Explain(s.input()).Findings {
						of := cmp.Or(stacks.Short(f.Function), f.Peer, f.Endpoint, "-")
						found = append(found, fmt.Sprintf("%.2f %s %s", f.Score, f.Kind, of))
						if i == 0 && (way == "busy" || way == "quiet" || way == "deaf") {
							found[0] += " (" + f.Sentence + ")"
						}
					}
					*row += fmt.Sprintf("%-9s%s\n", way, cmp.Or(strings.Join(found, ", "), "nothing"))
				}
			})
		}
	}
	all.Wait()
	var text strings.Builder
	for _, row := range rows {
		text.WriteString(*row)
	}
	testkit.Golden(t, "testdata/scores.txt", []byte(text.String()))
}

// TestSentences: what is told first of every fault, in both languages, to be read.
func TestSentences(t *testing.T) {
	for _, language := range []string{"en", "es"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			var text strings.Builder
			for _, name := range []string{"computes", "collector", "lock", "dependency", "exhausted", "leaks", "starved", "failing", "shared", "value", "traffic", "backlog", "disk", "descriptors", "limits", "blocked", "loses", "steady"} {
				for _, f := range allFaults[name] {
					s := newService(t, language, false)
					f.tell(s)
					r := cause.Explain(s.input())
					fmt.Fprintf(&text, "# %s: %s\n", name, f.name)
					if len(r.Findings) == 0 {
						fmt.Fprintf(&text, "%s\n\n", r.None)
						continue
					}
					first := r.Findings[0]
					fmt.Fprintf(&text, "%s\n%s\n", first.Sentence, first.Next)
					for _, line := range first.Rests {
						fmt.Fprintf(&text, "  %s\n", line)
					}
					text.WriteByte('\n')
				}
			}
			testkit.Golden(t, "testdata/sentences."+language+".txt", []byte(text.String()))
		})
	}
}
