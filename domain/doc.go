// Package domain reads and checks the domain file: the one short description
// of a service from which its metric names, typed event helpers, alert rules,
// dashboards and runbook all come.
//
//	d, err := domain.Load("domain.yaml")
//	if err != nil {
//		log.Fatal(err) // every mistake of the file, each with its line
//	}
//
// A Domain can be written as a Go literal as well; [Domain.Validate] applies
// the same rules to it.
//
// [Schema] is for editors; with the YAML language server, this comment at the
// top of a domain file is enough:
//
//	# yaml-language-server: $schema=https://raw.githubusercontent.com/latido-dev/latido/main/domain/domain.schema.json
//
// The package also knows how every metric is called, on the way in as an
// OpenTelemetry instrument and on the way out as a Prometheus family
// (names.go). It never records anything, reads no environment and starts no
// goroutine.
package domain
