package continuous

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/profiles"
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
// there is none. Without a beginning it is what the ring has.
func (p *Profiler) merged(k kind, from, to time.Time) (*profile.Profile, error) {
	captures := p.ring.between(k, from, to)
	if !from.IsZero() {
		captures = slices.Concat(p.ring.reach(k, func(c capture) bool { return c.overlaps(from, to) }))
	}
	if len(captures) == 0 {
		return nil, nil
	}
	parsed, err := parseAll(captures)
	if err != nil {
		return nil, err
	}
	return merge(k, parsed)
}

func parseAll(captures []capture) (list []*profile.Profile, err error) {
	for _, c := range captures {
		one, err := c.parse()
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

// merge adds profiles of windows up, the oldest first. What is in use at the end
// of each window is not added up: the last one's stands. How often goroutines
// were looked at is.
func merge(k kind, parsed []*profile.Profile) (*profile.Profile, error) {
	looks := 0
	for i, one := range parsed {
		if k == kindHeap && i < len(parsed)-1 {
			dropInUse(one)
		}
		looks += stacks.Rounds(one)
	}
	all, err := profile.Merge(parsed)
	if err != nil {
		return nil, fmt.Errorf("merge %d profiles: %w", len(parsed), err)
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

// settled returns a capture whose samples are settled, and what it says. It is
// done once, when the capture is made, so that reports, pages, evidence and
// Pyroscope agree (BenchmarkSettle). The profile is nil where no sample is
// labelled, which costs little to find out.
func (c capture) settled(depth int) (capture, *profile.Profile, error) {
	raw, err := gunzip(c.data, maxTables)
	if err != nil {
		return c, nil, fmt.Errorf("profile of %s: %w", c.from.Format(time.TimeOnly), err)
	}
	if !slices.ContainsFunc([]string{profiles.LabelEndpoint, profiles.LabelMethod, profiles.LabelRegion}, func(name string) bool { return bytes.Contains(raw, []byte(name)) }) {
		return c, nil, nil
	}
	parsed, err := profile.ParseUncompressed(raw)
	if err != nil {
		return c, nil, fmt.Errorf("profile of %s: %w", c.from.Format(time.TimeOnly), err)
	}
	if profiles.Settle(parsed, depth) {
		data, err := encoded(parsed)
		if err != nil {
			return c, nil, err
		}
		c.data = data
	}
	return c, parsed, nil
}
