// Package embedded runs Prometheus and Alertmanager inside the service, with
// the projects' own packages, and adds what they lack: evidence. An alert of it
// says which functions were hot in the window in which it fired, or where
// requests waited, and what changed against the window before.
//
//	tel, err := telemetry.Init(ctx, telemetry.Config{Domain: d})
//	defer tel.Shutdown(ctx)
//	alerts, err := embedded.Start(ctx, tel, embedded.Config{})
//	defer alerts.Stop(ctx)
//
// Rules and receivers come from the domain: they are the very files that
// `latido generate` writes for servers. The service's admin listener then
// answers as both servers do, so that Grafana, promtool and amtool talk to it:
//
//	/api/v1/           Prometheus' API
//	/api/v2/           Alertmanager's API
//	/incidents/        what happened, with its evidence; /api/incidents in JSON
//	/api/findings      what stands out now, without an alert
//	/api/evidence      called by an Alertmanager server, where alerts are its business
//	/api/drills        `latido fire`
//
// It has a module of its own, so that whoever only imports telemetry does not
// inherit the servers' dependencies.
//
// It never ends the service: a full disk, a broken file, a second process, a
// clock that jumps and a receiver that hangs cost a function of it at most, and
// it says which. It is for a laptop and a small service; a fleet runs the same
// files on servers.
package embedded
