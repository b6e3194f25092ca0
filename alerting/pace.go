package alerting

import (
	"time"

	"github.com/latido-dev/latido/domain"
)

// What a time of a fast rule may not go below: ten scrapes of once a second
// for a window, and the time between two evaluations for everything else.
const (
	speed       = 60
	leastWindow = 10 * time.Second
	leastTime   = time.Second
)

// pace turns the times of the domain file into those of the rules.
type pace struct{ fast bool }

// window is the length of a range in PromQL.
func (p pace) window(d time.Duration) time.Duration { return p.time(d, leastWindow) }

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
