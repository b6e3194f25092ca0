package evidence

import (
	"testing"
	"time"

	"github.com/latido-dev/latido/internal/alert"
)

// TestSameEpisode: a resend has the start of the first alert, to the second. After a
// restart two minutes may lie between them, by one of both times.
func TestSameEpisode(t *testing.T) {
	at, never := second(1e6), time.Time{}
	for name, c := range map[string]struct {
		restored        bool
		started, active time.Duration // after those that are known
		want            bool
	}{
		"a resend":                      {false, 0, 0, true},
		"a second later":                {false, time.Second, 0, true},
		"a second earlier":              {false, -time.Second, 0, true},
		"another":                       {false, time.Second + 1, 0, false},
		"restored":                      {true, restartSlack, time.Hour, true},
		"restored, by its condition":    {true, time.Hour, -restartSlack, true},
		"restored, and another by both": {true, restartSlack + 1, restartSlack + 1, false},
	} {
		e := &episode{restored: c.restored, starts: at, activeAt: at}
		if got := e.same(alert.Alert{StartsAt: at.Add(c.started), ActiveAt: at.Add(c.active)}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if (&episode{restored: true, starts: at, activeAt: at}).same(alert.Alert{StartsAt: never, ActiveAt: never}) {
		t.Error("an alert without times is the same")
	}
}
