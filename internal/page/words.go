package page

import (
	"math"
	"strings"
	"time"

	"github.com/latido-dev/latido/internal/humanize"
)

// words writes texts and figures in the domain's language.
type words struct{ humanize.Language }

// none is what stands where there is no figure.
const none = "–"

// Number writes a figure with three digits that matter, or all of a whole one.
// It takes a float64 or a pointer to one, as the others do.
func (w words) Number(figure any) string {
	v, ok := float(figure)
	switch size := math.Abs(v); {
	case !ok:
		return none
	case size >= 1e10:
		return w.grouped(w.Language.Number(math.Round(v/1e8)/10)) + w.T(" bn", " mil M")
	case size >= 1e7:
		return w.grouped(w.Language.Number(math.Round(v/1e5)/10)) + " M"
	}
	return w.grouped(w.Language.Number(v))
}

// grouped writes the number that a text begins with as in print: with a minus,
// and a mark at each thousand. In Spanish four digits have none.
func (w words) grouped(text string) string {
	digits := strings.TrimPrefix(text, "-")
	end := strings.IndexFunc(digits, func(c rune) bool { return c < '0' || c > '9' })
	if end < 0 {
		end = len(digits)
	}
	whole, rest := digits[:end], digits[end:]
	for i := end - 3; i > 0 && (end > 4 || !w.Spanish); i -= 3 {
		whole = whole[:i] + w.T(",", ".") + whole[i:]
	}
	if len(digits) < len(text) {
		whole = "−" + whole
	}
	return whole + rest
}

func float(figure any) (float64, bool) {
	switch v := figure.(type) {
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	case *float64:
		if v != nil {
			return float(*v)
		}
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	}
	return 0, false
}

// Float is a figure that may be missing, or 0.
func (w words) Float(figure *float64) float64 { return value(figure) }

// Seconds writes a length of time.
func (w words) Seconds(figure any) string {
	v, ok := float(figure)
	switch {
	case !ok:
		return none
	case v == 0:
		return "0 s"
	case v < 0.001:
		return w.Number(v*1e6) + " µs"
	case v < 1:
		return w.Number(math.Round(v*1e4)/10) + " ms"
	case v < 120:
		return w.Number(math.Round(v*10)/10) + " s"
	case v < 7200:
		return w.Number(math.Round(v/60)) + " min"
	case v < 172800:
		return w.Number(math.Round(v/3600)) + " h"
	}
	return w.Number(math.Round(v/86400)) + w.T(" days", " días")
}

// Percent writes a ratio, 0 to 1.
func (w words) Percent(figure any) string {
	v, ok := float(figure)
	if !ok {
		return none
	}
	return w.grouped(w.Language.Percent(v))
}

// Bytes writes a size.
func (w words) Bytes(figure any) string {
	v, ok := float(figure)
	if !ok {
		return none
	}
	return w.grouped(w.Language.Bytes(v))
}

// Figure writes a figure in a unit of UCUM.
func (w words) Figure(figure any, unit string) string {
	switch _, ok := float(figure); {
	case !ok:
		return none
	case unit == "s":
		return w.Seconds(figure)
	case unit == "By":
		return w.Bytes(figure)
	case unit == "1":
		return w.Percent(figure)
	}
	return strings.TrimSpace(w.Number(figure) + " " + unit)
}

// Since writes how long ago a time was.
func (w words) Since(t time.Time) string {
	if t.IsZero() {
		return none
	}
	return w.Seconds(math.Round(max(time.Since(t).Seconds(), 0)))
}

// Clock writes a time.
func (w words) Clock(t time.Time) string {
	if t.IsZero() {
		return none
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// Cut shortens what a label may have in it, so that no text takes the page.
func (w words) Cut(text string) string {
	const most = 200
	count := 0
	for i := range text {
		if count == most {
			text = text[:i] + "…"
			break
		}
		count++
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
