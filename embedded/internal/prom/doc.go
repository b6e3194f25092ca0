// Package prom is a Prometheus in the process: its own scrape, storage, query
// and rule packages, put together so that they look after one service, the one
// that they run in.
//
//	s, err := prom.Start(ctx, prom.Config{Dir: dir, Metrics: metrics, Rules: rules, Notify: notify})
//	defer s.Stop(ctx)
//	admin.Handle("/api/v1/", s.Handler())
//
// Prometheus' parts do what they do in the server: scraping with up, staleness
// and exemplars, the head and its write-ahead log, blocks, PromQL, rules,
// templates and the HTTP API. What the server has around them and a guest in
// somebody's process cannot have is replaced:
//
//   - tsdb.DB panics in a goroutine of its own when the disk is full. Here a
//     generation, a tsdb.Head with its own log, takes samples for half an hour,
//     is written as a block, and makes way for the next. Chunks never leave the
//     head for the disk, which is the write that panics. Any error of the disk
//     means that the next generation keeps to memory; see store.
//   - Time is the process's own: it starts with the wall clock and goes on
//     with the monotonic one, so that it never goes back; see clock.
//   - Rules are evaluated by a loop of ours, at that time, and their state
//     outlives the process; see evaluator.
//   - An alert is not over because there are no data; see keeper.
//
// It never ends the process, and it does not wait for whoever takes the alerts.
package prom
