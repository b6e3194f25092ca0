package continuous

import (
	"testing"
	"time"
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
}
