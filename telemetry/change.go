package telemetry

import (
	"log/slog"

	"github.com/latido-dev/latido/domain"
)

// maxChanges is how many settings count by name.
const maxChanges = 100

// Changed says that a setting changed while the service runs: a value of its
// configuration, a feature flag. It counts the change under name, so that the
// evidence of an alert can name what changed before it, and logs one line with
// both values, cut at 256 bytes: no secret belongs there.
//
// Where from and to are the same, nothing is counted, and the series of name
// exists at 0 from then on: called once with the value that the service starts
// with, increase() in Prometheus sees the first change too. Settings after the
// first 100, and one without a name, count as domain.Other. It is safe for
// concurrent use, and does nothing on a Telemetry that records nothing.
func (t *Telemetry) Changed(name, from, to string) {
	if !t.recording() {
		return
	}
	name = cleanValue(name) // two that a label cannot tell apart are one
	if from != to {
		t.diagnostics.log.Info("a setting changed", "change", name, "from", cleanValue(from), "to", cleanValue(to))
	}
	if name == "" || t.changes.find(name) == nil && len(t.changes.all()) >= maxChanges { // one more, where two meet, does no harm
		t.diagnostics.refused(refusedValue).Add(1)
		t.diagnostics.once("changes", func(log *slog.Logger) {
			log.Warn("too many settings change, or one has no name: they count as "+domain.Other, "limit", maxChanges, "change", name)
		})
		name = domain.Other
	}
	c := t.changes.get(name, func() *labelSet { return newLabels([]string{"change"}, []string{name}) })
	if from != to {
		c.n.Add(1)
	}
}
