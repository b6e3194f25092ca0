package alerting

import (
	"fmt"
	"net/url"
	"strings"
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

// anchor is that of an alert's section in the runbook.
func anchor(alert string) string { return strings.ToLower(alert) }

// incidentURL is where the service shows what it kept of an alert.
func incidentURL(base, alert string) string {
	return strings.TrimSuffix(base, "/") + "/incidents/?alert=" + url.QueryEscape(alert)
}
