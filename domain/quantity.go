package domain

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// Quantity is a number in its base unit: seconds, bytes, percent or plain. In
// the domain file it may carry a unit: 2s, 300ms, 80%, 256MiB. A percent sign
// leaves the number as it is, since the contract's percentages go to 100.
type Quantity float64

// sizes are the suffixes of a number of bytes, longest first.
var sizes = []struct {
	suffix string
	bytes  float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// ParseQuantity reads a number with an optional unit. It returns an error for
// anything that is not a finite number.
func ParseQuantity(s string) (Quantity, error) {
	q, _, err := parseQuantity(s)
	return q, err
}

// parseQuantity also says in which unit the quantity was written: "%", "By",
// "s", or "" for a plain number.
func parseQuantity(s string) (q Quantity, unit string, err error) {
	text := strings.TrimSpace(s)
	number, factor := text, 1.0
	if n, ok := strings.CutSuffix(text, "%"); ok {
		number, unit = strings.TrimSpace(n), "%"
	} else {
		for _, z := range sizes {
			if n, ok := strings.CutSuffix(text, z.suffix); ok {
				number, factor, unit = strings.TrimSpace(n), z.bytes, "By"
				break
			}
		}
	}
	if f, err := strconv.ParseFloat(number, 64); err == nil && !math.IsInf(f*factor, 0) && !math.IsNaN(f) {
		return Quantity(f * factor), unit, nil
	}
	if n, ok := strings.CutSuffix(text, "s"); ok { // a Duration has no more than nanoseconds
		if f, err := strconv.ParseFloat(n, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return Quantity(f), "s", nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil {
		return seconds(d), "s", nil
	}
	if d, err := parseDuration(text); err == nil {
		return seconds(time.Duration(d)), "s", nil
	}
	return 0, "", fmt.Errorf("%q is no quantity: write a number, or one with a unit such as 300ms, 2s, 80%% or 256MiB", s)
}

// seconds is a length of time as the decimal that a person would write: 1523 ms are
// 1.523 s, which Duration.Seconds, a sum, makes 1.5230000000000001.
func seconds(d time.Duration) Quantity { return Quantity(float64(d) / float64(time.Second)) }

// String writes the quantity as a plain number, as PromQL wants it.
func (q Quantity) String() string { return strconv.FormatFloat(float64(q), 'f', -1, 64) }

// Duration is a length of time as Prometheus writes it: 300ms, 90s, 5m, 1h30m, 30d.
type Duration time.Duration

// parseDuration reads a duration in Prometheus' syntax, which has no negative ones.
func parseDuration(s string) (Duration, error) {
	d, err := model.ParseDuration(strings.TrimSpace(s))
	if err != nil {
		return 0, fmt.Errorf("%q is no duration: write one such as 300ms, 90s, 5m, 1h30m or 30d", s)
	}
	return Duration(d), nil
}

// String writes the duration as the domain file and PromQL have it.
func (d Duration) String() string { return model.Duration(d).String() }

// MarshalText writes the duration as String does, for YAML and JSON.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a duration in Prometheus' syntax. It returns an error for
// anything else, negative durations included.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	*d, err = parseDuration(string(text))
	return err
}

// MarshalYAML writes the domain as the file has it. A limit has its unit where
// the number alone could be meant in another one: 0.5% rather than 0.5.
func (d Domain) MarshalYAML() (any, error) {
	type plain Domain // without this method
	var n yaml.Node
	if err := n.Encode(plain(d)); err != nil {
		return &n, err
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "thresholds" {
			for j, t := range n.Content[i+1].Content {
				d.writeUnits(d.Thresholds[j], t)
			}
		}
	}
	return &n, nil
}

// writeUnits adds to the limits of a threshold the units that they need.
func (d Domain) writeUnits(t Threshold, n *yaml.Node) {
	m, ok := d.Metric(cmp.Or(t.Metric, t.Event))
	if !ok {
		return
	}
	stat := cmp.Or(t.Stat, m.Kind.Stats()[0])
	unit := m.unitOf(stat)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if q := t.quantities()[n.Content[i].Value]; q != nil && meantUnit(float64(*q), unit, stat, m) != "" {
			n.Content[i+1].SetString(n.Content[i+1].Value + unitWord(unit))
		}
	}
}
