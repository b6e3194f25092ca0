package telemetry

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
)

// gathererTimeout is how long a scrape waits for those of Config.Gatherers,
// which are read side by side.
const gathererTimeout = 3 * time.Second

// usersGatherer is one of Config.Gatherers. One that panics, hangs or gathers
// what nobody can parse costs its own series only.
type usersGatherer struct {
	prometheus.Gatherer
	guard       *guard
	name        string
	diagnostics *diagnostics
}

func newUsersGatherers(list []prometheus.Gatherer, diagnostics *diagnostics) (all []*usersGatherer) {
	for i, g := range list {
		if g == nil {
			continue
		}
		name := "Config.Gatherers[" + strconv.Itoa(i) + "]"
		u := &usersGatherer{g, newGuard(name, diagnostics), name, diagnostics}
		u.guard.timeout = gathererTimeout
		all = append(all, u)
	}
	return all
}

// gather returns the families that can be served.
func (u *usersGatherer) gather(own names) (families []*dto.MetricFamily) {
	var found atomic.Pointer[[]*dto.MetricFamily]
	u.guard.run(context.Background(), func() error {
		all, err := prometheus.Gatherers{u.Gatherer}.Gather() // which checks every series
		report(u.diagnostics, err)
		all = slices.DeleteFunc(all, func(f *dto.MetricFamily) bool { return !u.servable(f, own) })
		found.Store(&all)
		return nil
	})
	if all := found.Load(); all != nil {
		return *all
	}
	return nil
}

// servable tells whether a family can be parsed, and has a name of its own.
func (u *usersGatherer) servable(f *dto.MetricFamily, own names) bool {
	if taken := own.taken(f.GetName(), f.GetType()); taken != "" {
		u.diagnostics.clash(taken)
		return false
	}
	if model.UTF8Validation.IsValidMetricName(f.GetName()) && utf8.ValidString(f.GetHelp()) && !slices.ContainsFunc(f.Metric, doubled) {
		return true
	}
	u.diagnostics.collectErrors[collectText].Add(1)
	u.diagnostics.once("gatherer text/"+u.name+"/"+f.GetName(), func(log *slog.Logger) {
		log.Error("a family of a gatherer cannot be parsed and is left out: its name, its help text or a label is wrong",
			"gatherer", u.name, "family", cleanValue(f.GetName()))
	})
	return false
}

// doubled tells whether a histogram has a label of its own that its buckets
// have too.
func doubled(m *dto.Metric) bool {
	return m.Histogram != nil && slices.ContainsFunc(m.Label, func(l *dto.LabelPair) bool { return l.GetName() == "le" })
}

// withUsers adds the families of Config.Gatherers to those of OpenTelemetry's
// instruments. Of two series that are the same, the first is served.
func (g *gatherer) withUsers(foreign []*dto.MetricFamily) []*dto.MetricFamily {
	if len(g.users) == 0 {
		return foreign
	}
	all := make(prometheus.Gatherers, len(g.users)+1)
	fixed := func(families []*dto.MetricFamily) prometheus.Gatherer {
		return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
	}
	all[0] = fixed(foreign)
	var snapshot sync.WaitGroup
	for i, u := range g.users {
		snapshot.Go(func() { all[i+1] = fixed(u.gather(g.own)) })
	}
	snapshot.Wait()
	families, err := all.Gather()
	report(g.diagnostics, err)
	return families
}
