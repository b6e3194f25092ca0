package doctor

import (
	"encoding/json"
	"fmt"
	"maps"
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

// How a rule names the job of a series that is not there, and of a target.
var (
	jobOfNothing = regexp.MustCompile(`"job", "[^"]*", "", ""`)
	jobOfTarget  = regexp.MustCompile(`\bup\{job="[^"]*"\}`)
)

// anyJob is an expression without the name of the job, which is told by -job, and
// not by the domain.
func anyJob(text string) string {
	return jobOfTarget.ReplaceAllString(jobOfNothing.ReplaceAllString(text, `"job", "", "", ""`), `up{job=""}`)
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
	loaded, recorded := map[string]remote.Rule{}, map[string][]remote.Rule{}
	for _, g := range answer.Groups {
		for _, r := range g.Rules {
			switch {
			case r.Type == "recording":
				recorded[r.Name] = append(recorded[r.Name], r)
			case r.Type == "alerting" && r.Labels["domain"] == x.d.Prefix:
				loaded[r.Name] = r
			}
		}
	}
	replace, add := x.loading(p)
	var missing, unrecorded []string
	same := func(a, b string) bool { return expr.Same(anyJob(a), anyJob(b)) }
	for _, r := range alerting.Rules(x.d, alerting.Options{Fast: x.fast}) {
		if r.Record != "" {
			if !slices.ContainsFunc(recorded[r.Record], func(there remote.Rule) bool { return same(there.Query, r.Expr) }) {
				unrecorded = append(unrecorded, r.Record)
			}
			continue
		}
		if slices.Contains(x.alerts, r.Alert) {
			continue
		}
		x.alerts = append(x.alerts, r.Alert)
		switch there, ok := loaded[r.Alert]; {
		case !ok:
			missing = append(missing, r.Alert)
		case there.Health == "err":
			c.Fail("Prometheus cannot evaluate %s: %s", r.Alert, cli.Safe(there.LastError)).
				Fix = "two series may be one to the rule: run its query by hand, promtool query instant " + remote.Address(p.base)
		case !same(there.Query, r.Expr):
			c.Fail("Prometheus has another %s than the domain: %s", r.Alert, cli.Safe(there.Query)).Fix = replace
		default:
			if other := another(r, there); other != "" {
				c.Fail("Prometheus has another %s than the domain: %s", r.Alert, cli.Safe(other)).Fix = replace
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(loaded)) {
		if !slices.Contains(x.alerts, name) {
			c.Note("Prometheus has %s of the domain, which no longer makes it: is an old rule file still there?", name)
		}
	}
	switch {
	case len(x.alerts) == 0:
		return result.Skip("the domain has no alerts")
	case len(missing) == len(x.alerts):
		c.Fail("Prometheus has none of the domain's %s", cli.Count(len(missing), "alert rule")).Fix = add
	case len(missing) > 0:
		c.Fail("Prometheus has not all of the domain's alert rules: %s", cli.Few(missing)).Fix = add
	case len(unrecorded) > 0:
		c.Fail("Prometheus does not record what alert rules need as the domain does: %s", cli.Few(unrecorded)).Fix = replace
	}
	c.Detail = cli.Count(len(x.alerts), "alert rule")
	return c
}

// loading says how Prometheus gets rules that changed, and rules that it has not:
// by an operator, by itself, when it is asked, or by a signal. Its flags tell which.
func (x *examination) loading(p *part) (replace, add string) {
	var flags map[string]string
	known := p.api(x.ctx, "status/flags", nil, &flags) == nil && flags["config.file"] != ""
	file := generate.RulesFile(x.d.Prefix)
	var reload string
	switch {
	case strings.Contains(flags["config.file"], "/config_out/"): // where prometheus-operator writes it
		return "write them with latido generate stack, and kubectl apply -k deploy: the operator of Prometheus loads them within minutes",
			"write them with latido generate stack, and kubectl apply -k deploy: the operator of Prometheus loads them within minutes, if its ruleSelector takes their labels"
	case strings.Contains(flags["enable-feature"], "auto-reload-config"):
		reload = "and wait: Prometheus loads it by itself within a minute"
	case !known || flags["web.enable-lifecycle"] == "true":
		reload = fmt.Sprintf("and reload: curl -X POST %s/-/reload", remote.Address(p.base))
	default:
		reload = "and reload: docker compose kill -s SIGHUP prometheus, or kill -HUP its process"
	}
	return fmt.Sprintf("copy %s there, %s", file, reload),
		fmt.Sprintf("write them with latido generate rules, name %s in rule_files of prometheus.yaml, %s", file, reload)
}

// another is the first of what Prometheus has otherwise of an alert whose
// expression is the domain's, "" for nothing. Links and the name of the job are
// left out: options say them, too.
func another(r alerting.Rule, there remote.Rule) string {
	for _, time := range []struct {
		key         string
		ours, there float64
	}{{"for", r.For.Seconds(), there.Duration}, {"keep_firing_for", r.KeepFiring.Seconds(), there.KeepFiringFor}} {
		if time.ours != time.there {
			return fmt.Sprintf("%s: %gs", time.key, time.there)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
		if name != "job" && r.Labels[name] != there.Labels[name] {
			return name + ": " + there.Labels[name]
		}
	}
	for _, name := range []string{"summary", "description"} {
		if r.Annotations[name] != there.Annotations[name] {
			return name + ": " + there.Annotations[name]
		}
	}
	return ""
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
	f.Detail = p.version(state.VersionInfo.Version)
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
	f.Detail = fmt.Sprintf("%s, %s", f.Detail, cli.Count(len(config.Receivers), "receiver"))
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
	f.Detail = verbFire(len(old)) + " in Prometheus and in Alertmanager"
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
			told = append(told, family+"="+value)
		}
	}
	return cli.Few(told)
}
