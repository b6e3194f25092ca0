package page

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
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
