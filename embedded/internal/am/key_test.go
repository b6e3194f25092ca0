package am

import (
	"context"
	"testing"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"
)

// TestMessageKey: two messages have one key only if they say the same, of the
// same alerts, to the same receiver, and none was delivered between them: or a
// receiver that drops what it has seen would drop a reminder.
func TestMessageKey(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(-time.Hour)
	type message struct {
		group, receiver string
		since           time.Time
		labels          model.LabelSet
		starts, ends    time.Time
	}
	key := func(change func(*message)) string {
		m := message{"{}:{a=\"b\"}", "hook", at, model.LabelSet{"alertname": "Slow"}, at, time.Time{}}
		if change != nil {
			change(&m)
		}
		ctx := notify.WithReceiverName(notify.WithGroupKey(context.Background(), m.group), m.receiver)
		ctx = context.WithValue(ctx, newsKey{}, news{since: m.since})
		return messageKey(ctx, []*amalert.Alert{{Alert: model.Alert{Labels: m.labels, StartsAt: m.starts, EndsAt: m.ends}}})
	}
	if again := key(nil); again != key(nil) {
		t.Error("the same message has two keys")
	}
	for what, change := range map[string]func(*message){
		"a reminder":         func(m *message) { m.since = m.since.Add(time.Second) },
		"the first one":      func(m *message) { m.since = time.Time{} },
		"another group":      func(m *message) { m.group = "{}:{a=\"c\"}" },
		"another receiver":   func(m *message) { m.receiver = "hook-2" },
		"another alert":      func(m *message) { m.labels = model.LabelSet{"alertname": "Down"} },
		"it fires once more": func(m *message) { m.starts = m.starts.Add(time.Minute) },
		"it is over":         func(m *message) { m.ends = at.Add(time.Minute) },
	} {
		if key(change) == key(nil) {
			t.Errorf("%s has the key of another message", what)
		}
	}
}
