package continuous

import (
	"context"
	"runtime/pprof"
)

// The labels of samples. Only CPU and goroutine profiles carry them
// (https://github.com/golang/go/issues/23458).
const (
	LabelEndpoint = "endpoint" // a route's pattern
	LabelMethod   = "method"   // its HTTP method
	LabelRegion   = "region"   // the name given to Region
	LabelSpanID   = "span_id"  // of the span that the sample was taken in
)

// Region runs fn with its CPU time and its waiting under a name of its own in
// the profile, beside the endpoint that ctx belongs to. Regions nest: the inner
// name holds. A nil ctx means context.Background(). It is safe for concurrent
// use.
func Region(ctx context.Context, name string, fn func(context.Context)) {
	if ctx == nil {
		ctx = context.Background()
	}
	pprof.Do(ctx, pprof.Labels(LabelRegion, name), fn)
}
