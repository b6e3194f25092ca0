// Package dashboards turns a domain into dashboards for Grafana: five files,
// in the domain's language and about its own events.
//
//	files, err := dashboards.All(d, dashboards.Options{})
//	for _, f := range files { ... } // f.Name is P-overview.json, f.JSON what Grafana provisions
//
// The same domain always gives the same bytes. Names of metrics come from
// [domain.Domain.Metrics], and those of recorded series from
// [alerting.Rules], so that a dashboard asks for nothing that is not there.
//
// Every query keeps to the chosen jobs and instances, so that a dashboard is as
// good for fifty services of the domain as for one.
//
// The package writes JSON. It never talks to Grafana, to Prometheus or to
// Pyroscope.
package dashboards
