package page

import (
	"math"
	"strconv"
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
	if !ok {
		return none
	}
	size := math.Abs(v)
	if size >= 1e7 {
		for _, unit := range []string{"M", w.T("bn", "mil M")} {
			if v, size = v/1000, size/1000; unit == "M" {
				v, size = v/1000, size/1000
			}
			if size < 1e4 || unit != "M" {
				return w.Number(math.Round(v*10)/10) + " " + unit
			}
		}
	}
	decimals := 0
	switch {
	case v == math.Trunc(v) || size >= 100:
	case size >= 10:
		decimals = 1
	default:
		decimals = 2
	}
	whole, part, _ := strings.Cut(strconv.FormatFloat(v, 'f', decimals, 64), ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "−", whole[1:]
	}
	for i := len(whole) - 3; i > 0 && (len(whole) > 4 || !w.Spanish); i -= 3 {
		whole = whole[:i] + w.T(",", ".") + whole[i:]
	}
	if part = strings.TrimRight(part, "0"); part != "" {
		part = w.T(".", ",") + part
	}
	return sign + whole + part
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
	v *= 100
	if v >= 10 {
		v = math.Round(v)
	}
	return w.Number(math.Round(v*10)/10) + " %"
}

// Bytes writes a size.
func (w words) Bytes(figure any) string {
	v, ok := float(figure)
	if !ok {
		return none
	}
	for _, unit := range []string{"B", "KiB", "MiB"} {
		if math.Abs(v) < 1024 {
			return w.Number(v) + " " + unit
		}
		v /= 1024
	}
	return w.Number(v) + " GiB"
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
	if runes := []rune(text[:min(len(text), 4*most)]); len(text) > most && len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
