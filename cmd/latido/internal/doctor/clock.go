package doctor

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
)

// clockTolerance is how much two clocks may differ. The header Date is in whole
// seconds, and the alerts' shortest times are some seconds long.
const clockTolerance = 5 * time.Second

// clockReading is what a part's clock said once.
type clockReading struct {
	known  bool
	ahead  time.Duration // of this machine's
	unsure time.Duration // by how much that may be wrong
}

// readClock reads the header Date of an answer to a question that was asked at
// began. Of several answers the one counts that took the least time.
func (p *part) readClock(header http.Header, began, ended time.Time) {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return
	}
	trip := ended.Sub(began)
	// The second that it names has been going on for half a second, as a mean.
	r := clockReading{true, date.Add(time.Second / 2).Sub(began.Add(trip / 2)), (trip + time.Second) / 2}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.clock.known || r.unsure < p.clock.unsure {
		p.clock = r
	}
}

// wrong tells whether the clock differs for certain.
func (r clockReading) wrong() bool { return r.known && r.ahead.Abs()-r.unsure > clockTolerance }

// doctorClock compares the clocks of all parts with this machine's.
func doctorClock(x *examination) result.Check {
	var f result.Check
	read, most := 0, time.Duration(0)
	for _, name := range slices.Sorted(maps.Keys(x.parts)) {
		r := x.parts[name].clock
		if !r.known {
			continue
		}
		read++
		most = max(most, r.ahead.Abs())
		if r.wrong() {
			x.skewed = append(x.skewed, name)
		}
	}
	if read == 0 {
		return result.Skip("no part has told its time")
	}
	if len(x.skewed) == read && read > 1 {
		low, high := x.spread()
		if high-low <= 2*clockTolerance { // they agree with each other
			f.Fail("this machine's clock is %s the %d others, which agree", apart(-low), read).
				Fix = "set it by NTP: timedatectl set-ntp true"
			return f
		}
	}
	for _, name := range x.skewed {
		f.Fail("the clock of %s, %s, is %s this machine's", x.parts[name].what, remote.Address(x.parts[name].base), apart(x.parts[name].clock.ahead)).
			Fix = "set that machine's clock by NTP: timedatectl set-ntp true (a container has the clock of its machine)"
	}
	f.Detail = fmt.Sprintf("%s within %s", cli.Count(read, "clock"), cli.Spell(max(most, time.Second)))
	return f
}

// spread is the least and the most that a clock is ahead of this machine's.
func (x *examination) spread() (low, high time.Duration) {
	first := true
	for _, p := range x.parts {
		if !p.clock.known {
			continue
		}
		if first {
			low, high, first = p.clock.ahead, p.clock.ahead, false
		}
		low, high = min(low, p.clock.ahead), max(high, p.clock.ahead)
	}
	return low, high
}

// apart says how far a clock is off, as exactly as can be known.
func apart(ahead time.Duration) string {
	if ahead < 0 {
		return ahead.Abs().Round(clockTolerance).String() + " behind"
	}
	return ahead.Round(clockTolerance).String() + " ahead of"
}
