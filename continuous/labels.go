package continuous

import (
	"context"
	"runtime/pprof"
)

// The labels of samples. Only CPU and goroutine profiles carry them
// (https://github.com/golang/go/issues/23458).
//
// A goroutine that a request starts inherits its labels for as long as it runs.
// So they count where a function on the stack has set them: the one of
// telemetry that called the request's handler, Region, a monitored function, or
// runtime/pprof.Do. Every other sample has LabelStartedBy instead.
const (
	LabelEndpoint = "endpoint" // a route's pattern
	LabelMethod   = "method"   // its HTTP method
	LabelRegion   = "region"   // the name given to Region
	LabelPeer     = "peer"     // the host that a request of the service waits for
	LabelSpanID   = "span_id"  // of the span that the sample was taken in

	// LabelStartedBy is the request, with its method, or else the region that
	// started the goroutine: "POST /orders".
	LabelStartedBy = "started_by"
)

// Region runs fn with its CPU time and its waiting under a name of its own in
// the profile, beside the endpoint that ctx belongs to. Regions nest: the inner
// name holds. A goroutine that a request starts counts as the request's while
// it runs Region with the request's context; what it does outside of that is
// "started by" the request. A nil ctx means context.Background(). It is safe
// for concurrent use.
func Region(ctx context.Context, name string, fn func(context.Context)) {
	if ctx == nil {
		ctx = context.Background()
	}
	pprof.Do(ctx, pprof.Labels(LabelRegion, name), fn)
}
