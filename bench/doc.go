// Package bench measures Latido beside its peers, each benchmark with one
// sub-benchmark a library, doing the same work in the same run:
//
//	make bench
//
// prints the table and writes latest.json and docs/performance.md. Machines
// are noisy, so what counts is the ratio between neighbours, never a time.
package bench
