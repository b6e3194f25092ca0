package alerting

import (
	"math"
	"time"

	"github.com/latido-dev/latido/domain"
)

// What a time of a fast rule may not go below: ten scrapes of once a second
// for a window, and the time between two evaluations for everything else.
const (
	speed       = 60
	leastWindow = 10 * time.Second
	leastTime   = time.Second
	leastCount  = 5 // requests in a window
)

// pace turns the times of the domain file into those of the rules.
type pace struct{ fast bool }

// window is the length of a range in PromQL.
func (p pace) window(d time.Duration) time.Duration { return p.time(d, leastWindow) }

// least is how many there must be in a window that was so long. Traffic does not
// get faster: in a shorter window there are fewer, but fewest of all say nothing.
func (p pace) least(n int, window time.Duration) int {
	if !p.fast {
		return n
	}
	return max(min(n, leastCount), int(math.Ceil(float64(n)*float64(p.window(window))/float64(window))))
}

// pending is a time that a condition holds, or an alert lasts; 0 stays 0.
func (p pace) pending(d time.Duration) time.Duration {
	if d == 0 {
		return 0
	}
	return p.time(d, leastTime)
}

// time is in whole seconds when it is fast: the scrapes are.
func (p pace) time(d, least time.Duration) time.Duration {
	if !p.fast {
		return d
	}
	return max((d/speed + time.Second - 1).Truncate(time.Second), least)
}

// length writes a duration as Prometheus and Alertmanager read it.
func length(d time.Duration) string { return domain.Duration(d).String() }
