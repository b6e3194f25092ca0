package alerting

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/latido-dev/latido/domain"
)

// checkLinks refuses an address that Prometheus would read as a template.
func checkLinks(o Options) error {
	for _, link := range []struct{ name, value string }{{"runbook URL", o.RunbookURL}, {"evidence URL", o.EvidenceURL}} {
		if strings.Contains(link.value, "{{") {
			return fmt.Errorf("the %s %s has {{ in it, which begins a template in every alert: write the address in full, each alert's section is added to it", link.name, link.value)
		}
	}
	return nil
}

// links are the annotations that lead somewhere. Only an address that people
// reach from their own machines is one: without it there is no link, rather than
// one that leads nowhere.
func (b builder) links(r Rule) map[string]string {
	links := map[string]string{}
	if b.o.RunbookURL != "" {
		links["runbook_url"] = b.o.RunbookURL + "#" + anchor(r.Alert)
	}
	if r.Source == SourceHeartbeat {
		return links
	}
	if base := b.d.Links.ExternalURL; base != "" && b.o.EvidenceURL != "" {
		links["incident"] = under(base, "/incidents/?alert="+url.QueryEscape(r.Alert))
	}
	if base := b.d.Links.Grafana; base != "" {
		links["dashboard"] = under(base, "/d/"+DashboardUID(b.d, dashboardOf(r))+"?from=now-1h&to=now")
	}
	return links
}

// under is an address below a base URL.
func under(base, path string) string { return strings.TrimSuffix(base, "/") + path }

// anchor is that of an alert's section in the runbook.
func anchor(alert string) string { return strings.ToLower(alert) }

// maxUID is how long Grafana lets the uid of a dashboard be.
const maxUID = 40

// DashboardUID is the uid of one of the domain's dashboards in Grafana:
// overview, http, runtime, business or profiles. It is the same for ever. Names
// differ in their first letters, so that the longest prefixes can cut them.
func DashboardUID(d domain.Domain, name string) string {
	uid := d.Prefix + "-" + name
	return uid[:min(len(uid), maxUID)]
}

// dashboardOf is the dashboard that shows what an alert is about.
func dashboardOf(r Rule) string {
	switch r.Evidence {
	case EvidenceCPU, EvidenceMemory, EvidenceGoroutines:
		return "runtime"
	case EvidenceEvents:
		return "business"
	case EvidenceErrors:
		return "http"
	}
	if strings.HasSuffix(r.Metric, "requests") || strings.HasSuffix(r.Metric, "_duration") {
		return "http"
	}
	return "overview"
}
