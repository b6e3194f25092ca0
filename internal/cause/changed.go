package cause

import "time"

// changedScore is what a change at the right time is worth by itself: less than
// anything that explains a good part of the excess.
const changedScore = 0.35

// near tells whether something happened about when the trouble began.
func (m *model) near(at time.Time) bool {
	slack := max(30*time.Second, 4*m.f.step)
	return at.Sub(m.t.After.From).Abs() < slack
}

// release is the version that took the place of another when the trouble began;
// after is "" for none.
func (m *model) release() (before, after string, at time.Time) {
	for _, s := range m.f.byName[m.family("build_info")] {
		name := s.Labels["version"]
		if r := s.Labels["revision"]; r != "" && r != "unknown" {
			name += " (" + r[:min(7, len(r))] + ")"
		}
		first, last := s.Points[0].At, s.Points[len(s.Points)-1].At
		switch {
		case m.near(first) && first.Sub(m.f.first) > 2*m.f.step:
			after, at = name, first
		case last.Before(m.t.After.From) || m.near(last):
			before = name
		}
	}
	if before == "" || before == after {
		after = ""
	}
	return before, after, at
}

// changeMade is a release, or a setting that was changed.
type changeMade struct {
	text, since string // a sentence, and the beginning of one that says what is so since then
	back        string // what to do to take it back
}

// changes are those of when the trouble began.
func (m *model) changes() (list []changeMade) {
	w := m.w
	if before, after, at := m.release(); after != "" {
		when := at.Format(time.TimeOnly)
		list = append(list, changeMade{
			w.Say("Version %s replaced %s at %s", "La versión %s reemplazó a %s a las %s", after, before, when),
			w.Say("Since version %s replaced %s at %s, ", "Desde que la versión %s reemplazó a %s a las %s, ", after, before, when),
			w.Say("Go back to %s", "Volver a %s", before),
		})
	}
	for _, s := range m.f.byName[m.family("changes")] {
		for i, p := range s.Points {
			grew := i > 0 && p.Value > s.Points[i-1].Value || i == 0 && p.Value > 0 && p.At.Sub(m.f.first) > m.f.step*3/2
			if grew && m.near(p.At) {
				name, when := s.Labels["change"], p.At.Format(time.TimeOnly)
				list = append(list, changeMade{
					w.Say("%s was changed at %s", "%s se cambió a las %s", name, when),
					w.Say("Since %s was changed at %s, ", "Desde que %s se cambió a las %s, ", name, when),
					w.Say("Set %s back", "Devolver %s a su valor", name),
				})
				break
			}
		}
	}
	return list
}

// changed: a release, a configuration value or a flag changed shortly before.
func changed(m *model) (list []Finding) {
	if !m.hasSymptom() || m.in.Alert.Drill { // what somebody made fire did not begin with a release
		return nil
	}
	if m.kind == event && len(eventFalls(m))+len(eventSize(m)) > 0 { // they say it
		return nil
	}
	for _, c := range m.changes() {
		list = append(list, Finding{
			Kind: "change", Score: changedScore,
			Sentence: m.w.Say("%s, when the trouble began.", "%s, cuando empezó el problema.", c.text),
			Next:     m.w.Say("%s if nothing else explains it.", "%s si nada más lo explica.", c.back),
		})
	}
	return list
}

// sinceChange makes a change the beginning of what is so since then, where nothing
// else is known of why.
func (m *model) sinceChange(f *Finding) {
	if list := m.changes(); len(list) > 0 && !m.in.Alert.Drill {
		c := list[len(list)-1] // a setting is more particular than a release
		f.Sentence, f.Next = c.since+f.Sentence, m.w.Say("%s, or look at what it did to %s.", "%s, o mirar qué le hizo a %s.", c.back, m.eventOf().name)
	}
}

// hasSymptom tells whether what the alert is about is there at all.
func (m *model) hasSymptom() bool {
	switch {
	case m.reach[latency] > 0 && m.slowed() > 0.1*max(m.requestTime(), 0.01):
		return true
	case m.reach[failures] > 0 && m.manyFail():
		return true
	case m.reach[cpu] > 0 && m.moreCPU() > 0:
		return true
	case m.reach[traffic] > 0 && m.trafficShare() > 0:
		return true
	case m.kind == event && m.eventOf().rate.before > 0 && m.eventOf().rate.ratio() < 0.7:
		return true
	}
	return false
}

// requestTime is the time that requests take together, in seconds a second.
func (m *model) requestTime() (sum float64) {
	for _, e := range inOrder(m.endpoints) {
		sum += e.requests.after * e.duration.after
	}
	return sum
}
