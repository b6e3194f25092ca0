package domain

import (
	"slices"
	"testing"
	"time"
)

// TestLimitsAreBounds: on which side of a limit a quantile lies is known only
// where the limit is a bound, and where it can be read beyond the limit too.
func TestLimitsAreBounds(t *testing.T) {
	at := func(f float64) *Quantity { return quantity(f) }
	for name, c := range map[string]struct {
		d    Domain
		key  string
		want []float64 // all must be bounds
		not  []float64
	}{
		"inside":          {Domain{Thresholds: []Threshold{{Metric: "response_duration", Stat: StatP95, Above: at(2)}}}, "response_duration", []float64{1, 2, 2.5}, []float64{4}},
		"default stat":    {Domain{Thresholds: []Threshold{{Metric: "response_duration", Above: at(2)}}}, "response_duration", []float64{2}, nil},
		"below":           {Domain{Thresholds: []Threshold{{Metric: "function_duration", Stat: StatP50, Below: at(0.0015)}}}, "function_duration", []float64{0.001, 0.0015, 0.0025}, nil},
		"below the first": {Domain{Thresholds: []Threshold{{Metric: "response_duration", Below: at(0.0003)}}}, "response_duration", []float64{0.0003, 0.001}, nil},
		"at the top":      {Domain{Thresholds: []Threshold{{Metric: "response_duration", Above: at(10)}}}, "response_duration", []float64{10, 20}, nil},
		"beyond":          {Domain{Thresholds: []Threshold{{Metric: "response_duration", Above: at(12)}}}, "response_duration", []float64{10, 12, 24}, nil},
		"an hour":         {Domain{Thresholds: []Threshold{{Metric: "function_duration", Above: at(3600)}}}, "function_duration", []float64{3600, 7200}, nil},
		"two":             {Domain{Thresholds: []Threshold{{Metric: "response_duration", Above: at(12)}, {Metric: "response_duration", Stat: StatP99, Above: at(24)}}}, "response_duration", []float64{12, 24, 48}, nil},
		"of one route":    {Domain{Thresholds: []Threshold{{Metric: "response_duration", Where: map[string]string{"endpoint": "/x"}, Above: at(0.3)}}}, "response_duration", []float64{0.3}, nil},
		"of another":      {Domain{Thresholds: []Threshold{{Metric: "response_duration", Above: at(2)}}}, "function_duration", nil, []float64{2}},
		"after another":   {Domain{Thresholds: []Threshold{{Metric: "function_duration", Above: at(2)}, {Metric: "response_duration", Above: at(3)}}}, "response_duration", []float64{3}, []float64{2}},
		"of answers":      {Domain{SLOs: []SLO{{Good: Good{Status: "!~5.."}}}}, "response_duration", nil, []float64{0}},
		"no quantile":     {Domain{Thresholds: []Threshold{{Metric: "response_duration", Stat: StatRate, Above: at(2)}, {Metric: "response_duration", Stat: StatMean, Above: at(3)}}}, "response_duration", nil, []float64{2, 3}},
		"objective":       {Domain{SLOs: []SLO{{Good: Good{FasterThan: Duration(300 * time.Millisecond)}}}}, "response_duration", []float64{0.3}, nil},
		"given":           {Domain{Buckets: Buckets{ResponseDuration: []Quantity{0.1, 60, 3600}}, Thresholds: []Threshold{{Metric: "response_duration", Above: at(90)}}}, "response_duration", []float64{0.1, SlowResponse, 60, 90, 3600}, []float64{0.001, 180}},
		"default rule":    {Domain{Buckets: Buckets{ResponseDuration: []Quantity{0.1}}}, "response_duration", []float64{0.1, SlowResponse, 2 * SlowResponse}, nil},
		"no default rule": {Domain{Buckets: Buckets{ResponseDuration: []Quantity{0.1}}, DefaultRules: DefaultRules{Disable: []string{"response_p95"}}}, "response_duration", []float64{0.1}, []float64{SlowResponse}},
		"no rules":        {Domain{Buckets: Buckets{ResponseDuration: []Quantity{0.1}}, DefaultRules: DefaultRules{Disable: []string{"all"}}}, "response_duration", []float64{0.1}, []float64{SlowResponse}},
		"no other rule":   {Domain{Buckets: Buckets{ResponseDuration: []Quantity{0.1}}, DefaultRules: DefaultRules{Disable: []string{"disk"}}}, "response_duration", []float64{0.1, SlowResponse}, nil},
		"the longest":     {Domain{Thresholds: []Threshold{{Metric: "response_duration", Above: at(maxDuration.Seconds())}}}, "response_duration", []float64{maxDuration.Seconds()}, nil},
		"at the bottom":   {Domain{Events: []Event{{Name: "saldo", Kind: KindHistogram, Buckets: []float64{-10, 10}}}, Thresholds: []Threshold{{Event: "saldo", Below: at(-10)}}}, "saldo", []float64{-20, -10, 10}, nil},
		"given functions": {Domain{Buckets: Buckets{FunctionDuration: []Quantity{60, 3600}}}, "function_duration", []float64{60, 3600}, []float64{SlowResponse, 10}},
		"event":           {Domain{Events: []Event{{Name: "valor", Kind: KindHistogram, Buckets: []float64{10, 100}}}, Thresholds: []Threshold{{Event: "valor", Above: at(250)}}}, "valor", []float64{10, 100, 250, 500}, nil},
		"event at 0":      {Domain{Events: []Event{{Name: "valor", Kind: KindHistogram, Buckets: []float64{10, 100}}}, Thresholds: []Threshold{{Event: "valor", Above: at(0)}}}, "valor", []float64{0, 10}, nil},
		"signed below":    {Domain{Events: []Event{{Name: "saldo", Kind: KindHistogram, Buckets: []float64{-10, 10}}}, Thresholds: []Threshold{{Event: "saldo", Below: at(-50)}}}, "saldo", []float64{-100, -50, -10, 10}, nil},
		"signed above":    {Domain{Events: []Event{{Name: "saldo", Kind: KindHistogram, Buckets: []float64{-10, -5}}}, Thresholds: []Threshold{{Event: "saldo", Above: at(-5)}}}, "saldo", []float64{-10, -5, 0}, nil},
		"signed at 0":     {Domain{Events: []Event{{Name: "saldo", Kind: KindHistogram, Buckets: []float64{-10, -5}}}, Thresholds: []Threshold{{Event: "saldo", Above: at(0)}}}, "saldo", []float64{-5, 0, 1}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c.d.Prefix = "tienda"
			m, _ := c.d.Metric(c.key)
			if !slices.IsSorted(m.Buckets) || len(slices.Compact(slices.Clone(m.Buckets))) != len(m.Buckets) {
				t.Errorf("bounds out of order: %v", m.Buckets)
			}
			for _, b := range c.want {
				if !slices.Contains(m.Buckets, b) {
					t.Errorf("%v is no bound: %v", b, m.Buckets)
				}
			}
			for _, b := range c.not {
				if slices.Contains(m.Buckets, b) {
					t.Errorf("%v is a bound: %v", b, m.Buckets)
				}
			}
		})
	}
	if !slices.Contains(durationBuckets, 0.001) || durationBuckets[len(durationBuckets)-1] != 10 || len(defaultBuckets) != 15 {
		t.Error("the defaults changed: limits go into a copy")
	}
}
