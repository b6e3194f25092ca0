// Package e2e tests Latido as its users have it: the examples are built and
// run, and the real Prometheus and Pyroscope are asked what arrived. Package
// servers starts them.
//
//	make e2e
package e2e
