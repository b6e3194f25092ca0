package telemetry

import (
	"math"
	"sync/atomic"
)

// BoundCounter is the series of one combination of attributes. Its zero value
// records nothing. It is safe for concurrent use.
type BoundCounter struct {
	n       *atomic.Int64
	refused *atomic.Int64
}

// maxSmall bounds what is added without a look at the sum. Five hundred
// thousand million such additions bring a sum from 0 to where it overflows.
const maxSmall = 1 << 24

// Add adds n, which must not be negative: a counter that goes down reads as a
// restart. A negative n, and one with which the sum would go beyond
// math.MaxInt64, is left out and counted as refused.
func (b BoundCounter) Add(n int64) {
	if uint64(n) < maxSmall && b.n != nil {
		b.n.Add(n)
		return
	}
	b.addLarge(n)
}

//go:noinline
func (b BoundCounter) addLarge(n int64) {
	if b.n == nil {
		return
	}
	for n >= 0 {
		old := b.n.Load()
		if old < 0 || n > math.MaxInt64-old {
			break
		}
		if b.n.CompareAndSwap(old, old+n) {
			return
		}
	}
	b.refused.Add(1)
}

// total is what a counter says: small additions alone may bring it from just
// below math.MaxInt64 to just beyond, and there it stays.
func total(n *atomic.Int64) int64 {
	if v := n.Load(); v >= 0 {
		return v
	}
	return math.MaxInt64
}

// BoundUpDown is the series of one combination of attributes. Its zero value
// records nothing. It is safe for concurrent use.
type BoundUpDown struct {
	n       *atomic.Int64
	refused *atomic.Int64
}

// maxLevel is how far from 0 large additions bring an up-down counter: from
// there, an overflow is three thousand million small ones away.
const maxLevel = 1 << 61

// Add adds n, which may be negative. Where n, or the sum with it, is beyond
// ±2^61, it is left out and counted as refused.
func (b BoundUpDown) Add(n int64) {
	if int64(int32(n)) != n || b.n == nil { // written so, it is inlined
		b.addLarge(n)
	} else {
		b.n.Add(n)
	}
}

//go:noinline
func (b BoundUpDown) addLarge(n int64) {
	if b.n == nil {
		return
	}
	for -maxLevel <= n && n <= maxLevel {
		old := b.n.Load()
		if sum := old + n; sum < -maxLevel || sum > maxLevel {
			break
		}
		if b.n.CompareAndSwap(old, old+n) {
			return
		}
	}
	b.refused.Add(1)
}
