package main

import (
	"math"
	"strconv"
	"strings"
)

// scaling is how a unit is written: its sizes, rising, with what is put after
// the number, and what is put before it.
type scaling struct {
	before string
	sizes  []size
}

type size struct {
	of    float64
	after string
}

var (
	plain   = []size{{1, ""}, {1e3, " K"}, {1e6, " M"}, {1e9, " B"}, {1e12, " T"}}
	seconds = []size{{1e-9, " ns"}, {1e-6, " µs"}, {1e-3, " ms"}, {1, " s"}, {60, " min"}, {3600, " h"}, {86400, " d"}}
	binary  = []size{{1, " B"}, {1 << 10, " KiB"}, {1 << 20, " MiB"}, {1 << 30, " GiB"}, {1 << 40, " TiB"}}
	decimal = []size{{1, " B/s"}, {1e3, " kB/s"}, {1e6, " MB/s"}, {1e9, " GB/s"}}
)

// scalingOf knows the units of our dashboards. Another one is put after the
// number as it is, which is what Grafana does.
func scalingOf(unit string) scaling {
	kind, name, _ := strings.Cut(unit, ":")
	switch kind {
	case "currency":
		return scaling{name + " ", plain}
	case "prefix":
		return scaling{name, []size{{1, ""}}}
	case "suffix":
		return scaling{"", []size{{1, " " + name}}}
	}
	switch unit {
	case "", "short":
		return scaling{"", plain}
	case "none":
		return scaling{"", []size{{1, ""}}}
	case "percent":
		return scaling{"", []size{{1, " %"}}}
	case "percentunit":
		return scaling{"", []size{{0.01, " %"}}}
	case "s":
		return scaling{"", seconds}
	case "ms":
		return scaling{"", times(seconds, 1e3)}
	case "ns":
		return scaling{"", times(seconds, 1e9)}
	case "m":
		return scaling{"", times(seconds, 1.0/60)}
	case "bytes":
		return scaling{"", binary}
	case "Bps":
		return scaling{"", decimal}
	case "reqps":
		return scaling{"", after(plain, " req/s")}
	case "cps":
		return scaling{"", after(plain, " c/s")}
	case "currencyEUR":
		return scaling{"€", plain}
	case "currencyUSD":
		return scaling{"$", plain}
	}
	return scaling{"", []size{{1, " " + unit}}}
}

func times(sizes []size, factor float64) []size {
	var all []size
	for _, s := range sizes {
		all = append(all, size{s.of * factor, s.after})
	}
	return all
}

func after(sizes []size, text string) []size {
	var all []size
	for _, s := range sizes {
		all = append(all, size{s.of, s.after + text})
	}
	return all
}

// sizeOf is the largest that is not above v; of nothing it is the one of 1.
func (s scaling) sizeOf(v float64) size {
	chosen := s.sizes[0]
	for _, z := range s.sizes {
		if v = math.Abs(v); v == 0 && z.of <= 1 || v != 0 && z.of <= v*(1+1e-9) {
			chosen = z
		}
	}
	return chosen
}

// formatted writes a value with about three digits, or with as many decimals
// as the field says.
func (f field) formatted(v float64) string {
	s := scalingOf(f.Unit)
	z := s.sizeOf(v)
	v /= z.of
	decimals := decimalsOf(v)
	if f.Decimals != nil {
		decimals = int(*f.Decimals)
	}
	return s.before + fixed(v, decimals) + z.after
}

// decimalsOf leaves three digits that say something, as Grafana does.
func decimalsOf(v float64) int {
	if v == math.Trunc(v) {
		return 0
	}
	return max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
}

// fixed has no "-0": what is rounded to nothing has no sign.
func fixed(v float64, decimals int) string {
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Trim(text, "-0.") == "" {
		text = strings.TrimPrefix(text, "-")
	}
	return text
}
