// Package scrape reads /metrics in tests. Only tests import it.
package scrape

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// Text is what /metrics of an admin handler says.
func Text(t testing.TB, admin http.Handler) string {
	t.Helper()
	w := httptest.NewRecorder()
	admin.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("/metrics answers %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// Series are the series of a family with their values, sorted, without the
// family's name: `{canal="web"} 3`.
func Series(text, family string) []string {
	var series []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, family); ok && (rest[0] == '{' || rest[0] == ' ') {
			series = append(series, strings.TrimSpace(rest))
		}
	}
	slices.Sort(series)
	return series
}

// Counted are the series of a family that are not 0.
func Counted(text, family string) []string {
	return slices.DeleteFunc(Series(text, family), func(s string) bool { return s == "0" || strings.HasSuffix(s, " 0") })
}

// Wait waits until a family has counted.
func Wait(t testing.TB, admin http.Handler, family string) {
	t.Helper()
	tick, late := time.NewTicker(time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for len(Counted(Text(t, admin), family)) == 0 {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s has counted nothing in 20 s", family)
		}
	}
}

// Check compares series with those that are wanted, in any order.
func Check(t testing.TB, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("series\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}
