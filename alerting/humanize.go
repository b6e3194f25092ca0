package alerting

import (
	"fmt"
	"math"
)

// four writes a number with the four digits that Prometheus' templates show.
func four(v float64) string { return fmt.Sprintf("%.4g", v) }

// humanize writes a number as Prometheus' template function of that name:
// with a metric prefix.
func humanize(v, base float64, prefixes string) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return four(v)
	}
	prefix := ""
	if math.Abs(v) >= 1 {
		for _, p := range prefixes {
			if math.Abs(v) < base {
				break
			}
			prefix, v = string(p), v/base
		}
		return four(v) + prefix
	}
	for _, p := range "munpfazy" {
		if math.Abs(v) >= 1 {
			break
		}
		prefix, v = string(p), v*1000
	}
	return four(v) + prefix
}

// humanize1024 is the same with the prefixes of powers of two.
func humanize1024(v float64) string {
	if math.Abs(v) <= 1 || math.IsNaN(v) || math.IsInf(v, 0) {
		return four(v)
	}
	prefix := ""
	for _, p := range []string{"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"} {
		if math.Abs(v) < 1024 {
			break
		}
		prefix, v = p, v/1024
	}
	return four(v) + prefix
}
