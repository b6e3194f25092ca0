package doctor

import (
	"fmt"
	"maps"
	"slices"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/labelmatch"
	"github.com/latido-dev/latido/internal/promname"
	"github.com/latido-dev/latido/internal/spelling"
)

// openLabels have values that only the service knows: the domain file's are
// compared with a list when it is read.
var openLabels = []string{"endpoint", "function", "peer", "pool"}

// filters tells of each filter that keeps none of the service's series. It may
// be that nothing of the kind has happened yet: only a person can know.
func (x *examination) filters(c *result.Check) {
	look := func(whose string, m domain.Metric, where map[string]string) {
		for _, name := range slices.Sorted(maps.Keys(where)) {
			label := promname.Label(name)
			filter, err := labelmatch.Parse(where[name])
			if err != nil || !slices.Contains(openLabels, label) {
				continue
			}
			var values []string
			for _, one := range x.families[m.Family].GetMetric() {
				values = append(values, labelsOf(one)[label])
			}
			if len(values) == 0 || slices.ContainsFunc(values, filter.Keeps()) {
				continue
			}
			near := ""
			if nearest := spelling.Nearest(filter.Value, values); nearest != "" {
				near = fmt.Sprintf(" (there is %s)", cli.Safe(nearest))
			}
			c.Note("%s is silent until a series of %s has %s %s%s", whose, m.Family, label, filter.Op+filter.Value, near)
		}
	}
	for _, t := range x.d.Thresholds {
		if m, ok := x.d.Metric(t.Metric); ok {
			look(t.Name, m, t.Where)
		}
	}
	for _, s := range x.d.SLOs {
		key := "requests"
		if s.Good.FasterThan > 0 {
			key = "response_duration"
		}
		if m, ok := x.d.Metric(key); ok && s.Good.Event == "" {
			look(s.Name, m, s.Where)
		}
	}
}
