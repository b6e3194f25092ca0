package am

import (
	"context"
	"maps"
	"slices"
	"strings"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"
)

// unlinked leaves links below an address that only this machine reaches out of
// what another one gets: they would lead nowhere there, or to somebody else.
type unlinked struct {
	notify.Notifier
	local string
}

// Notify implements notify.Notifier.
func (u unlinked) Notify(ctx context.Context, alerts ...*amalert.Alert) (bool, error) {
	alerts = slices.Clone(alerts)
	for i, a := range alerts {
		alerts[i] = withoutLinks(a, u.local)
	}
	return u.Notifier.Notify(ctx, alerts...)
}

// withoutLinks is an alert without its links below an address. Alerts are shared
// by all receivers, so that it is another one.
func withoutLinks(a *amalert.Alert, local string) *amalert.Alert {
	out := *a
	below := func(link string) bool { return strings.HasPrefix(link, strings.TrimSuffix(local, "/")+"/") }
	if below(out.GeneratorURL) {
		out.GeneratorURL = ""
	}
	out.Annotations = maps.Clone(a.Annotations)
	maps.DeleteFunc(out.Annotations, func(_ model.LabelName, value model.LabelValue) bool { return below(string(value)) })
	return &out
}
