package prom

import (
	"testing"
	"time"
)

// Data are fresh until two and a half scrapes after the newest, and a gap begins
// there; one scrape may be lost.
func TestFreshness(t *testing.T) {
	t.Parallel()
	begun := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	after := func(seconds int) time.Time { return begun.Add(time.Duration(seconds) * time.Second) }
	f := newFreshness(10*time.Second, time.Minute, begun)
	want := func(at int, fresh bool, covered, before int) {
		t.Helper()
		if is, length, gap := f.at(after(at)); is != fresh || length != time.Duration(covered)*time.Second || !gap.Equal(after(before)) {
			t.Errorf("at %d s: fresh %v for %v, since a gap of %v; want %v, %d s, %d s", at, is, length, gap.Sub(begun), fresh, covered, before)
		}
	}
	want(1, false, 0, 0)
	f.scraped(after(10), true)
	want(35, true, 25, 0)
	want(36, false, 0, 0)
	f.scraped(after(35), true) // in time: no gap
	want(40, true, 30, 0)
	f.scraped(after(61), true) // after one
	want(62, true, 1, 60)
	f.scraped(after(71), false)
	want(72, false, 0, 60)
	f.scraped(after(81), true)
	want(82, true, 1, 86)
}

// A scrape that is not answered in time is only late for as long as grace says,
// from the newest that was, at first from the start.
func TestLateEdge(t *testing.T) {
	t.Parallel()
	begun := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	f := newFreshness(10*time.Second, time.Minute, begun)
	for _, since := range []time.Time{begun, begun.Add(time.Hour)} {
		if !f.late(since.Add(time.Minute-1)) || f.late(since.Add(time.Minute)) {
			t.Errorf("since %v: want late for less than a minute", since)
		}
		f.scraped(begun.Add(time.Hour), true)
	}
}
