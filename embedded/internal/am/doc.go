// Package am is Alertmanager in the process, made of its own packages: routing,
// grouping, silences, inhibition, the notification log, the receivers and the v2
// API are its, and read its configuration file.
//
//	server, err := am.Start(ctx, am.Config{Dir: dir, File: file, Templates: templates})
//	server.Put(alerts...)
//	mux.Handle("/api/v2/", server.Handler())
//	defer server.Stop(ctx)
//
// Ours is what it lacks: receivers that write to the log and call Go functions;
// mail that keeps a deadline and never sends half a message or a bare password;
// bounds on what a receiver that is slow, dead or hostile may cost; silences and
// a notification log that outlive kill -9; and word of an alert that came and
// went while its receiver was down.
//
// Deliveries are at least once: a receiver that took a message and then failed
// to say so gets it again, with the same Idempotency-Key if it is a webhook. A
// receiver that does not want resolved alerts (send_resolved: false) hears
// nothing of one that came and went while it was down.
//
// Memory is bounded: at most 5,000 alerts at once, of them 1,000 of one name, in
// at most 2,000 groups; beyond that alerts are refused, counted and logged. With
// 2 KiB an alert that is 10 MiB, and a group's goroutine takes 16 KiB. What a
// server answers is read up to 1 MiB.
package am
