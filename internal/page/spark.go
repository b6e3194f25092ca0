package page

import (
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
	few := (len(line) + sparkPoints - 1) / sparkPoints
	most := 0.0
	for _, v := range line {
		most = max(most, value(v))
	}
	if few == 0 || most == 0 {
		return ""
	}
	var path strings.Builder
	n, drawn := (len(line)+few-1)/few, false
	for i := range n {
		var v *float64
		for _, one := range line[i*few : min((i+1)*few, len(line))] {
			if one != nil && (v == nil || *one > *v) {
				v = one
			}
		}
		if v == nil {
			drawn = false
			continue
		}
		x, y := sparkWidth*float64(i)/max(float64(n-1), 1), 1+(sparkHeight-2)*(1-*v/most)
		if drawn {
			path.WriteByte('L')
		} else {
			path.WriteByte('M')
		}
		path.WriteString(strconv.FormatFloat(x, 'f', 1, 64) + " " + strconv.FormatFloat(y, 'f', 1, 64))
		if !drawn {
			path.WriteString("h0.01") // a single figure is a point
		}
		drawn = true
	}
	return path.String()
}

// Bar is a share's length, of 100.
func (w words) Bar(share float64) string {
	return strconv.FormatFloat(min(max(share, 0), 1)*100, 'f', 1, 64)
}
