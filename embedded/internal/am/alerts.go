package am

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"
)

// resolvedKept is for how long an alert that is over is kept in the file of
// alerts: long enough for its group to tell it after a restart.
const resolvedKept = 5 * time.Minute

// maxOutage is how long a process may be gone for its alerts to go on: as long as
// the rules have them go on.
const maxOutage = time.Hour

// savedAlert is an alert in the file of alerts. Alertmanager itself keeps none:
// its Prometheus sends them again. In one process both end at once, and an alert
// that is over when the process comes back would never be resolved for those
// who were told of it.
type savedAlert struct {
	Labels       model.LabelSet `json:"labels"`
	Annotations  model.LabelSet `json:"annotations,omitempty"`
	GeneratorURL string         `json:"generatorURL,omitempty"`
	StartsAt     time.Time      `json:"startsAt"`
	EndsAt       time.Time      `json:"endsAt,omitzero"` // zero while it fires
	SeenAt       time.Time      `json:"seenAt"`          // when the rules last said so, about
}

// saveAlerts writes the alerts that fire, and those that were just resolved.
func (s *Server) saveAlerts(w io.Writer) (int64, error) {
	now := time.Now()
	pending := s.parts.alerts.GetPending()
	defer pending.Close()
	saved := []savedAlert{}
	for next := range pending.Next() {
		a := next.Data
		one := savedAlert{Labels: a.Labels, Annotations: a.Annotations, GeneratorURL: a.GeneratorURL, StartsAt: a.StartsAt.Round(0),
			SeenAt: a.UpdatedAt.Round(0).Truncate(s.resolve / 5)} // not to write the file each time
		if a.Resolved() {
			if now.Sub(a.EndsAt) > resolvedKept {
				continue
			}
			one.EndsAt = a.EndsAt.Round(0)
		}
		saved = append(saved, one)
	}
	slices.SortFunc(saved, func(a, b savedAlert) int {
		if a.Labels.Before(b.Labels) {
			return -1
		}
		return 1
	})
	b, err := json.Marshal(saved)
	if err != nil {
		return 0, err
	}
	n, err := w.Write(b)
	return int64(n), err
}

// loadAlerts takes in what saveAlerts wrote. An alert that fired does so until
// the rules have had the time to say otherwise. One of a process that has been gone
// for too long is over: it ended when the process did.
func (s *Server) loadAlerts(p *parts, r io.Reader) error {
	var saved []savedAlert
	if err := json.NewDecoder(r).Decode(&saved); err != nil {
		return err
	}
	now := time.Now()
	var alerts []*amalert.Alert
	for _, one := range saved {
		a := &amalert.Alert{UpdatedAt: now, Timeout: true, Alert: model.Alert{
			Labels: one.Labels, Annotations: one.Annotations, GeneratorURL: one.GeneratorURL, StartsAt: one.StartsAt, EndsAt: one.EndsAt,
		}}
		switch {
		case !a.EndsAt.IsZero():
		case now.Sub(one.SeenAt) > maxOutage:
			a.EndsAt = a.StartsAt.Add(max(0, one.SeenAt.Sub(a.StartsAt)))
		default:
			a.EndsAt = now.Add(s.resolve)
		}
		if err := a.Validate(); err != nil {
			return err
		}
		alerts = append(alerts, a)
	}
	return p.alerts.Put(context.Background(), alerts...)
}
