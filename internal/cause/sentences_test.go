package cause_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/testkit"
)

var allFaults = map[string][]fault{
	"computes": computesFaults, "collector": collectorFaults, "lock": lockFaults, "dependency": dependencyFaults, "exhausted": exhaustedFaults,
	"descriptors": descriptorFaults, "backlog": backlogFaults, "limits": limitFaults, "loses": lossFaults,
	"leaks": leaksFaults, "starved": starvedFaults, "failing": failingFaults, "value": valueFaults, "traffic": trafficFaults, "shared": sharedFaults, "disk": diskFaults, "blocked": blockedFaults, "steady": steadyFaults,
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
