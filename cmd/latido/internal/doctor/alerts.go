package doctor

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/expr"
	"github.com/latido-dev/latido/cmd/latido/internal/generate"
	"github.com/latido-dev/latido/cmd/latido/internal/receivers"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
)

// jobOfNothing is how a rule names the job of a series that is not there.
var jobOfNothing = regexp.MustCompile(`"job", "[^"]*", "", ""`)

// anyJob is an expression without the name of the job, which is told by -job, and
// not by the domain.
func anyJob(text string) string {
	return jobOfNothing.ReplaceAllString(text, `"job", "", "", ""`)
}

// doctorRules looks for the domain's alert rules in Prometheus, as they are
// generated.
func doctorRules(x *examination) result.Check {
	p := x.parts["prometheus"]
	var c result.Check
	var answer struct {
		Groups []struct{ Rules []remote.Rule }
	}
	if err := p.api(x.ctx, "rules", nil, &answer); err != nil {
		return failed(err)
	}
	loaded := map[string]remote.Rule{}
	for _, g := range answer.Groups {
		for _, r := range g.Rules {
			if r.Type == "alerting" && r.Labels["domain"] == x.d.Prefix {
				loaded[r.Name] = r
			}
		}
	}
	reload := fmt.Sprintf("and reload: curl -X POST %s/-/reload, or a restart", remote.Address(p.base))
	var missing []string
	for _, r := range alerting.Rules(x.d, alerting.Options{Fast: x.fast}) {
		if r.Alert == "" || slices.Contains(x.alerts, r.Alert) {
			continue
		}
		x.alerts = append(x.alerts, r.Alert)
		switch there, ok := loaded[r.Alert]; {
		case !ok:
			missing = append(missing, r.Alert)
		case there.Health == "err":
			c.Fail("Prometheus cannot evaluate %s: %s", r.Alert, cli.Safe(there.LastError)).
				Fix = "two series may be one to the rule: run its query by hand, promtool query instant " + remote.Address(p.base)
		case !expr.Same(anyJob(there.Query), anyJob(r.Expr)):
			c.Fail("Prometheus has another %s than the domain: %s", r.Alert, cli.Safe(there.Query)).
				Fix = "copy " + generate.RulesFile(x.d.Prefix) + " there, " + reload
		}
	}
	next := fmt.Sprintf("write them with latido generate rules, name %s in rule_files of prometheus.yaml, %s", generate.RulesFile(x.d.Prefix), reload)
	switch {
	case len(x.alerts) == 0:
		return result.Skip("the domain has no alerts")
	case len(missing) == len(x.alerts):
		c.Fail("Prometheus has none of the domain's %s", cli.Count(len(missing), "alert rule")).Fix = next
	case len(missing) > 0:
		c.Fail("Prometheus has not all of the domain's alert rules: %s", cli.Few(missing)).Fix = next
	}
	c.Detail = cli.Count(len(x.alerts), "alert rule")
	return c
}

// doctorNotify looks for the Alertmanager that Prometheus sends alerts to.
func doctorNotify(x *examination) result.Check {
	p := x.parts["prometheus"]
	var f result.Check
	var answer struct{ ActiveAlertmanagers, DroppedAlertmanagers []struct{ URL string } }
	if err := p.api(x.ctx, "alertmanagers", nil, &answer); err != nil {
		return failed(err)
	}
	var all []string
	same := false
	ours := x.parts["alertmanager"].base
	for _, a := range answer.ActiveAlertmanagers {
		u, err := url.Parse(a.URL)
		if err != nil {
			continue
		}
		all = append(all, remote.Address(u))
		// By another name it may well be the same; by the same name with another
		// port it is not.
		same = same || ours == nil || u.Hostname() != ours.Hostname() || port(u) == port(ours)
	}
	switch {
	case len(all) == 0:
		f.Fail("Prometheus knows no Alertmanager: its alerts reach nobody").
			Fix = `add to prometheus.yaml, and reload: alerting: {alertmanagers: [{static_configs: [{targets: ["alertmanager:9093"]}]}]}`
	case !same:
		f.Fail("Prometheus sends its alerts to %s, which is not %s", cli.Few(all), remote.Address(ours)).
			Fix = "correct alerting.alertmanagers of prometheus.yaml, or give that one with -alertmanager"
	}
	f.Detail = "to " + cli.Few(all)
	return f
}

// doctorAlertmanager tells whether Alertmanager answers, and has the receivers
// of the domain file.
func doctorAlertmanager(x *examination) result.Check {
	p := x.parts["alertmanager"]
	var f result.Check
	if p.first != nil {
		return failed(p.first)
	}
	var state struct {
		Config      struct{ Original string }
		VersionInfo struct{ Version string }
	}
	if err := p.json(x.ctx, remote.Request{Path: "api/v2/status"}, &state); err != nil {
		return failed(err)
	}
	if state.Config.Original == "" {
		return failed(trouble{fmt.Sprintf("%s is not Alertmanager: /api/v2/status has no configuration", remote.Address(p.base)), p.whose()})
	}
	f.Detail = remote.Address(p.base)
	if v := state.VersionInfo.Version; v != "" {
		f.Detail += ", version " + cli.Safe(v)
	}
	var config struct{ Receivers []struct{ Name string } }
	if err := yaml.Unmarshal([]byte(state.Config.Original), &config); err != nil {
		f.Note("its configuration cannot be read, so its receivers are not known")
		return f
	}
	var missing, silent []string
	for _, r := range alerting.Receivers(x.d) {
		if !slices.ContainsFunc(config.Receivers, func(has struct{ Name string }) bool { return has.Name == r.Name }) {
			missing = append(missing, r.Name)
		}
		if r.Receiver.Log != nil || r.Receiver.Action != nil {
			silent = append(silent, r.Name)
		}
	}
	if len(missing) > 0 {
		f.Fail("Alertmanager has no receiver %s: it runs another configuration", cli.Few(missing)).
			Fix = fmt.Sprintf("write it with latido generate alertmanager, have it loaded as %s, and reload: curl -X POST %s/-/reload", generate.AlertmanagerFile, remote.Address(p.base))
	}
	if len(silent) > 0 && len(silent) == len(x.d.Notify) {
		f.Note("nobody hears of an alert from there: only a service with alerts in the process knows what to do with %s", cli.Few(silent))
	}
	if absent := receivers.Missing(filepath.Dir(x.file), x.d); len(absent) > 0 && loopback(p.base.Hostname()) {
		f.Fail("%s", receivers.Lacking(absent))
	} else if len(absent) > 0 { // another machine's may be there
		f.Note("%s", receivers.Lacking(absent))
	}
	f.Detail += ", " + cli.Count(len(config.Receivers), "receiver")
	return f
}

// doctorAlerts looks in Alertmanager for what fires in Prometheus. An alert is
// sent at its first evaluation as firing, and again each minute: one that has
// fired for two must be there.
func doctorAlerts(x *examination) result.Check {
	var f result.Check
	firing := fmt.Sprintf("ALERTS{alertstate=\"firing\", domain=%q}", x.d.Prefix)
	old, err := x.parts["prometheus"].query(x.ctx, firing+" and "+firing+" offset 2m")
	if err != nil {
		return failed(err)
	}
	if len(old) == 0 {
		return result.Skip("no alert of the domain has been firing for two minutes")
	}
	p := x.parts["alertmanager"]
	answer, err := p.ask(x.ctx, remote.Request{Path: "api/v2/alerts"})
	if err != nil {
		return failed(err)
	}
	var there []struct{ Labels map[string]string }
	if json.Unmarshal(answer.Body, &there) != nil {
		return failed(p.stranger(answer, "api/v2/alerts"))
	}
	var missing []string
	for _, s := range old {
		name := s.Labels["alertname"]
		if slices.Contains(missing, name) {
			continue
		}
		if !slices.ContainsFunc(there, func(a struct{ Labels map[string]string }) bool { return a.Labels["alertname"] == name }) {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		f.Fail("%s in Prometheus, but not in Alertmanager: %s%s", verbFire(len(missing)), cli.Safe(cli.Few(missing)), cli.Because(x.notifications())).
			Fix = "the alerts get lost on the way, or go to another Alertmanager: see Prometheus' log, docker compose logs prometheus"
	}
	f.Detail = verbFire(len(old)) + " in Prometheus, and is in Alertmanager too"
	if len(old) > 1 {
		f.Detail = verbFire(len(old)) + " in Prometheus, and are in Alertmanager too"
	}
	return f
}

func verbFire(n int) string {
	if n == 1 {
		return "1 alert fires"
	}
	return fmt.Sprintf("%d alerts fire", n)
}

// notifications is what Prometheus counts of notifications that were lost.
func (x *examination) notifications() string {
	answer, err := x.parts["prometheus"].ask(x.ctx, remote.Request{Path: "metrics"})
	if err != nil {
		return ""
	}
	var told []string
	for line := range strings.Lines(string(answer.Body)) {
		name, rest, _ := strings.Cut(line, " ")
		family, _, _ := strings.Cut(name, "{")
		value := strings.TrimSpace(rest)
		if (family == "prometheus_notifications_dropped_total" || family == "prometheus_notifications_errors_total") && value != "0" {
			told = append(told, family+" is "+value)
		}
	}
	return cli.Few(told)
}
