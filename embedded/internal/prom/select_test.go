package prom

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/latido-dev/latido/internal/cause"
)

// filled is a store that scrapes nothing, with so many series of so many
// samples, a second apart, that end now. value is of the i-th sample.
func filled(t *testing.T, series, samples int, value func(i int) float64) *Server {
	t.Helper()
	s := start(t, Config{ScrapeInterval: time.Second, EvaluationInterval: time.Hour, MaxSeries: 2 * maxSelected})
	app := s.store.taker().Appender(t.Context())
	for n := range series {
		l := labels.FromStrings("__name__", "shop_orders_total", "n", strconv.Itoa(n))
		for i := range samples {
			if _, err := app.Append(0, l, time.Now().Add(time.Duration(i-samples)*time.Second).UnixMilli(), value(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, other := range []string{"up", "shopping_total", "scrape_duration_seconds", "ALERTS"} {
		if _, err := app.Append(0, labels.FromStrings("__name__", other), time.Now().UnixMilli(), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	return s
}

func lastMinutes(s *Server, n int) cause.Range {
	return cause.Range{From: time.Now().Add(-time.Duration(n) * time.Minute), To: time.Now()}
}

// The samples are those that were stored, of the service's series and of up.
func TestSelect(t *testing.T) {
	t.Parallel()
	s := filled(t, 3, 60, func(i int) float64 {
		if i == 30 {
			return math.NaN()
		}
		return float64(i)
	})
	found, err := s.Select(t.Context(), "shop", lastMinutes(s, 5))
	if err != nil || len(found) != 4 {
		t.Fatalf("%d series, %v", len(found), err)
	}
	for _, one := range found {
		if one.Name == "up" {
			continue
		}
		if one.Name != "shop_orders_total" || one.Labels["n"] == "" || one.Labels["__name__"] != "" || len(one.Points) != 59 || one.Points[58].Value != 59 {
			t.Errorf("%s %v with %d samples", one.Name, one.Labels, len(one.Points))
		}
	}
	// Two ranges of one series are one series, without what lies between them.
	parts, err := s.Select(t.Context(), "shop", cause.Range{From: time.Now().Add(-time.Hour), To: time.Now().Add(-50 * time.Second)}, cause.Range{From: time.Now().Add(-10 * time.Second), To: time.Now()})
	if err != nil || len(parts) != 4 {
		t.Fatalf("%d series, %v", len(parts), err)
	}
	for _, one := range parts {
		if n := len(one.Points); one.Name != "up" && (n < 15 || n > 25) {
			t.Errorf("%d samples of 20 seconds", n)
		}
	}
}

// Of 20,000 series there are some samples each, the last one and the reset of a
// counter among them.
func TestSelectManySeries(t *testing.T) {
	t.Parallel()
	s := filled(t, maxSelected, 60, func(i int) float64 { return float64(i % 31) })
	began := time.Now()
	found, err := s.Select(t.Context(), "shop", lastMinutes(s, 20))
	t.Logf("took %v", time.Since(began))
	if err != nil || len(found) != maxSelected {
		t.Fatalf("%d series, %v", len(found), err)
	}
	points := 0
	for _, one := range found {
		points += len(one.Points)
		if one.Name != "up" && (len(one.Points) < 4 || one.Points[len(one.Points)-1].Value != 28 || !hasReset(one.Points)) {
			t.Fatalf("%v", one.Points)
		}
	}
	if points > 2*maxPoints {
		t.Errorf("%d samples", points)
	}
}

func hasReset(points []cause.Point) bool {
	for i := range points[1:] {
		if points[i].Value == 30 && points[i+1].Value == 0 {
			return true
		}
	}
	return false
}

// Who asks the store for everything over HTTP holds up nobody who selects.
func TestSelectBesideQueries(t *testing.T) {
	t.Parallel()
	s := filled(t, 2000, 300, func(i int) float64 { return float64(i) })
	var dashboards sync.WaitGroup
	for range 20 {
		dashboards.Go(func() {
			query := url.Values{"query": {"sum(rate(shop_orders_total[1m])) + count_over_time(vector(1)[1h:100ms])"}, "step": {"1"},
				"start": {fmt.Sprint(time.Now().Add(-10 * time.Minute).Unix())}, "end": {fmt.Sprint(time.Now().Unix())}}
			s.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/api/v1/query_range?"+query.Encode(), nil).WithContext(t.Context()))
		})
	}
	longest := time.Duration(0)
	for range 5 {
		began := time.Now()
		if found, err := s.Select(t.Context(), "shop", lastMinutes(s, 15)); err != nil || len(found) != 2001 {
			t.Errorf("%d series, %v", len(found), err)
		}
		longest = max(longest, time.Since(began))
	}
	t.Logf("took %v at most", longest)
	if longest > 10*time.Second { // an engine that is asked so lets others wait for as long
		t.Errorf("took %v beside queries", longest)
	}
	dashboards.Wait()
}

// A series that has no number in the time is left out.
func TestSelectNothing(t *testing.T) {
	t.Parallel()
	s := filled(t, 1, 10, func(int) float64 { return math.NaN() })
	found, err := s.Select(t.Context(), "shop", lastMinutes(s, 5))
	if err != nil || len(found) != 1 || found[0].Name != "up" {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestThin: samples are as far apart as has all series within the bound, over all
// ranges together, and where there are so many series that none has two, each has two.
func TestThin(t *testing.T) {
	t.Parallel()
	now := time.Now()
	minutes := func(n int) cause.Range { return cause.Range{From: now.Add(-time.Duration(n) * time.Minute), To: now} }
	for _, row := range []struct {
		series int64
		ranges []cause.Range
		want   time.Duration
	}{
		{0, []cause.Range{minutes(1)}, 0},
		{maxPoints / 60, []cause.Range{minutes(1)}, 0},
		{maxPoints / 60, []cause.Range{minutes(1), minutes(1)}, 2 * time.Second},
		{maxPoints / 6, []cause.Range{minutes(1)}, 10 * time.Second},
		{maxPoints / 2, []cause.Range{minutes(1)}, 30 * time.Second},
		{maxPoints, []cause.Range{minutes(1), minutes(3)}, 2 * time.Minute},
	} {
		if got := thin(row.series, time.Second, row.ranges); got != row.want {
			t.Errorf("%d series, %d ranges: %v, want %v", row.series, len(row.ranges), got, row.want)
		}
	}
}
