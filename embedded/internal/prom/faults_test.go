package prom

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/metric/noop"
)

// Each fault is counted always, said once with its error, and said again after it
// was over; another of the same reason is said, too.
func TestFaultsAreSaidOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	f, err := newFaults(noop.NewMeterProvider().Meter(""), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	said := func(text string, times int) {
		t.Helper()
		if n := strings.Count(log.String(), text); n != times {
			t.Errorf("%q is said %d times, want %d:\n%s", text, n, times, log.String())
		}
	}
	for range 3 {
		f.add(faultRule, "Sales cannot be evaluated", errors.New("no such function"), "group", "shop")
		f.add(faultRule, "Visits cannot be evaluated", nil)
	}
	said(`msg="embedded store: Sales cannot be evaluated" group=shop err="no such function"`, 1)
	said("Visits cannot be evaluated", 1)
	f.over(faultRule, "Sales cannot be evaluated")
	f.add(faultRule, "Sales cannot be evaluated", nil)
	f.add(faultRule, "Visits cannot be evaluated", nil)
	said("Sales cannot be evaluated", 2)
	said("Visits cannot be evaluated", 1)
	if n := f.of(faultRule); n != 8 {
		t.Errorf("%d faults of rules, want 8", n)
	}
	f.count(faultSeries, 0) // of a scrape within the limit
	f.count(faultStorm, 4)
	said("more series", 0)
	f.count(faultSeries, 2)
	f.count(faultSeries, 3)
	said("more series", 1)
	if n := f.of(faultSeries); n != 5 {
		t.Errorf("%d samples beyond the limit, want 5", n)
	}
}
