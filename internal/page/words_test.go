package page

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/internal/humanize"
)

func TestWords(t *testing.T) {
	es, en := words{humanize.Of("es")}, words{}
	for got, want := range map[string]string{
		es.Number(1234.0): "1234", es.Number(12345.0): "12.345", en.Number(1234.0): "1,234", es.Number(0.126): "0,126", es.Number(-3.5): "−3,5",
		es.Number(0.004): "0,004", en.Number(-0.00123): "−0.00123", en.Number(-12_345.0): "−12,345", en.Percent(-0.126): "−13 %", en.Percent(-0.0001): "0 %", en.Bytes(1023.0): "1,023 B",
		es.Number(nil): "–", en.Number(math.NaN()): "–", en.Number(math.Inf(1)): "–", es.Number((*float64)(nil)): "–", es.Number(52_300_000.0): "52,3 M", en.Number(7.2e12): "7,200 bn",
		en.Seconds(0.0000123): "12.3 µs", en.Seconds(0.01234): "12.3 ms", es.Seconds(1.5): "1,5 s", en.Seconds(300.0): "5 min", en.Seconds(90_000.0): "25 h", es.Seconds(200_000.0): "2 días", en.Seconds(0.0): "0 s",
		en.Percent(0.1234): "12 %", es.Figure(5.88, "s"): "5,9 s", es.Figure(91.0, "%"): "91 %", en.Figure(1536.0, "By"): "1.5 KiB", es.Figure(0.06, "1"): "6 %", es.Figure(2.0, ""): "2", es.Figure(nil, "s"): "–", en.Percent(0.0123): "1.2 %", es.Bytes(1536.0): "1,5 KiB", en.Bytes(3e12): "2,794 GiB", en.Since(time.Time{}): "–",
		en.Cut(strings.Repeat("😀", 100_000)): strings.Repeat("😀", 200) + "…", en.Cut("a\xffb"): "a\uFFFDb",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestQuantile(t *testing.T) {
	h := head{words: words{humanize.Of("es")}, durations: []float64{0.001, 0.5, 10}}
	for seconds, want := range map[float64]string{0.00095: "≤ 1 ms", 0.001: "≤ 1 ms", 0.0011: "1,1 ms", 9.9: "9,9 s", 10: "≥ 10 s"} {
		if got := h.Quantile(&seconds); got != want {
			t.Errorf("%v s: %s, want %s", seconds, got, want)
		}
	}
	if got := h.Quantile(nil) + (head{}).Quantile(new(0.5)); got != "–500 ms" {
		t.Errorf("without a figure, and without bounds: %s", got)
	}
}
