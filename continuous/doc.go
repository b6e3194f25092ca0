// Package continuous profiles a service all the time: CPU, heap, goroutines
// and mutexes, and blocking when asked. The last minutes are always kept in the
// process, in a bounded ring; they go to Pyroscope as well where an address is
// known.
//
//	p, err := continuous.Start(continuous.Config{Service: "tienda-api"})
//	defer p.Stop(ctx)
//	report, err := p.Report(ctx, continuous.ReportOptions{})
//	report.WriteText(os.Stdout) // per endpoint: CPU, allocations, waiting
//
// telemetry.Init does the first two, and labels requests with their endpoint.
//
// The package never blocks its host, never stops a profile that somebody else
// started, and keeps its memory bounded while a server is down. It forces no
// garbage collection, but where the Go runtime can look for goroutine leaks:
// one every five minutes, at most one per cent of the time.
package continuous
