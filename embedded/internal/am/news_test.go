package am

import (
	"testing"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"
)

// TestNews: what a receiver was told of is no news, at a reminder all that fires
// is, and an alert of which nothing is told costs only itself.
func TestNews(t *testing.T) {
	t.Parallel()
	alertOf := func(name string, ended bool) *amalert.Alert {
		a := &amalert.Alert{Alert: model.Alert{Labels: model.LabelSet{"alertname": model.LabelValue(name)}, StartsAt: time.Now().Add(-time.Hour)}}
		if ended {
			a.EndsAt = time.Now().Add(-time.Minute)
		}
		return a
	}
	// The hashes are of those of each kind, in their order.
	resolved, first, second := alertOf("Ended", true), alertOf("First", false), alertOf("Second", false)
	all := []*amalert.Alert{resolved, first, second}
	for name, c := range map[string]struct {
		resolved []uint64 // nil where the receiver hears of no end
		reason   notify.NotifyReason
		told     *nflogpb.Entry
		want     [3]bool
	}{
		"nobody was told":  {[]uint64{9}, notify.ReasonFirstNotification, nil, [3]bool{true, true, true}},
		"no end is told":   {nil, notify.ReasonFirstNotification, nil, [3]bool{false, true, true}},
		"one is new":       {[]uint64{9}, notify.ReasonNewAlertsInGroup, &nflogpb.Entry{FiringAlerts: []uint64{1}}, [3]bool{true, false, true}},
		"the end was told": {[]uint64{9}, notify.ReasonNewAlertsInGroup, &nflogpb.Entry{FiringAlerts: []uint64{1, 2}, ResolvedAlerts: []uint64{9}}, [3]bool{false, false, false}},
		"reminder":         {[]uint64{9}, notify.ReasonRepeatIntervalElapsed, &nflogpb.Entry{FiringAlerts: []uint64{1, 2}, ResolvedAlerts: []uint64{9}}, [3]bool{false, true, true}},
	} {
		ctx := notify.WithNotificationReason(notify.WithResolvedAlerts(notify.WithFiringAlerts(t.Context(), []uint64{1, 2}), c.resolved), c.reason)
		n := newsOf(ctx, c.told, all)
		if got := [3]bool{n.fresh[resolved.Fingerprint()], n.fresh[first.Fingerprint()], n.fresh[second.Fingerprint()]}; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
