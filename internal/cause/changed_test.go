package cause_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/latido-dev/latido/internal/cause"
)

// fewerBooked is an event that falls, though its requests come and succeed.
func fewerBooked(s *service) {
	for canal, rate := range map[string]float64{"web": 5, "app": 4, "telefono": 1} {
		s.count("reservas", moved{rate, rate / 10}, "canal", canal)
	}
	s.alert = eventFell(s)
}

// TestChanged: a release or a setting is told beside what it did, and first only
// where nothing else is known.
func TestChanged(t *testing.T) {
	slower := func(s *service) {
		s.blind = true
		s.part("GET /informes", "work").each.after = 0.4
	}
	for name, c := range map[string]struct {
		tell  func(*service)
		says  string
		first bool
	}{
		"release":                 {func(s *service) { s.release(); slower(s) }, "v1.5.0", true},
		"setting":                 {func(s *service) { s.changes("modo_rapido"); slower(s) }, "modo_rapido", true},
		"release with its effect": {func(s *service) { s.release(); slower(s); s.blind = false }, "v1.5.0", false},
		"setting and an event":    {func(s *service) { s.changes("aviso_confirmacion"); fewerBooked(s) }, "aviso_confirmacion", true},
		"release and an event":    {func(s *service) { s.release(); fewerBooked(s) }, "v1.5.0", true},
		"setting and an event that requests explain": {func(s *service) {
			s.changes("aviso_confirmacion")
			s.endpoint("POST /citas").requests.after = 1
			fewerBooked(s)
		}, "aviso_confirmacion", false},
		"release long before":      {func(s *service) { slower(s); s.release(); s.delayed(-8 * minute) }, "", false},
		"release in healthy times": {func(s *service) { s.release() }, "", false},
	} {
		everyway(t, fault{name: name, tell: c.tell}, func(t *testing.T, _ *service, r cause.Result) {
			at := -1
			for i, f := range r.Findings {
				if at < 0 && (f.Kind == "change" || strings.HasPrefix(f.Sentence, "Since ") || strings.HasPrefix(f.Sentence, "Desde ")) {
					at = i
					if !strings.Contains(f.Sentence, c.says) {
						t.Errorf("does not say %s", c.says)
					}
				}
			}
			switch {
			case c.says == "" && at >= 0:
				t.Error("blames what changed")
			case c.says != "" && at < 0:
				t.Error("does not tell what changed")
			case c.first && at != 0, !c.first && at == 0:
				t.Errorf("what changed is in place %d", at)
			}
		})
	}
}

// TestReleaseWithoutRevision: a build of which no revision is known is told by its
// version alone.
func TestReleaseWithoutRevision(t *testing.T) {
	t.Parallel()
	for revision, want := range map[string]string{"": "v1.5.0 ", "unknown": "v1.5.0 ", "9d01bb2": "v1.5.0 (9d01bb2)", "9d01bb2c1e": "v1.5.0 (9d01bb2)"} {
		r := ofService(t, func(s *service) {
			s.part("GET /informes", "work").each.after = 0.4
			s.blind = true
			s.level("build_info", moved{1, 0}, "version", "v1.4.0", "revision", "3f2a91c77d", "goversion", "go1.26.8")
			s.level("build_info", moved{0, 1}, "version", "v1.5.0", "revision", revision, "goversion", "go1.26.8")
		})
		if text := told(r); !strings.Contains(text, want) || strings.Count(text, "v1.5.0 (") != strings.Count(want, "(") {
			t.Errorf("of revision %q: %s", revision, text)
		}
	}
}

// TestWhenASettingChanged: a count of changes that grows is one, and a count that is
// there later than all others. One that was there from the beginning is older.
func TestWhenASettingChanged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		counts []float64 // from the first sample on, until the last
		told   bool
	}{
		"from the beginning": {[]float64{1}, false},
		"late by a sample":   {[]float64{-1, 1}, false},
		"appears":            {[]float64{-1, -1, 1}, true},
		"appears without":    {[]float64{-1, -1, 0}, false},
		"grows":              {[]float64{1, 1, 2}, true},
		"grows twice":        {[]float64{1, 1, 2, 3}, true},
		"begins anew":        {[]float64{2, 2, 1}, false},
	} {
		s := newService(t, "en", false)
		s.blind = true
		s.part("GET /informes", "work").each.after = 0.4
		s.changes("modo_rapido")
		in := s.input()
		change, _, _ := s.times()
		from := change.Add(-3 * s.step())
		in.Times.Before.From = from
		for i := range in.Series {
			one := &in.Series[i]
			one.Points = slices.DeleteFunc(slices.Clone(one.Points), func(p cause.Point) bool { return p.At.Before(from) })
			if one.Name != s.family("changes") {
				continue
			}
			for j := range one.Points {
				one.Points[j].Value = c.counts[min(j, len(c.counts)-1)]
			}
			one.Points = slices.DeleteFunc(one.Points, func(p cause.Point) bool { return p.Value < 0 })
		}
		if r := cause.Explain(in); strings.Count(told(r), "modo_rapido was changed at") != map[bool]int{true: 1}[c.told] {
			t.Errorf("%s: told %v, want %v: %s", name, !c.told, c.told, told(r))
		}
	}
}
