package page

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/latido-dev/latido/continuous"
)

// TestSelected: what a visitor writes as a length of time is that or, where it is
// none, what is shown at first.
func TestSelected(t *testing.T) {
	for query, want := range map[string]selection{
		"":                               {Last: 5 * time.Minute, LastText: "5m"},
		"last=90s&before=1h":             {Last: 90 * time.Second, LastText: "90s", Before: time.Hour, BeforeText: "1h"},
		"last=0s&before=0s":              {Last: 5 * time.Minute, LastText: "5m"},
		"last=-1m&before=-1m":            {Last: 5 * time.Minute, LastText: "5m"},
		"last=x&before=x&endpoint=/a":    {Last: 5 * time.Minute, LastText: "5m", Endpoint: "/a"},
		"type=memory&region=f&before=1m": {Last: 5 * time.Minute, LastText: "5m", Region: "f", Before: time.Minute, BeforeText: "1m"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/flame?"+query, nil)
		want.Kind = profileKinds[0]
		if key := r.FormValue("type"); key != "" {
			want.Kind = profileKinds[slices.IndexFunc(profileKinds, func(k profileKind) bool { return k.Key == key })]
		}
		if got := selected(r); got != want {
			t.Errorf("%s\ngot  %+v\nwant %+v", query, got, want)
		}
	}
}

// TestFlameAlone: a profile that nobody wants compared is shown alone, and one that
// is compared with a time of which nothing is kept says so.
func TestFlameAlone(t *testing.T) {
	profiler, err := continuous.Start(continuous.Config{Interval: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := profiler.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	p := New(Config{Profiler: profiler, Get: func(context.Context, string) (int, []byte) { return http.StatusNotFound, nil }})
	ask := func(query string) flameView {
		return p.flame(httptest.NewRequest(http.MethodGet, "/flame?"+query, nil)).(flameView)
	}
	busy, deadline := 0, time.Now().Add(time.Minute)
	for len(ask("").Rows) == 0 && time.Now().Before(deadline) {
		for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); busy++ {
		}
	}
	if v := ask(""); v.Compared || v.Unknown || len(v.Rows) == 0 || v.Rows[0].Before != 0 {
		t.Errorf("alone after %d rounds: %+v", busy, v)
	}
	if v := ask("before=1h"); v.Compared || !v.Unknown || len(v.Rows) == 0 {
		t.Errorf("compared with nothing: %+v", v)
	}
}

// TestLately: of no requests no part failed, and none took any time.
func TestLately(t *testing.T) {
	if perSecond, ratio, p95 := lately(dashboard{}); perSecond != 0 || ratio != nil || p95 != nil {
		t.Errorf("%v a second, %v, %v", perSecond, ratio, p95)
	}
	two := dashboard{}
	two.Endpoints = make([]endpointRow, 3)
	two.Endpoints[0].PerSecond, two.Endpoints[0].ErrorRatio = 30, new(0.1)
	two.Endpoints[1].PerSecond, two.Endpoints[1].ErrorRatio = 10, new(0.5)
	if perSecond, ratio, _ := lately(two); perSecond != 40 || ratio == nil || *ratio != 0.2 {
		t.Errorf("%v a second, %v", perSecond, ratio)
	}
}
