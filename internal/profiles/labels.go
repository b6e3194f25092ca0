package profiles

import (
	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

// The labels of samples. Only CPU and goroutine profiles carry them
// (https://github.com/golang/go/issues/23458).
//
// A goroutine that a request starts inherits its labels for as long as it runs.
// So they count where a function on the stack has set them: the one of
// telemetry that called the request's handler, continuous.Region, a monitored function, or
// runtime/pprof.Do. Every other sample has LabelStartedBy instead.
const (
	LabelEndpoint = "endpoint" // a route's pattern
	LabelMethod   = "method"   // its HTTP method
	LabelRegion   = "region"   // the name given to continuous.Region
	LabelPeer     = "peer"     // the host that a request of the service waits for
	LabelSpanID   = "span_id"  // of the span that the sample was taken in

	// LabelStartedBy is the request, with its method, or else the region that
	// started the goroutine: "POST /orders", or "POST" where the router did not
	// know the route yet.
	LabelStartedBy = "started_by"
)

// Unlabelled reports whether a goroutine works for no endpoint and no region,
// and was started by none. It counts for no figure.
func Unlabelled(s *profile.Sample) bool {
	return stacks.Label(s, LabelEndpoint) == "" && stacks.Label(s, LabelRegion) == "" && stacks.Label(s, LabelStartedBy) == ""
}
