package page

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The size of a small line in its own units; the style sheet says how large it
// is on the screen.
const (
	sparkWidth  = 120.0
	sparkHeight = 24.0
	sparkPoints = 60
)

// Spark is the path of a small line that begins at zero. Of many figures it
// shows the largest of each few; where there is none, it has a gap.
func (w words) Spark(line []*float64) string {
	most := 0.0
	for _, v := range line {
		most = max(most, value(v))
	}
	if most == 0 {
		return ""
	}
	var path strings.Builder
	chunks := slices.Collect(slices.Chunk(line, (len(line)+sparkPoints-1)/sparkPoints))
	drawn := false
	for i, chunk := range chunks {
		var v *float64
		for _, one := range chunk {
			if one != nil && (v == nil || *one > *v) {
				v = one
			}
		}
		x, y := sparkWidth*float64(i)/max(float64(len(chunks)-1), 1), 1+(sparkHeight-2)*(1-value(v)/most)
		switch {
		case v == nil:
		case drawn:
			fmt.Fprintf(&path, "L%.1f %.1f", x, y)
		default:
			fmt.Fprintf(&path, "M%.1f %.1fh0.01", x, y) // a single figure is a point
		}
		drawn = v != nil
	}
	return path.String()
}

// Bar is a share's length, of 100.
func (w words) Bar(share float64) string {
	return strconv.FormatFloat(min(max(share, 0), 1)*100, 'f', 1, 64)
}
