package continuous

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestRing(t *testing.T) {
	r := ring{maxBytes: 1000, keep: time.Minute}
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	add := func(k kind, seconds, size int) {
		r.add(capture{k, at(seconds), at(seconds + 10), make([]byte, size)})
	}
	want := func(what string, k kind, from, to time.Time, n int) {
		t.Helper()
		if got := len(r.between(k, from, to)); got != n {
			t.Errorf("%s: %d captures, want %d", what, got, n)
		}
	}
	add(kindCPU, 0, 10)
	add(kindHeap, 0, 10)
	add(kindCPU, 10, 10)
	want("all", kindCPU, time.Time{}, time.Time{}, 2)
	want("of the other kind", kindHeap, time.Time{}, time.Time{}, 1)
	want("the first half of the first", kindCPU, at(0), at(5), 1)
	want("over the edge", kindCPU, at(5), at(15), 2)
	want("only touching", kindCPU, at(20), at(30), 0)

	add(kindCPU, 65, 10) // the two that ended 65 s before its end are too old
	want("after a minute", kindCPU, time.Time{}, time.Time{}, 2)
	want("after a minute", kindHeap, time.Time{}, time.Time{}, 0)
	if _, dropped := r.size(); dropped != 0 {
		t.Errorf("%d dropped for lack of space, want only for age", dropped)
	}

	for i := range 100 {
		add(kindCPU, 70, 100+i)
		if bytes, _ := r.size(); bytes > 1000 {
			t.Fatalf("%d bytes in a ring of 1000", bytes)
		}
	}
	want("the newest", kindCPU, time.Time{}, time.Time{}, 3)
	add(kindCPU, 75, 2000)
	want("beside one larger than the ring", kindCPU, time.Time{}, time.Time{}, 3)
	if _, dropped := r.size(); dropped == 0 {
		t.Error("nothing counted as dropped")
	}
	_, before := r.size()
	add(kindHeap, 75, 1000-captureOverhead+1)
	if _, dropped := r.size(); dropped != before+1 {
		t.Errorf("%d dropped, and then %d", before, dropped)
	}
	want("one byte larger than the ring", kindHeap, time.Time{}, time.Time{}, 0)
	add(kindHeap, 75, 1000-captureOverhead)
	want("as large as the ring", kindHeap, time.Time{}, time.Time{}, 1)
	want("beside it", kindCPU, time.Time{}, time.Time{}, 0)

	r = ring{maxBytes: 1000, keep: time.Minute}
	add(kindCPU, 0, 10)
	add(kindCPU, 60, 10)
	want("as old as the ring keeps them", kindCPU, time.Time{}, time.Time{}, 2)
	r = ring{maxBytes: 1000, keep: time.Minute}
	add(kindCPU, 0, 500)
	add(kindCPU, 60, 500)
	if _, dropped := r.size(); dropped != 1 {
		t.Errorf("%d dropped, want the one that is as old as the ring keeps them", dropped)
	}
}

// TestAnyRing compares the ring with a list of all that was added: what is kept is
// the newest of it, without a hole, within the bounds, and the count of bytes is
// that of what is kept.
func TestAnyRing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := ring{maxBytes: rapid.IntRange(300, 3000).Draw(t, "bytes"), keep: time.Duration(rapid.IntRange(1, 100).Draw(t, "seconds")) * time.Second}
		if rapid.Bool().Draw(t, "coarse") {
			r.coarseBytes, r.coarseKeep = r.maxBytes, 12*r.keep
		}
		now := time.Unix(1e9, 0)
		var all []capture
		for range rapid.IntRange(1, 60).Draw(t, "captures") {
			from := now
			now = now.Add(time.Duration(rapid.IntRange(1, 20).Draw(t, "length")) * time.Second)
			c := capture{kind(rapid.IntRange(0, 1).Draw(t, "kind")), from, now, make([]byte, rapid.IntRange(0, 400).Draw(t, "size"))}
			r.add(c)
			if len(c.data)+captureOverhead > r.maxBytes {

				continue
			}
			all = append(all, c)
		}
		if len(all) == 0 {
			return
		}
		newest := all[len(all)-1].to
		keep := r.keep
		if r.coarseBytes > 0 {
			keep += r.keep // two steps of a half: until they are in a coarse one
		}
		// The model: from the newest back, as long as they fit and are young enough.
		bytes, first := 0, len(all)
		for first > 0 {
			c := all[first-1]
			if bytes+len(c.data)+captureOverhead > r.maxBytes || newest.Sub(c.to) > keep {
				break
			}
			bytes += len(c.data) + captureOverhead
			first--
		}
		kept := all[first:]
		if got, _ := r.size(); got > r.maxBytes || got != sizeOf(r.list) {
			t.Fatalf("%d bytes of at most %d, in captures of %d", got, r.maxBytes, sizeOf(r.list))
		}
		if len(r.list) > len(kept) || len(r.list) > 0 && !r.list[len(r.list)-1].to.Equal(newest) {
			t.Fatalf("%d captures are kept, want the newest %d", len(r.list), len(kept))
		}
		from := now.Add(-time.Duration(rapid.IntRange(0, 300).Draw(t, "from")) * time.Second)
		to := from.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "range")) * time.Second)
		for k := range kind(2) {
			var between, ended []time.Time
			for _, c := range r.list {
				if c.kind != k || newest.Sub(c.to) > r.keep {
					continue
				}
				if c.from.Before(to) && c.to.After(from) {
					between = append(between, c.from)
				}
				if c.to.After(from) && !c.to.After(to) {
					ended = append(ended, c.from)
				}
			}
			if got := begins(r.between(k, from, to)); !slices.Equal(got, between) {
				t.Fatalf("between %v and %v: %v, want %v", from, to, got, between)
			}
			if got := begins(r.endedIn(k, from, to)); !slices.Equal(got, ended) {
				t.Fatalf("ended in %v to %v: %v, want %v", from, to, got, ended)
			}
		}
		// One range after the other has each capture once.
		half := from.Add(to.Sub(from) / 2)
		for k := range kind(2) {
			whole := begins(r.endedIn(k, from, to))
			if parts := append(begins(r.endedIn(k, from, half)), begins(r.endedIn(k, half, to))...); half.After(from) && !slices.Equal(whole, parts) {
				t.Fatalf("%v to %v has %v, its halves %v", from, to, whole, parts)
			}
		}
	})
}

func sizeOf(list []capture) (bytes int) {
	for _, c := range list {
		bytes += len(c.data) + captureOverhead
	}
	return bytes
}

func begins(list []capture) (all []time.Time) {
	for _, c := range list {
		all = append(all, c.from)
	}
	return all
}
