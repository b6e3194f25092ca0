package prom

import (
	"strings"
	"testing"
	"time"
)

// Zero means what the fields of Config say of it.
func TestDefaults(t *testing.T) {
	t.Parallel()
	c, err := Config{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	for name, is := range map[string][2]any{
		"Retention":          {c.Retention, 6 * time.Hour},
		"MaxBytes":           {c.MaxBytes, int64(64 << 20)},
		"MaxSeries":          {c.MaxSeries, 20_000},
		"ScrapeInterval":     {c.ScrapeInterval, 5 * time.Second},
		"EvaluationInterval": {c.EvaluationInterval, 15 * time.Second},
		"Job":                {c.Job, "service"},
		"Instance":           {c.Instance, "localhost"},
		"maxLate":            {c.maxLate, time.Minute},
	} {
		if is[0] != is[1] {
			t.Errorf("%s is %v, want %v", name, is[0], is[1])
		}
	}
}

// The least that a field may have is taken, and what is below it is refused by name,
// with what to write.
func TestLeastOfEach(t *testing.T) {
	t.Parallel()
	if _, err := (Config{Retention: 1, ScrapeInterval: 1, EvaluationInterval: 1, MaxBytes: 1 << 20, MaxSeries: 1, ExternalURL: "http://x/"}).withDefaults(); err != nil {
		t.Error(err)
	}
	for want, c := range map[string]Config{
		"Retention -1ns: write a positive duration, or 0 for 6h0m0s":          {Retention: -1},
		"ScrapeInterval -1ns: write a positive duration, or 0 for 5s":         {ScrapeInterval: -1},
		"EvaluationInterval -1ns: write a positive duration, or 0 for 15s":    {EvaluationInterval: -1},
		"MaxBytes 1048575: write at least 1048576, or 0 for 67108864":         {MaxBytes: 1<<20 - 1},
		"MaxSeries -1: write a positive number, or 0 for 20000":               {MaxSeries: -1},
		"ExternalURL: parse \"http://[\": missing ']' in host":                {ExternalURL: "http://["},
		"MaxSeries -2: write a positive number, or 0 for 20000\nExternalURL:": {MaxSeries: -2, ExternalURL: "http://["},
	} {
		if _, err := c.withDefaults(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
