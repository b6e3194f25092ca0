package continuous

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/profiles"
)

// Labels that tell requests apart make a sample of its own out of each that the
// profiler takes: a window of a busy server is many times as large with them.
// They are for Pyroscope, which makes no series of them, and for whoever
// fetches the last windows from here for it. What is older, and whatever is
// added up here, goes without.
var requestLabels = []string{
	profiles.LabelSpanID,
	"trace_id", // set by github.com/grafana/otel-profiling-go
}

// spansKept is how long the ring's windows keep those labels after their end:
// longer than /debug/pprof/profile lets anybody wait.
func (c *Config) spansKept() time.Duration { return maxProfileSeconds*time.Second + 2*c.Interval }

// dropSpans takes those labels off the CPU windows that are too old for them.
// It is called once in each window, so that there is one to read, mostly.
func (p *Profiler) dropSpans(at time.Time) {
	limit := at.Add(-p.cfg.spansKept())
	for _, c := range p.ring.endedIn(kindCPU, p.noSpans, limit) {
		data, err := withoutSpans(c.data)
		if err != nil {
			p.drop(err)
			continue
		}
		p.ring.replace(c, data)
	}
	p.noSpans = limit
}

// replace changes what a capture holds, if it is still there.
func (r *ring) replace(c capture, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, old := range r.list {
		if old.kind == c.kind && old.from.Equal(c.from) && old.to.Equal(c.to) {
			r.bytes += len(data) - len(old.data)
			r.list[i].data = data
			return
		}
	}
}

// withoutSpans returns a profile without the labels that tell requests apart,
// and with the samples added up that are the same now. It is the profile itself
// if it has none of them, which costs little to find out.
func withoutSpans(data []byte) ([]byte, error) {
	if !mentions(data, requestLabels) {
		return data, nil
	}
	p, err := profile.ParseData(data)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	p, err = addUpSpans(p)
	if err != nil {
		return nil, err
	}
	return encoded(p)
}

// encoded is a profile as pprof reads it, in bytes of its own size.
func encoded(p *profile.Profile) ([]byte, error) {
	var buf bytes.Buffer
	if err := p.Write(&buf); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return bytes.Clone(buf.Bytes()), nil
}

// addUpSpans is withoutSpans for a profile that has been read, which it may
// change. It is the same one if there is nothing to add up.
func addUpSpans(p *profile.Profile) (*profile.Profile, error) {
	changed := false
	for _, s := range p.Sample {
		for _, name := range requestLabels {
			if _, ok := s.Label[name]; ok {
				delete(s.Label, name)
				changed = true
			}
		}
	}
	if !changed {
		return p, nil
	}
	sum, err := profile.Merge([]*profile.Profile{p})
	if err != nil {
		return nil, fmt.Errorf("add up samples: %w", err)
	}
	return sum, nil
}

// mentions reports whether one of the names may be in a gzipped profile. It
// reads the bytes only, some ten times as fast as the profile.
func mentions(data []byte, names []string) bool {
	raw, err := gunzip(data, maxTables) // whoever reads the profile says what is wrong
	return err != nil || slices.ContainsFunc(names, func(name string) bool { return bytes.Contains(raw, []byte(name)) })
}

var errTooLarge = errors.New("too large to be read")

// gunzip returns errTooLarge, wrapped, for more than limit bytes.
func gunzip(data []byte, limit int64) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = fmt.Errorf("more than %d bytes: %w", limit, errTooLarge)
	}
	return raw, err
}
