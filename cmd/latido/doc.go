// Command latido reads a domain file and talks to a running service:
//
//	latido init                  a new service: domain file, program, and all that is generated
//	latido check domain.yaml     every mistake of the file, and of all that comes from it
//	latido generate events       typed helpers, so that a wrong event does not compile
//	latido generate all          those, rules, receivers, runbook, dashboards, Compose and Kubernetes
//	latido schema                the file's JSON Schema, for editors
//	latido backtest              how often its alerts would have fired last week
//	latido fire NAME             an alert as a drill, and who hears of it
//	latido incidents             what fired at a running service, and why
//	latido doctor                which link is broken, from the service to Grafana
//	latido report                where a running service's time and memory go
//	latido completion bash       what completes all of these in a shell
//
// Each verb is a package of internal/. Results go to standard output, trouble
// to standard error. It exits with 0 when all is well, 1 when it found problems,
// 2 when it was called wrongly.
package main
