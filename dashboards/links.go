package dashboards

import (
	"net/url"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// kept are the time range and the variables that every dashboard has, as a
// link hands them on.
const kept = "${__url_time_range}&${" + metricsVariable + ":queryparam}&${job:queryparam}&${instance:queryparam}"

// What else the dashboards that have them hand on.
const (
	keptProfiles = "${" + profilesVariable + ":queryparam}"
	keptBefore   = "${before:queryparam}"
	keptEndpoint = "${endpoint:queryparam}"
	keptProcess  = "${process:queryparam}"
)

// siblings links to the other dashboards of the domain, at the top.
func (b *board) siblings() dashboard.DashboardLink {
	return dashboard.DashboardLink{
		Title: b.d.Service(), Type: dashboard.DashboardLinkTypeDashboards, Tags: []string{"latido", b.d.Prefix}, Icon: "external link",
		IncludeVars: true, KeepTime: true,
	}
}

func link(title, to string) dashboard.DashboardLink {
	return dashboard.DashboardLink{Title: title, Type: dashboard.DashboardLinkTypeLink, Url: &to, Tags: []string{}, Icon: "external link"}
}

// to leads to another dashboard of the domain.
func (b *board) to(title, name string, more ...string) dashboard.DashboardLink {
	return link(title, "/d/"+b.uid(name)+"?"+strings.Join(append([]string{kept}, more...), "&"))
}

// flames leads from a panel to the flame graphs of the endpoints chosen.
func (b *board) flames() []dashboard.DashboardLink {
	return b.allFlames(keptEndpoint)
}

// allFlames leads from a panel of a dashboard without endpoints. more are the
// variables that it has beside those that all have.
func (b *board) allFlames(more ...string) []dashboard.DashboardLink {
	return []dashboard.DashboardLink{b.to(b.T("Flame graph of this time", "Gráfico de llamas de este intervalo"), "profiles", more...)}
}

// flamesOf leads from a series to the flame graph of its endpoint. more are the
// variables that its dashboard has beside those that all have.
func (b *board) flamesOf(value string, more ...string) []dashboard.DashboardLink {
	endpoint := "var-endpoint=${" + value + ":percentencode}"
	return []dashboard.DashboardLink{
		b.to(b.T("Flame graph of this endpoint", "Gráfico de llamas de este endpoint"), "profiles", append(more, endpoint)...),
		b.to(b.T("HTTP of this endpoint", "HTTP de este endpoint"), "http", endpoint),
	}
}

// The endpoint of a series, and of a cell of a table.
const (
	endpointOfSeries = "__field.labels.endpoint"
	endpointOfCell   = "__value.raw"
)

// runbook leads to an alert's section of the runbook, if it is published.
func (b *board) runbook(alert string) []dashboard.DashboardLink {
	if b.o.RunbookURL == "" {
		return nil
	}
	return []dashboard.DashboardLink{link("Runbook", b.o.RunbookURL+"#"+strings.ToLower(alert))}
}

// diff leads to Grafana's own page of profiles, which draws two times as one
// flame graph of their difference: the last hour, and the hour before it by as
// much as is chosen. No panel of a dashboard can
// (https://github.com/grafana/grafana/pull/72383).
func (b *board) diff(profile string) dashboard.DashboardLink {
	before, after := "now-${before}-1h", "now-${before}"
	return link(b.T("Difference as one flame graph", "Diferencia en un solo gráfico de llamas"),
		"/a/grafana-pyroscope-app/explore?explorationType=diff-flame-graph&var-dataSource=${pyroscope}"+
			"&var-serviceName="+url.QueryEscape(b.d.Service())+"&var-profileMetricId="+url.QueryEscape(profile)+
			"&from-2="+before+"&to-2="+after+"&from-3=now-1h&to-3=now"+
			"&diffFrom="+before+"&diffTo="+after+"&diffFrom-2=now-1h&diffTo-2=now")
}
