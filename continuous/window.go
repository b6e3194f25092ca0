package continuous

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/pprof/profile"
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
		looks += rounds(parsed)
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

// valueIndex is the place of a sample type, -1 if the profile has none.
func valueIndex(p *profile.Profile, sampleType string) int {
	for i, t := range p.SampleType {
		if t.Type == sampleType {
			return i
		}
	}
	return -1
}

// rounds is how often the goroutines of a capture were looked at.
func rounds(p *profile.Profile) int {
	for _, c := range p.Comments {
		if n, ok := strings.CutPrefix(c, "rounds="); ok {
			if n, err := strconv.Atoi(n); err == nil {
				return n
			}
		}
	}
	return 1
}

// label is the first value of a sample's label.
func label(s *profile.Sample, name string) string {
	if v := s.Label[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}
