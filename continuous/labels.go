package continuous

import (
	"context"
	"runtime/pprof"

	"github.com/latido-dev/latido/internal/profiles"
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
	pprof.Do(ctx, pprof.Labels(profiles.LabelRegion, name), fn)
}
