package continuous

import (
	"context"
	"runtime/pprof"
	"time"
)

const (
	// beatEvery is how often the process is expected to run.
	beatEvery = time.Second
	// punctual is how late it may be: more than timers and the scheduler are where
	// there is CPU.
	punctual = 100 * time.Millisecond
)

// beat adds up by how much its ticks come late, until Stop: the process did not run
// meanwhile.
func (p *Profiler) beat() {
	defer close(p.beaten)
	pprof.SetGoroutineLabels(context.Background()) // and not of whoever called Start
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-p.quit:
			return
		case <-tick.C:
		}
		now := time.Now()
		if late := now.Sub(last) - beatEvery; late > punctual {
			p.stalled.Add(int64(late))
		}
		last = now
	}
}
