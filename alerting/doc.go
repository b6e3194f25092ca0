// Package alerting turns a domain into the files that Prometheus and
// Alertmanager read, and into the runbook that people read.
//
//	d, err := domain.Load("domain.yaml")
//	rules, err := alerting.RuleFile(d, alerting.Options{})            // prometheus/rules/P.rules.yaml
//	config, err := alerting.AlertmanagerFile(d, alerting.Options{})   // alertmanager/alertmanager.yaml
//	for _, r := range alerting.Rules(d, alerting.Options{}) { ... }   // what they say, as data
//
// The same files work on servers and in the process, by embedded/. A threshold
// becomes PromQL in promql.go, and nowhere else in the house is PromQL written
// for a rule.
//
// It evaluates nothing, sends nothing and imports nothing of Prometheus: what
// it writes is text.
package alerting
