package alerting

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/alert"
)

// AlertmanagerFile is the configuration of Alertmanager for a domain:
// deploy/alertmanager/alertmanager.yaml. It returns an error for a domain that
// is not valid.
//
// There is no secret in it: those that the domain file names as variables of
// the environment are expected in files, as [Secrets] lists them.
func AlertmanagerFile(d domain.Domain, o Options) ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	muted, rules := mutingOf(d), Rules(d, o)
	content := fields{
		{key: "global", value: fields{{key: "http_config", value: httpGuards,
			comment: "A receiver that redirects would have alerts posted to where nobody said."}}},
		{key: "templates", value: []string{TemplatesName}},
		{key: "route", value: rootRoute(d, o, rules, muted)},
	}
	if len(muted.intervals) > 0 {
		content = append(content, field{key: "time_intervals", value: muted.intervals})
	}
	if all := inhibitions(d, rules); len(all) > 0 {
		content = append(content, field{key: "inhibit_rules", value: all})
	}
	content = append(content, field{key: "receivers", value: receivers(d, o)})
	return file(head(d, "alertmanager"), content)
}

// evidenceReceiver is the name of the service's own webhook.
const evidenceReceiver = "evidence"

// loginVariable is the variable with the password of the service's admin
// listener.
const loginVariable = "LATIDO_PASSWORD"

// rootRoute has a sibling for each receiver: each gets messages of its own, so
// that one which is slow delays nobody else's.
func rootRoute(d domain.Domain, o Options, rules []Rule, muted muting) fields {
	times := pace{o.Fast}.timing()
	// One message for a rule, however many endpoints it fires for, and another for
	// its drills.
	root := append(fields{{key: "receiver", value: none}, {key: "group_by", value: []string{"alertname", "job", alert.DrillLabel}}}, times.fields()...)
	var routes []fields
	if o.EvidenceURL != "" {
		// At once, while the profile of the window is still there.
		routes = append(routes, fields{
			{key: "receiver", value: evidenceReceiver}, {key: "continue", value: true}, {key: "group_wait", value: length(time.Second)},
		})
	}
	for _, s := range Receivers(d) {
		route := fields{{key: "receiver", value: s.Name}, {key: "continue", value: true}}
		if len(s.Receiver.Severities) > 0 {
			route = append(route, field{key: "matchers", value: []string{severities(s.Receiver.Severities)}})
		}
		if times, ok := muted.receivers[s.Name]; ok {
			route = append(route, field{key: "mute_time_intervals", value: []string{times}})
		}
		within := muted.routes(s.Name)
		if beat, ok := heartbeatRoute(rules, o, s); ok {
			within = append([]fields{beat}, within...)
		}
		if len(within) > 0 {
			route = append(route, field{key: "routes", value: within})
		}
		routes = append(routes, route)
	}
	if len(routes) > 0 {
		root = append(root, field{key: "routes", value: routes})
	}
	return root
}

// severities matches alerts of some severities.
func severities(all []domain.Severity) string {
	words := make([]string, len(all))
	for i, s := range all {
		words[i] = string(s)
	}
	if len(words) == 1 {
		return fmt.Sprintf("severity=%q", words[0])
	}
	return fmt.Sprintf("severity=~%q", strings.Join(words, "|"))
}

// machines are the receivers behind which a machine notices that a heartbeat
// no longer comes. People are told once a day.
var machines = []string{"webhook", "action", "alertmanager", "pagerduty", "opsgenie", "incidentio", "sns", "victorops"}

// heartbeatRoute is that of alerts that always fire, for a receiver that hears
// of them.
func heartbeatRoute(rules []Rule, o Options, s ReceiverSpec) (fields, bool) {
	hears := slices.ContainsFunc(rules, func(r Rule) bool {
		return r.Source == SourceHeartbeat && (len(s.Receiver.Severities) == 0 || slices.Contains(s.Receiver.Severities, r.Severity))
	})
	repeat := day
	if slices.Contains(machines, kindOf(s.Receiver)) {
		repeat = 5 * time.Minute
	}
	return fields{
		{key: "receiver", value: s.Name}, {key: "matchers", value: []string{heartbeatLabel + `="true"`}},
		{key: "repeat_interval", value: length(pace{o.Fast}.time(repeat, leastTime))},
	}, hears
}

// inhibitions silence what another alert explains. A drill explains nothing but
// drills.
func inhibitions(d domain.Domain, rules []Rule) []fields {
	var all []fields
	if len(d.SLOs) > 0 {
		all = append(all, fields{
			{key: "source_matchers", value: []string{`severity="page"`, `slo!=""`}, comment: "A budget that burns fast burns slowly too."},
			{key: "target_matchers", value: []string{`severity="ticket"`, `slo!=""`}},
			{key: "equal", value: []string{"job", "slo", alert.DrillLabel}},
		})
	}
	if slices.ContainsFunc(rules, func(r Rule) bool { return r.Alert == serviceDown && r.Source == SourceDefault }) {
		all = append(all, fields{
			{key: "source_matchers", value: []string{`alertname="` + serviceDown + `"`}, comment: "Of a service that is down everything else is a consequence."},
			{key: "target_matchers", value: []string{`alertname!="` + serviceDown + `"`, heartbeatLabel + `!="true"`, `domain="` + d.Prefix + `"`}},
			{key: "equal", value: []string{"job", alert.DrillLabel}},
		})
	}
	return all
}

// receivers are all that the routes name.
func receivers(d domain.Domain, o Options) []fields {
	all := []fields{{{key: "name", value: none, comment: "Nobody."}}}
	if o.EvidenceURL != "" {
		all = append(all, fields{
			{key: "name", value: evidenceReceiver, comment: "The service itself, which keeps the evidence of each alert."},
			{key: "webhook_configs", value: []fields{{
				{key: "send_resolved", value: true}, {key: "url", value: strings.TrimSuffix(o.EvidenceURL, "/") + "/api/evidence"},
				{key: "max_alerts", value: maxAlerts}, {key: "timeout", value: webhookTimeout},
				{key: "http_config", value: append(slices.Clone(httpGuards), field{key: "basic_auth", value: fields{
					{key: "username", value: "latido"}, {key: "password_file", value: secretsFolder + loginVariable},
				}})},
			}}},
		})
	}
	for _, s := range Receivers(d) {
		name := field{key: "name", value: s.Name}
		key, entry := integration(s)
		if key == "" {
			name.comment = "Only the process itself knows it, by embedded/: here nothing happens."
			all = append(all, fields{name})
			continue
		}
		all = append(all, fields{name, {key: key, value: []fields{entry}}})
	}
	return all
}
