// Package evidence says why an alert fires: it reads the service's samples and
// the profiles of the bad time and of the time before, has them explained, and
// adds what moved at the same time.
//
//	r, err := evidence.Start(ctx, evidence.Config{Domain: d, Rules: rules, Profiler: tel.Profiler(), Series: store.Select})
//	defer r.Stop(ctx)
//	a = r.Enrich(ctx, a) // between the rules and the Alertmanager
//
// What it finds goes into the alert's annotations, in short, and into an
// incident: JSON, one HTML page and the profiles of both times, bounded in
// number and bytes. It also compares each release with the one before.
//
// What is a cause is said by internal/cause. This package reads profiles from
// continuous/ and samples from a store behind a few functions. It holds no alert
// up for longer than its timeout, and an alert for which there is no evidence
// says so.
package evidence
