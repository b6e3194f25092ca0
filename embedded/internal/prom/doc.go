// Package prom is a Prometheus in the process: its own store, scrape, rules,
// queries and HTTP API, put together so that they look after one service, the
// one that they run in.
//
//	s, err := prom.Start(ctx, prom.Config{Dir: dir, Metrics: metrics, Rules: rules, Notify: notify})
//	defer s.Stop(ctx)
//	admin.Handle("/api/v1/", s.Handler())
//
// What a guest in somebody's process needs beyond that is added:
//
//   - tsdb.DB panics in goroutines of its own when the disk is full. Here its
//     loop does nothing: what it would do, maintain does under recover. A second
//     tsdb.DB, in memory, takes the samples while the disk takes none.
//   - An alert neither begins nor ends for lack of data; see keeper.
//   - An alert that fired when the process ended goes on; see evaluator.restore.
//
// It never ends the process, and it does not wait for whoever takes the alerts.
package prom
