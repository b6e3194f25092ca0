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

// changed: a release, a configuration value or a flag changed shortly before.
func changed(m *model) (list []Finding) {
	if !m.hasSymptom() || m.in.Alert.Drill { // what somebody made fire did not begin with a release
		return nil
	}
	w := m.w
	if before, after, at := m.release(); after != "" {
		list = append(list, Finding{
			Kind: "change", Score: changedScore * m.mostReach(),
			Sentence: w.Say("Version %s replaced %s at %s, when the trouble began.", "La versión %s reemplazó a %s a las %s, cuando empezó el problema.", after, before, at.Format(time.TimeOnly)),
			Next:     w.Say("Go back to %s if nothing else explains it.", "Volver a %s si nada más lo explica.", before),
		})
	}
	for _, s := range m.f.byName[m.family("changes")] {
		for i, p := range s.Points {
			grew := i > 0 && p.Value > s.Points[i-1].Value || i == 0 && p.Value > 0 && p.At.Sub(m.f.first) > m.f.step*3/2
			if grew && m.near(p.At) {
				list = append(list, Finding{
					Kind: "change", Score: changedScore * m.mostReach(),
					Sentence: w.Say("%s was changed at %s, when the trouble began.", "%s se cambió a las %s, cuando empezó el problema.", s.Labels["change"], p.At.Format(time.TimeOnly)),
					Next:     w.Say("Set %s back if nothing else explains it.", "Devolver %s a su valor si nada más lo explica.", s.Labels["change"]),
				})
				break
			}
		}
	}
	return list
}

func (m *model) mostReach() (most float64) {
	for _, r := range m.reach {
		most = max(most, r)
	}
	return most
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
	for _, e := range m.endpoints {
		sum += e.requests.after * e.duration.after
	}
	return sum
}
