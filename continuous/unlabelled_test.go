package continuous_test

import (
	"context"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/profiles"
)

//go:noinline
func refreshesCache(quit <-chan struct{}) { <-quit }

// A worker that serves nobody may hold what requests wait for: looks keep it,
// and no figure counts it.
func TestWorkerWithoutLabels(t *testing.T) {
	quit := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() { refreshesCache(quit) })
	ended.Go(func() {
		pprof.Do(context.Background(), pprof.Labels(profiles.LabelEndpoint, "/slow"), func(context.Context) { refreshesCache(quit) })
	})
	defer func() { close(quit); ended.Wait() }()

	p := continuous.Filled()
	for end := time.Now().Add(3 * time.Minute); ; {
		seen, err := p.Look(t.Context(), 1, time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, s := range seen.Sample {
			for _, l := range s.Location {
				if strings.HasSuffix(l.Line[0].Function.Name, ".refreshesCache") {
					found[strings.Join(s.Label[profiles.LabelEndpoint], "")] = true
				}
			}
		}
		if w := profiles.WaitsOf(seen, 5); found[""] && found["/slow"] && w.Seen == 1 {
			return
		} else if time.Now().After(end) {
			t.Fatalf("found %v, and %+v counts: want both found, and /slow alone counted", found, w)
		}
	}
}
