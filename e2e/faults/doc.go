// Package faults breaks a service with real faults, and judges the cause that
// each alert is notified with: see docs/causes.md, which `make causes` writes.
package faults
