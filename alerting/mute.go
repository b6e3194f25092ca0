package alerting

import (
	"cmp"
	"slices"
	"strings"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/mute"
)

// muting are the times in which alerts are not told, by their names in the
// Alertmanager file.
type muting struct {
	intervals []fields
	rules     []mutedRule
	receivers map[string]string // the times of a receiver that has some
}

// mutedRule are the alerts of one threshold or objective that is muted.
type mutedRule struct {
	alerts []string
	times  string // their name
}

// mutingOf collects them.
func mutingOf(d domain.Domain) muting {
	m := muting{receivers: map[string]string{}}
	for _, t := range d.Thresholds {
		if len(t.Mute) > 0 {
			m.rules = append(m.rules, mutedRule{[]string{t.Name}, m.add(d, "alert/"+t.Name, t.Mute)})
		}
	}
	for _, s := range d.SLOs {
		if len(s.Mute) > 0 {
			alerts := []string{s.Name + alertSuffix[domain.SeverityPage], s.Name + alertSuffix[domain.SeverityTicket]}
			m.rules = append(m.rules, mutedRule{alerts, m.add(d, "objective/"+s.Name, s.Mute)})
		}
	}
	for _, r := range Receivers(d) {
		if len(r.Receiver.Mute) > 0 {
			m.receivers[r.Name] = m.add(d, "receiver/"+r.Name, r.Receiver.Mute)
		}
	}
	return m
}

// add adds named times, and returns their name.
func (m *muting) add(d domain.Domain, name string, times []domain.Mute) string {
	var all []fields
	for _, t := range times {
		intervals, err := mute.Intervals(t.Weekdays, t.Times, t.Dates)
		if err != nil { // a valid domain has none
			continue
		}
		for _, i := range intervals {
			all = append(all, intervalOf(i, cmp.Or(d.TimeZone, "UTC")))
		}
	}
	m.intervals = append(m.intervals, fields{{key: "name", value: name}, {key: "time_intervals", value: all}})
	return name
}

func intervalOf(i mute.Interval, zone string) fields {
	var f fields
	var times []fields
	for _, t := range i.Times {
		times = append(times, fields{{key: "start_time", value: t.Start}, {key: "end_time", value: t.End}})
	}
	if len(times) > 0 {
		f = append(f, field{key: "times", value: times})
	}
	if len(i.Weekdays) > 0 {
		f = append(f, field{key: "weekdays", value: i.Weekdays})
	}
	if i.Days != "" {
		f = append(f, field{key: "days_of_month", value: []string{i.Days}}, field{key: "months", value: []string{i.Months}}, field{key: "years", value: []string{i.Years}})
	}
	return append(f, field{key: "location", value: zone})
}

// routes are those within a receiver's route, for alerts that are muted by
// their rule. A route does not take over the times of the one around it.
func (m muting) routes(receiver string) []fields {
	var all []fields
	for _, r := range m.rules {
		matcher := `alertname="` + r.alerts[0] + `"`
		if len(r.alerts) > 1 {
			matcher = `alertname=~"` + strings.Join(r.alerts, "|") + `"`
		}
		times := []string{r.times}
		if own, ok := m.receivers[receiver]; ok && !slices.Contains(times, own) {
			times = append(times, own)
		}
		all = append(all, fields{
			{key: "receiver", value: receiver}, {key: "matchers", value: []string{matcher}}, {key: "mute_time_intervals", value: times},
		})
	}
	return all
}
