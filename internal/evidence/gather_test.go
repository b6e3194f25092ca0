package evidence

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/internal/cause"
)

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// TestSeriesAsked: samples are asked for from a lookback before the window until now; of
// an alert that is older than twenty minutes those of its beginning, and of the last ten.
func TestSeriesAsked(t *testing.T) {
	now := second(1e6)
	before := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, c := range map[string]struct {
		active time.Time
		want   []cause.Range
	}{
		"what is now":     {time.Time{}, []cause.Range{{From: before(15 * time.Minute), To: now}}},
		"a young one":     {before(time.Minute), []cause.Range{{From: before(16 * time.Minute), To: now}}},
		"twenty minutes":  {before(20 * time.Minute), []cause.Range{{From: before(35 * time.Minute), To: now}}},
		"more than these": {before(20*time.Minute + 1), []cause.Range{{From: before(35*time.Minute + 1), To: before(20*time.Minute + 1)}, {From: before(10 * time.Minute), To: now}}},
	} {
		var asked []cause.Range
		r := &Recorder{cfg: Config{Series: func(_ context.Context, ranges ...cause.Range) ([]cause.Series, error) {
			asked = ranges
			return nil, nil
		}}}
		got := r.series(t.Context(), cause.Input{Now: now, Alert: cause.Alert{ActiveAt: c.active, Window: 5 * time.Minute}})
		if !slices.Equal(asked, c.want) {
			t.Errorf("%s: asked for %v, want %v", name, asked, c.want)
		}
		if got == nil {
			t.Errorf("%s: an empty answer is none", name)
		}
	}
}

// TestStoreFails: a store that fails is told of once, and one that was not waited for is
// not.
func TestStoreFails(t *testing.T) {
	fails := errors.New("out of memory")
	for name, c := range map[string]struct {
		done   bool
		logged int
	}{"it fails": {false, 1}, "nobody waits": {true, 0}} {
		var log strings.Builder
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if c.done {
			cancel()
		}
		f := &fleet{shopStore: load(t, failing()), fails: fails}
		r := start(t, Config{Logger: logTo(&log), Fleet: f, ReleaseAfter: -1})
		found, notes := r.fleetProfiles(ctx, cause.Input{Domain: shop})
		if found.CPU.After != nil || len(notes) == 0 {
			t.Errorf("%s: %+v, %q", name, found, notes)
		}
		if err := r.Stop(t.Context()); err != nil { // until it has read all kinds
			t.Fatal(err)
		}
		if n := strings.Count(log.String(), "out of memory"); n != c.logged {
			t.Errorf("%s: logged %d times: %s", name, n, log.String())
		}

		log.Reset()
		r = start(t, Config{Logger: logTo(&log), Series: func(context.Context, ...cause.Range) ([]cause.Series, error) { return nil, fails }})
		if got := r.series(ctx, cause.Input{Now: second(0)}); got != nil {
			t.Errorf("%s: %v", name, got)
		}
		if n := strings.Count(log.String(), "out of memory"); n != c.logged {
			t.Errorf("%s: logged %d times: %s", name, n, log.String())
		}
	}
}

// TestToldEarly: what is told before all is read is a cause. That there is none is said
// when all is read, and not before.
func TestToldEarly(t *testing.T) {
	for want, findings := range map[int][]cause.Finding{1: nil, 2: {{Kind: "lock", Sentence: "A lock is held."}}} {
		explain, _ := explains(findings...)
		r := start(t, Config{Series: oneSeries, explain: explain, Timeout: time.Minute})
		var told []found
		r.find(t.Context(), cause.Input{Domain: shop, Now: time.Now()}, func(f found) { told = append(told, f) })
		if len(told) != want {
			t.Errorf("told %d times of %d findings", len(told), len(findings))
		}
	}
}

// TestTimesCompared: what is compared are the times that the engine chose, and halves of
// the alert's time where it found none.
func TestTimesCompared(t *testing.T) {
	in := cause.Input{Domain: shop, Now: second(1e6), Alert: cause.Alert{Window: time.Minute}}
	for _, c := range []struct{ chosen, want cause.Times }{{twice, twice}, {cause.Times{}, halves(in)}} {
		explain, given := explains()
		r := start(t, Config{explain: explain, compared: func(cause.Input) cause.Times { return c.chosen }, Timeout: time.Minute})
		if f := r.find(t.Context(), in, func(found) {}); f.input.Times != c.want || given.Load().Times != c.want {
			t.Errorf("compared are %v, want %v", f.input.Times, c.want)
		}
	}
}

// TestHalves: the alert's window is compared with as much before it: of an alert that is
// older than ten minutes those, and of a window of nothing a second.
func TestHalves(t *testing.T) {
	now := second(1e6)
	for name, c := range map[string]struct {
		active       time.Time
		window, want time.Duration
	}{
		"now":            {time.Time{}, time.Minute, time.Minute},
		"two minutes":    {now.Add(-2 * time.Minute), time.Minute, 3 * time.Minute},
		"an hour":        {now.Add(-time.Hour), time.Minute, recent},
		"without window": {now, 0, time.Second},
	} {
		got := halves(cause.Input{Now: now, Alert: cause.Alert{ActiveAt: c.active, Window: c.window}})
		if from := now.Add(-c.want); got.After != (cause.Range{From: from, To: now}) || got.Before != (cause.Range{From: from.Add(-c.want), To: from}) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestDiskGrew: it is how much of the disk was used up since the time before, of the
// disk that grew the most.
func TestDiskGrew(t *testing.T) {
	disk := func(values ...float64) cause.Series {
		s := cause.Series{Name: "tienda_disk_usage"}
		for i, v := range values {
			s.Points = append(s.Points, cause.Point{At: second(float64(100 * i)), Value: v})
		}
		return s
	}
	m, _ := shop.Metric("disk_usage")
	in := cause.Input{Domain: shop, Times: twice, Series: []cause.Series{{Name: "another"}, disk(), disk(10, 12, 14, 17), disk(10, 20, 25, 50), disk(50, 50, 50, 60)}}
	for i := range in.Series[1:] {
		in.Series[i+1].Name = m.Family
	}
	if got := diskGrew(in); got != 0.25 {
		t.Errorf("it grew by %v", got)
	}
}

// TestSentenceOfInstances: three instances are named at most, and nobody where it is
// about all, or the only one.
func TestSentenceOfInstances(t *testing.T) {
	for _, c := range []struct {
		names string
		of    int
		want  string
	}{
		{"", 3, "It fails."}, {"a", 1, "It fails."}, {"a", 2, "a (1 of 2 instances): It fails."}, {"a b c", 9, "a, b, c (3 of 9 instances): It fails."}, {"a b c d", 9, "a, b, c… (4 of 9 instances): It fails."},
	} {
		if got := (chosen{names: strings.Fields(c.names), of: c.of}).sentence("It fails."); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if got := (chosen{of: 2, names: []string{"a"}}).sentence(""); got != "" {
		t.Errorf("of no sentence %q", got)
	}
}
