package continuous

import (
	"context"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/google/pprof/profile"
)

// What leaves the ring is merged into coarser captures, which reach back twelve
// times as far, two hours by default, in half of the ring's bytes.
const (
	coarseReach   = 12 // times Keep
	coarseSteps   = 2 * coarseReach
	coarseSamples = 2000 // the heaviest; the others are added up

	// mergedAtOnce windows are read at a time: more would need more memory, and
	// fewer would merge the sum more often.
	mergedAtOnce = 6
)

// coarseKinds are merged. Of all goroutines one capture in a while is kept, and
// leaks and gaps are of the ring alone.
var coarseKinds = []kind{kindCPU, kindHeap, kindGoroutine, kindMutex, kindBlock, kindStacks}

// step is the length of a coarse capture.
func (r *ring) step() time.Duration { return r.keep / 2 }

// due is what the next coarse capture of a kind is made of, oldest first: what
// is older than the ring keeps, of one step. It is nil while that is not all
// there is of the step.
func (r *ring) due(k kind) (group []capture) {
	r.mu.Lock()
	defer r.mu.Unlock()
	step := r.step()
	if k == kindStacks {
		step = r.keep
	}
	if step <= 0 || r.coarseBytes == 0 {
		return nil
	}
	var end time.Time
	for _, c := range r.list {
		if c.kind != k {
			continue
		}
		if end.IsZero() {
			end = c.from.Truncate(step).Add(step)
			if r.newest.Sub(end) <= r.keep {
				return nil
			}
		}
		if !c.mostlyIn(time.Time{}, end) {
			break
		}
		group = append(group, c)
	}
	return group
}

// exchange puts a coarse capture in the place of those that it was made of, at
// once: whoever reads meanwhile has either. Without one, they are forgotten.
func (r *ring) exchange(group []capture, c *capture) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = slices.DeleteFunc(slices.Clone(r.list), func(old capture) bool {
		gone := slices.ContainsFunc(group, func(g capture) bool {
			return g.kind == old.kind && g.from.Equal(old.from) && g.to.Equal(old.to)
		})
		if gone {
			r.bytes -= len(old.data) + captureOverhead
		}
		return gone
	})
	if c == nil {
		return
	}
	r.coarse = append(r.coarse, *c)
	r.coarseSize += len(c.data) + captureOverhead
	old := 0
	for old < len(r.coarse) && (r.coarseSize > r.coarseBytes || r.newest.Sub(r.coarse[old].to) > r.keep+r.coarseKeep) {
		r.coarseSize -= len(r.coarse[old].data) + captureOverhead
		r.coarse[old] = capture{}
		old++
	}
	r.coarse = append(r.coarse[:0:0], r.coarse[old:]...)
}

// reach returns the captures of a kind that chosen wants, coarse ones and those
// of the ring, oldest first. chosen is called with the lock held.
func (r *ring) reach(k kind, chosen func(capture) bool) (coarse, list []capture) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := func(all []capture) (found []capture) {
		for _, c := range all {
			if c.kind == k && chosen(c) {
				found = append(found, c)
			}
		}
		return found
	}
	return of(r.coarse), of(r.list)
}

// coarsen merges what leaves the ring, until Stop. It is no part of the window's
// loop: a merge takes longer than a window should wait.
func (p *Profiler) coarsen() {
	defer close(p.coarsened)
	// A goroutine inherits the labels of the one that started it.
	pprof.SetGoroutineLabels(context.Background())
	for next := 0; ; {
		select {
		case <-p.quit:
			return
		case <-p.aged:
		}
		// A large piece of work after each window, and no more.
		merged := 0
		for range coarseKinds {
			p.guard(func() {
				n, err := p.coarsenOne(coarseKinds[next%len(coarseKinds)])
				merged += n
				p.drop(err)
			})
			next++
			if merged > mergedAtOnce {
				break
			}
		}
	}
}

// coarsenOne makes a coarse capture of a kind, if one is due, and returns of how
// many windows. What cannot be read is forgotten, so that it is not tried for
// ever.
func (p *Profiler) coarsenOne(k kind) (n int, err error) {
	group := p.ring.due(k)
	if len(group) == 0 {
		return 0, nil
	}
	var c *capture
	defer func() { p.ring.exchange(group, c) }()
	whole := group
	if k == kindStacks {
		whole = group[len(group)-1:]
	}
	var sum *profile.Profile
	length := time.Duration(0)
	for batch := range slices.Chunk(whole, mergedAtOnce) {
		select {
		case <-p.quit:
			c, group = nil, nil // the ring keeps them as they are
			return 0, nil
		default:
		}
		var parsed []*profile.Profile
		if sum != nil {
			parsed = append(parsed, sum)
		}
		for _, w := range batch {
			one, err := w.parse()
			if err != nil {
				return len(group), err
			}
			length += w.to.Sub(w.from)
			parsed = append(parsed, one)
		}
		if sum, err = merge(k, parsed); err != nil {
			return len(group), err
		}
		if sum, err = heaviestSamples(sum, 2*coarseSamples); err != nil {
			return len(group), err
		}
	}
	if sum, err = addUpSpans(sum); err != nil {
		return len(group), err
	}
	sum.DurationNanos = int64(length)
	data, err := p.ring.fitted(sum)
	if err == nil {
		c = &capture{k, group[0].from, group[len(group)-1].to, data}
	}
	return len(group), err
}

// fitted writes a profile with its heaviest samples, so that all the steps of
// all kinds have room.
func (r *ring) fitted(sum *profile.Profile) ([]byte, error) {
	limit := r.coarseBytes/(coarseSteps*len(coarseKinds)) - captureOverhead
	for n := coarseSamples; ; n /= 2 {
		var err error
		if sum, err = heaviestSamples(sum, n); err != nil {
			return nil, err
		}
		data, err := encoded(sum)
		if err != nil || len(data) <= limit || n <= 1 {
			return data, err
		}
	}
}
