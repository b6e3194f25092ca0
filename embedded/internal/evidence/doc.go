// Package evidence says why an alert fires: which functions were hot in its
// window, or where its requests waited, what changed against the time before,
// and what else moved at the same time.
//
//	r, err := evidence.Start(ctx, evidence.Config{Domain: d, Rules: rules, Profiler: tel.Profiler(), Query: store.Query})
//	defer r.Stop(ctx)
//	a = r.Enrich(ctx, a) // between the rules and the Alertmanager
//
// What it finds goes into the alert's annotations, in short, and into an
// incident: JSON, one HTML page and the profiles of both times, bounded in
// number and bytes. It also compares each release with the one before.
//
// It reads profiles from continuous/ and figures from a store behind a few
// functions. It holds no alert up for longer than its timeout, and an alert for
// which there is no evidence says so.
package evidence
