package am

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"
)

// delivery is what happens to the alerts of a group on their way to one
// integration. The stages are Alertmanager's, in its order. Around them are two
// things that it does not do: between tries the alerts are brought up to date,
// or a receiver that was down for minutes would first be told of what is long
// over; and alerts that could not be told are remembered, or one that fires and
// is resolved while its receiver is down would never be told, since the
// notification log knows nothing of it.
type delivery struct {
	dedup, retry, set notify.Stage
	log               *nflog.Log
	recv              *nflogpb.Receiver
	missed            *missed
	newest            func(alerts []*amalert.Alert) []*amalert.Alert
}

var discard = slog.New(slog.DiscardHandler)

// errStale ends the tries of a message that says of an alert what is no more so.
var errStale = errors.New("an alert of this message has changed")

// Exec implements notify.Stage. A group is never in two Exec at once.
func (d *delivery) Exec(ctx context.Context, _ *slog.Logger, alerts ...*amalert.Alert) (context.Context, []*amalert.Alert, error) {
	for {
		// The dispatcher takes alerts in on several goroutines: a group may have of
		// one the state before.
		alerts = d.newest(alerts)
		told, err := d.try(ctx, alerts)
		if !errors.Is(err, errStale) {
			return ctx, told, err
		}
	}
}

func (d *delivery) try(ctx context.Context, alerts []*amalert.Alert) ([]*amalert.Alert, error) {
	group, _ := notify.GroupKey(ctx)
	entry, err := lastEntry(d.log, group, d.recv)
	if err != nil {
		return nil, err
	}
	ctx, told, err := d.dedup.Exec(ctx, discard, alerts...)
	if err != nil {
		return nil, err
	}
	if len(told) == 0 {
		if !d.missed.over(group, alerts) {
			return nil, nil
		}
		told = alerts
		ctx = notify.WithNotificationReason(ctx, notify.ReasonNewResolvedAlerts)
	}
	ctx = context.WithValue(ctx, newsKey{}, newsOf(ctx, entry, alerts))
	ctx = context.WithValue(ctx, staleKey{}, func() bool {
		for i, a := range d.newest(alerts) {
			if a.Resolved() != alerts[i].Resolved() {
				return true
			}
		}
		return false
	})
	ctx, told, err = d.retry.Exec(ctx, discard, told...)
	if err != nil {
		d.missed.add(group, alerts)
		return nil, err
	}
	d.missed.forget(group)
	_, told, err = d.set.Exec(ctx, discard, told...)
	return told, err
}

// staleKey is that of a func() bool: whether a message is out of date.
type staleKey struct{}

// newest are alerts as they are now. A group gives them once, for as long as it
// tries.
func (p *parts) newest(alerts []*amalert.Alert) []*amalert.Alert {
	newest := make([]*amalert.Alert, 0, len(alerts))
	for _, a := range alerts {
		if now, err := p.alerts.Get(a.Fingerprint()); err == nil && now.UpdatedAt.After(a.UpdatedAt) {
			b := *now
			if !b.Resolved() {
				b.EndsAt = time.Time{} // or it might be resolved on the way, by time alone
			}
			a = &b
		}
		newest = append(newest, a)
	}
	return newest
}

// missed are the alerts that fired and could not be told, by group.
type missed struct {
	mu     sync.Mutex
	groups map[string]map[model.Fingerprint]bool
	count  int
}

func newMissed() *missed { return &missed{groups: map[string]map[model.Fingerprint]bool{}} }

func (m *missed) add(group string, alerts []*amalert.Alert) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range alerts {
		if a.Resolved() || m.count >= maxAlerts {
			continue
		}
		if m.groups[group] == nil {
			m.groups[group] = map[model.Fingerprint]bool{}
		}
		if key := a.Fingerprint(); !m.groups[group][key] {
			m.groups[group][key] = true
			m.count++
		}
	}
}

// over tells whether one of the alerts is over that could not be told while it
// fired.
func (m *missed) over(group string, alerts []*amalert.Alert) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range alerts {
		if a.Resolved() && m.groups[group][a.Fingerprint()] {
			return true
		}
	}
	return false
}

func (m *missed) forget(group string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count -= len(m.groups[group])
	delete(m.groups, group)
}

// news says which alerts of a message its receiver has not been told of before
// in their state. A message of Alertmanager has all alerts of the group; the
// log and an action want each state of an alert once.
type news struct {
	fresh map[model.Fingerprint]bool
	// since tells the messages of a group apart: when the one before was
	// delivered.
	since time.Time
}

type newsKey struct{}

// newsOf compares alerts with what the notification log has of their group.
func newsOf(ctx context.Context, entry *nflogpb.Entry, alerts []*amalert.Alert) news {
	n := news{fresh: map[model.Fingerprint]bool{}}
	firing, _ := notify.FiringAlerts(ctx) // hashes, in the order of alerts
	resolved, _ := notify.ResolvedAlerts(ctx)
	reason, _ := notify.NotificationReason(ctx)
	toldFiring, toldResolved := map[uint64]bool{}, map[uint64]bool{}
	if entry != nil {
		n.since = entry.Timestamp.AsTime()
		for _, hash := range entry.FiringAlerts {
			toldFiring[hash] = reason != notify.ReasonRepeatIntervalElapsed
		}
		for _, hash := range entry.ResolvedAlerts {
			toldResolved[hash] = true
		}
	}
	for _, a := range alerts {
		told, hashes := toldFiring, &firing
		if a.Resolved() {
			told, hashes = toldResolved, &resolved
		}
		if len(*hashes) == 0 {
			continue
		}
		n.fresh[a.Fingerprint()] = !told[(*hashes)[0]]
		*hashes = (*hashes)[1:]
	}
	return n
}

// freshOf are those of alerts that their receiver has not been told of.
func freshOf(ctx context.Context, alerts []*amalert.Alert) []*amalert.Alert {
	n, ok := ctx.Value(newsKey{}).(news)
	if !ok {
		return alerts
	}
	var fresh []*amalert.Alert
	for _, a := range alerts {
		if n.fresh[a.Fingerprint()] {
			fresh = append(fresh, a)
		}
	}
	return fresh
}

// lastEntry is what the notification log has of a group and receiver, nil for
// nothing.
func lastEntry(log *nflog.Log, group string, recv *nflogpb.Receiver) (*nflogpb.Entry, error) {
	entries, err := log.Query(nflog.QGroupKey(group), nflog.QReceiver(recv))
	if errors.Is(err, nflog.ErrNotFound) {
		return nil, nil
	}
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	return entries[0], nil
}
