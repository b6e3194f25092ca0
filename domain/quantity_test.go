package domain

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/latido-dev/latido/internal/testkit"
)

func TestParseQuantity(t *testing.T) {
	for text, want := range map[string]string{
		"2s": "2", "300ms": "0.3", "1.5s": "1.5", "1h30m": "5400", "30d": "2592000", "80%": "80", "0.5 %": "0.5",
		"256MiB": "268435456", "1.5GB": "1500000000", "10 KiB": "10240", "7B": "7", " 42 ": "42", "-5": "-5", "1e6": "1000000", ".25": "0.25",
	} {
		q, err := ParseQuantity(text)
		testkit.Error(t, err, "")
		if q.String() != want {
			t.Errorf("ParseQuantity(%q) = %s, want %s", text, q, want)
		}
	}
	for _, text := range []string{"", "%", "B", "two", "2 apples", "80%%", "inf", "NaN", "1e999", "1e308TiB", "2s3", "0x"} {
		_, err := ParseQuantity(text)
		testkit.Error(t, err, "is no quantity: write a number")
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]string{"90s": "1m30s", "300ms": "300ms", "0": "0s", "30d": "30d", " 5m ": "5m", "14d": "2w"} {
		d, err := parseDuration(text)
		testkit.Error(t, err, "")
		if d.String() != want {
			t.Errorf("parseDuration(%q) = %s, want %s", text, d, want)
		}
	}
	for _, text := range []string{"", "-5m", "5", "1.5s", "5 m", "1m1h", "400y400y"} {
		_, err := parseDuration(text)
		testkit.Error(t, err, "is no duration: write one such as")
	}
	type timed struct{ For Duration }
	data, err := json.Marshal(timed{Duration(time.Minute)})
	if err != nil || string(data) != `{"For":"1m"}` {
		t.Errorf("JSON: %s, %v", data, err)
	}
	var back timed
	if err := json.Unmarshal(data, &back); err != nil || back.For != Duration(time.Minute) {
		t.Errorf("JSON back: %v, %v", back, err)
	}
}

// TestEveryUnit: each unit is worth what its standard says, IEC 80000-13 for those
// of two, SI for those of ten.
func TestEveryUnit(t *testing.T) {
	t.Parallel()
	worth := map[string]float64{
		"B": 1, "KB": 1000, "MB": 1000 * 1000, "GB": 1000 * 1000 * 1000, "TB": 1000 * 1000 * 1000 * 1000,
		"KiB": 1024, "MiB": 1024 * 1024, "GiB": 1024 * 1024 * 1024, "TiB": 1024 * 1024 * 1024 * 1024,
	}
	for _, z := range sizes {
		if worth[z.suffix] == 0 {
			t.Errorf("%s: what is it worth?", z.suffix)
		}
	}
	for suffix, bytes := range worth {
		q, unit, err := parseQuantity("3" + suffix)
		if err != nil || float64(q) != 3*bytes || unit != "By" {
			t.Errorf("3%s is %v %s, %v, want %v By", suffix, q, unit, err, 3*bytes)
		}
	}
	for text, want := range map[string]float64{"1ns": 1e-9, "1us": 1e-6, "1µs": 1e-6, "1ms": 1e-3, "1s": 1, "1m": 60, "1h": 3600, "1d": 86400, "1w": 7 * 86400, "1y": 365 * 86400} {
		if q, unit, err := parseQuantity(text); err != nil || float64(q) != want || unit != "s" {
			t.Errorf("%s is %v %s, %v, want %v s", text, q, unit, err, want)
		}
	}
}

// TestAnyQuantity: a number is what it was, whatever it is and whatever its unit.
func TestAnyQuantity(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Float64Range(-1e12, 1e12).Draw(t, "number")
		text := strconv.FormatFloat(n, rapid.SampledFrom([]byte("gfe")).Draw(t, "format"), -1, 64)
		unit := rapid.SampledFrom([]struct {
			text, unit string
			factor     float64
		}{{"", "", 1}, {"%", "%", 1}, {"s", "s", 1}, {"KB", "By", 1e3}, {"MiB", "By", 1 << 20}, {"B", "By", 1}}).Draw(t, "unit")
		space := ""
		if unit.unit != "s" {
			space = rapid.SampledFrom([]string{"", " ", "\t"}).Draw(t, "space")
		}
		q, got, err := parseQuantity(" " + text + space + unit.text + " ")
		if err != nil || float64(q) != n*unit.factor || got != unit.unit {
			t.Fatalf("%q is %v %q, %v, want %v %q", text+unit.text, float64(q), got, err, n*unit.factor, unit.unit)
		}
		if back, err := ParseQuantity(q.String()); err != nil || math.Abs(float64(back-q)) > 0 {
			t.Fatalf("%v is written %s, which is %v, %v", float64(q), q, float64(back), err)
		}
	})
}

// TestAnyDuration: what is written is what was read, in milliseconds.
func TestAnyDuration(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(0, math.MaxInt64/1_000_000).Draw(t, "milliseconds")
		d := Duration(time.Duration(ms) * time.Millisecond)
		for _, text := range []string{d.String(), fmt.Sprintf("%dms", ms)} {
			if back, err := parseDuration(text); err != nil || back != d {
				t.Fatalf("%s is %v, %v, want %v", text, back, err, d)
			}
		}
	})
}
