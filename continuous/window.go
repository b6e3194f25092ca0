package continuous

import (
	"fmt"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

// parse reads a capture.
func (c capture) parse() (*profile.Profile, error) {
	p, err := profile.ParseData(c.data)
	if err != nil {
		return nil, fmt.Errorf("profile of %s: %w", c.from.Format(time.TimeOnly), err)
	}
	return p, nil
}

// merged adds the captures of a kind and a range up to one profile, nil if
// there is none.
func (p *Profiler) merged(k kind, from, to time.Time) (*profile.Profile, error) {
	captures := p.ring.between(k, from, to)
	if len(captures) == 0 {
		return nil, nil
	}
	return merge(k, captures)
}

// merge adds captures up. What is in use at the end of each window is not
// added up: the last one's stands. How often goroutines were looked at is.
func merge(k kind, captures []capture) (*profile.Profile, error) {
	profiles, looks := make([]*profile.Profile, len(captures)), 0
	for i, c := range captures {
		parsed, err := c.parse()
		if err != nil {
			return nil, err
		}
		if k == kindHeap && i < len(captures)-1 {
			dropInUse(parsed)
		}
		looks += stacks.Rounds(parsed)
		profiles[i] = parsed
	}
	all, err := profile.Merge(profiles)
	if err != nil {
		return nil, fmt.Errorf("merge %d profiles: %w", len(profiles), err)
	}
	if k == kindGoroutine {
		all.Comments = []string{fmt.Sprintf("rounds=%d", looks)}
	}
	return all, nil
}

func dropInUse(p *profile.Profile) {
	for i, t := range p.SampleType {
		if strings.HasPrefix(t.Type, "inuse_") {
			for _, s := range p.Sample {
				s.Value[i] = 0
			}
		}
	}
}
