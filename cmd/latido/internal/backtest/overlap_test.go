package backtest

import (
	"fmt"
	"testing"
	"time"
)

// TestOverlap: a time in which several alerts fire counts once, and what a rule
// would have done is told from its beginning on.
func TestOverlap(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines   [][]int // at which evaluations each alert's condition held
		total   time.Duration
		want    string
		longest string
	}{
		"one":        {[][]int{{2, 3, 4}}, 3 * time.Minute, "[{0 2 5 false}]", "{0 2 5 false}"},
		"overlap":    {[][]int{{3, 4, 5}, {1, 2, 3}}, 5 * time.Minute, "[{1 1 4 false} {0 3 6 false}]", "{1 1 4 false}"},
		"inside":     {[][]int{{3, 4}, {1, 2, 3, 4, 5}}, 5 * time.Minute, "[{1 1 6 false} {0 3 5 false}]", "{1 1 6 false}"},
		"side by":    {[][]int{{4, 5}, {2, 3}}, 4 * time.Minute, "[{1 2 4 false} {0 4 6 false}]", "{1 2 4 false}"},
		"apart":      {[][]int{{1}, {5, 6}}, 3 * time.Minute, "[{0 1 2 false} {1 5 7 false}]", "{1 5 7 false}"},
		"to the end": {[][]int{{8, 9}}, time.Minute, "[{0 8 9 true}]", "{0 8 9 true}"},
		"never":      {[][]int{{}}, 0, "[]", "{0 0 0 false}"},
	} {
		p := &replayed{grid: grid{step: time.Minute, n: 10}}
		for _, at := range c.lines {
			p.lines = append(p.lines, line{at: at})
		}
		f := p.at(0)
		if f.total != c.total || fmt.Sprint(f.episodes) != c.want || fmt.Sprint(f.longest) != c.longest {
			t.Errorf("%s: %v, %v, the longest %v; want %v, %s, %s", name, f.total, f.episodes, f.longest, c.total, c.want, c.longest)
		}
	}
}

// TestGridTo: the parts of a time end with it, and leave nothing of it out.
func TestGridTo(t *testing.T) {
	t.Parallel()
	to := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	for length, parts := range map[time.Duration]int{0: 1, time.Second: 1, time.Hour: 1, time.Hour + time.Second: 2, 6 * time.Hour: 6} {
		g := gridTo(to.Add(-length), to, time.Hour)
		if g.n != parts || !g.time(g.n-1).Equal(to) || g.time(0).Add(-time.Hour).After(to.Add(-length)) {
			t.Errorf("%v: %d parts, from %v to %v", length, g.n, g.time(0), g.time(g.n-1))
		}
	}
}
