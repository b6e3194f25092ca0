package cause_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/internal/cause"
)

// TestCompared: the time after begins where the figure changed, and the time
// before has nothing of what came then.
func TestCompared(t *testing.T) {
	// began is how far from the change the time after may begin, in steps.
	type want struct {
		began   float64
		creeps  bool // the oldest time is compared with the latest
		capped  bool // what is looked at begins later: it is as it is now
		nothing bool // nothing changed: any two times will do that are known
	}
	hostSlow := func(s *service) { s.part("POST /citas", "pay").each.after = 0.6 }
	for name, c := range map[string]struct {
		tell func(s *service)
		want want
	}{
		"a step":              {hostSlow, want{began: 2}},
		"a step in the noise": {func(s *service) { s.noise = 0.3; hostSlow(s) }, want{began: 2}},
		"a small step":        {func(s *service) { s.part("GET /citas", "query").each.after = 0.02 }, want{began: 2}},
		"a ramp of memory": {func(s *service) {
			s.lasts = 10 * minute
			s.creeps("go_memory_used", moved{60 * mb, 400 * mb}, "go_memory_type", "other")
			s.alert = about(s, "go_memory_used", ">", 200*mb)
		}, want{creeps: true}},
		"a ramp of goroutines": {func(s *service) {
			s.lasts = 10 * minute
			s.creeps("go_goroutine_count", moved{60, 3000})
			s.alert = about(s, "go_goroutine_count", ">", 200)
		}, want{creeps: true}},
		"noise only":                    {func(s *service) { s.noise = 0.3 }, want{nothing: true}},
		"a change right at the alert":   {func(s *service) { hostSlow(s); s.lag = s.step(); s.pending = s.step() }, want{began: 2}},
		"an alert that waits (for 10m)": {func(s *service) { hostSlow(s); s.pending = 10 * minute }, want{began: 2, capped: true}},
		"an alert that holds for hours": {func(s *service) { hostSlow(s); s.pending = 3 * time.Hour }, want{nothing: true}},
		"a restart in the middle":       {func(s *service) { hostSlow(s); s.restart = 4 * s.step() }, want{began: 6}},
		"a restart at the change":       {func(s *service) { hostSlow(s); s.restart = s.step() }, want{began: 2}},
		"no traffic":                    {func(s *service) { s.scale(0) }, want{nothing: true}},
		"no traffic from the change on": {func(s *service) { s.traffic(0); requestsFell(s) }, want{began: 2}},
		"errors": {func(s *service) {
			s.endpoint("GET /citas").status["500"] = moved{0, 0.3}
			s.alert = failing(s)
		}, want{began: 2}},
		"CPU": {func(s *service) {
			s.part("GET /informes", "work").each.after = 0.9
			s.alert = about(s, "cpu_usage", ">", 60)
		}, want{began: 2}},
		"an event": {func(s *service) {
			s.count("reservas", moved{5, 0}, "canal", "web")
			s.alert = eventFell(s)
		}, want{began: 2}},
		"an event of one value": {func(s *service) {
			s.lasts = 30 * s.step()
			s.count("reservas", moved{2, 0}, "canal", "telefono")
			s.count("reservas", moved{30, 30}, "canal", "app")
			s.alert = eventFell(s)
			s.alert.Labels = map[string]string{"canal": "telefono"}
		}, want{began: 2}},
		"clients leave": {func(s *service) {
			s.endpoint("GET /informes").status["499"] = moved{0, 0.6}
			s.alert = leaving(s)
		}, want{began: 2}},
	} {
		for _, fast := range []bool{false, true} {
			t.Run(name+map[bool]string{true: "/fast"}[fast], func(t *testing.T) {
				t.Parallel()
				s := newService(t, "en", fast)
				c.tell(s)
				in := s.input()
				change, active, now := s.times()
				before, after := in.Times.Before, in.Times.After
				t.Logf("changed at %s, active at %s, now %s\n%s", change.Format(time.TimeOnly), active.Format(time.TimeOnly), now.Format(time.TimeOnly), told(cause.Result{Times: in.Times}))
				if after.To.After(now) || !after.From.Before(after.To) || !before.From.Before(before.To) || before.To.After(after.From) {
					t.Fatal("the times are in no order")
				}
				if before.Length() < 3*s.step() || after.Length() < 3*s.step() {
					t.Errorf("%s and %s are too short to tell anything", before.Length(), after.Length())
				}
				if before.Length() > 10*minute || after.Length() > 10*minute {
					t.Errorf("%s and %s are longer than anybody profiles", before.Length(), after.Length())
				}
				slack := time.Duration(c.want.began * float64(s.step()))
				switch {
				case c.want.creeps:
					if before.To.After(change.Add(now.Sub(change) / 3)) {
						t.Error("the time before is not old")
					}
					if after.From.Before(now.Add(-now.Sub(change) / 2)) {
						t.Error("the time after is not the latest")
					}
				case c.want.nothing:
				default:
					if d := after.From.Sub(change); d < -slack || d > slack && !c.want.capped {
						t.Errorf("begins %s from the change", d)
					}
					if before.To.After(change.Add(s.step())) {
						t.Errorf("the time before has %s of the bad time", before.To.Sub(change))
					}
				}
			})
		}
	}
}

// TestComparedWithLongRequests: requests that take ten steps are counted ten steps
// after their trouble began, and that time is no time before.
func TestComparedWithLongRequests(t *testing.T) {
	for _, fast := range []bool{false, true} {
		s := newService(t, "en", fast)
		s.lasts = 30 * s.step()
		s.part("POST /citas", "pay").each.after = 10 * s.step().Seconds()
		change, _, _ := s.times()
		times := s.input().Times
		if late := times.Before.To.Sub(change.Add(-9 * s.step())); late > 0 {
			t.Errorf("fast %v: the time before has %s of the bad time", fast, late)
		}
		if early := change.Sub(times.After.From); early > 2*s.step() {
			t.Errorf("fast %v: the time after begins %s before the change", fast, early)
		}
	}
}

// slowHost is a service with a host that became slow, and when it did.
func slowHost(t *testing.T, fast bool) (s *service, in cause.Input, change time.Time) {
	s = newService(t, "en", fast)
	s.part("POST /citas", "pay").each.after = 0.6
	s.alert = slowAt(s, "POST /citas")
	change, _, _ = s.times()
	return s, s.input(), change
}

// TestComparedWithAFirstSign: a moment in which it was as bad, before it was so for
// good, is no part of the time before.
func TestComparedWithAFirstSign(t *testing.T) {
	for _, fast := range []bool{false, true} {
		s, in, change := slowHost(t, fast)
		sign := change.Add(-5 * s.step())
		for _, one := range in.Series {
			if one.Name != s.family("response_duration")+"_sum" || one.Labels["endpoint"] != "/citas" || one.Labels["method"] != "POST" {
				continue
			}
			for i := range one.Points {
				if one.Points[i].At.After(sign) {
					one.Points[i].Value += 60 * s.step().Seconds()
				}
			}
		}
		if to := cause.Compared(in).Before.To; to.After(sign) {
			t.Errorf("fast %v: the time before ends %s after the first sign", fast, to.Sub(sign))
		}
	}
}

// TestLateSamples: a process without CPU is late with its newest samples, and used
// no less of it for that.
func TestLateSamples(t *testing.T) {
	s := newService(t, "en", false)
	s.noise, s.lasts = 0, 20*s.step()
	s.part("GET /informes", "work").each.after = 1.8
	s.alert = about(s, "cpu_usage", ">", 80)
	in := s.input()
	whole := cause.Explain(in).Findings
	change, _, _ := s.times()
	for i, one := range in.Series {
		for len(one.Points) > 0 && one.Points[len(one.Points)-1].At.After(change.Add(8*s.step())) {
			one.Points = one.Points[:len(one.Points)-1]
		}
		in.Series[i] = one
	}
	late := cause.Explain(in).Findings
	if len(whole) == 0 || len(late) == 0 || whole[0].Sentence != late[0].Sentence {
		t.Errorf("%+v\nbut without the newest samples\n%+v", whole, late)
	}
}

// TestComparedWithoutAlert: what is asked without an alert is about the last minute.
func TestComparedWithoutAlert(t *testing.T) {
	s := newService(t, "en", false)
	s.alert = cause.Alert{}
	in := s.input()
	if got := in.Times.After.Length(); got < 30*time.Second || got > 2*time.Minute {
		t.Errorf("the time after is %s long", got)
	}
	if in.Times.Before.To.After(in.Times.After.From) {
		t.Error("the time before is not before")
	}
}

// TestComparedAfterIdleTime: the first requests of a service are no change of how
// long they take, and the time before them is nothing to compare with.
func TestComparedAfterIdleTime(t *testing.T) {
	for _, fast := range []bool{false, true} {
		s, in, change := slowHost(t, fast)
		first := change.Add(-12 * s.step())
		for _, one := range in.Series {
			for i := len(one.Points) - 1; i >= 0; i-- {
				if strings.Contains(one.Name, "requests_total") || strings.Contains(one.Name, "response_duration") {
					if i+1 < len(one.Points) && one.Points[i].At.Before(first) {
						one.Points[i].Value = one.Points[i+1].Value
					}
				}
			}
		}
		times := cause.Compared(in)
		if d := times.After.From.Sub(change); d.Abs() > 2*s.step() {
			t.Errorf("fast %v: the time after begins %s from the change", fast, d)
		}
		if early := first.Sub(times.Before.From); early > s.step() {
			t.Errorf("fast %v: the time before begins %s before the first request", fast, early)
		}
	}
}

// TestComparedSoonAfterStart: that nothing happened yet when a service started is
// no sign that nothing happens now.
func TestComparedSoonAfterStart(t *testing.T) {
	s := newService(t, "en", true)
	s.history = 20 * s.step()
	for canal, rate := range map[string]float64{"web": 5, "app": 4, "telefono": 1} {
		s.count("reservas", moved{rate, 0}, "canal", canal)
	}
	s.alert = eventFell(s)
	in := s.input()
	in.Alert.Window = 10 * s.step()
	change, _, _ := s.times()
	first := change.Add(-16 * s.step())
	for _, one := range in.Series {
		if one.Name != s.family("reservas") {
			continue
		}
		i := slices.IndexFunc(one.Points, func(p cause.Point) bool { return p.At.After(first) })
		for k := range one.Points[:i] {
			one.Points[k].Value = one.Points[i].Value
		}
	}
	before := cause.Compared(in).Before
	if before.To.Before(change.Add(-3*s.step())) || before.Length() < 5*s.step() {
		t.Errorf("compares with %s until %s before the change", before.Length(), change.Sub(before.To))
	}
}

// TestComparedWithoutRequests: of what creeps, the time before the first request is
// no time before, as nothing was open then.
func TestComparedWithoutRequests(t *testing.T) {
	s := newService(t, "en", true)
	s.history = 30 * s.step()
	s.alert = about(s, "go_goroutine_count", ">", 500)
	s.alert.Drill = true
	in := s.input()
	first := in.Series[0].Points[0].At.Add(10 * s.step())
	for _, one := range in.Series {
		if !strings.Contains(one.Name, "response_duration") {
			continue
		}
		i := slices.IndexFunc(one.Points, func(p cause.Point) bool { return p.At.After(first) })
		for k := range one.Points[:i] {
			one.Points[k].Value = one.Points[i].Value
		}
	}
	if before := cause.Compared(in).Before; before.From.Before(first) {
		t.Errorf("compares with %s before the first request", first.Sub(before.From))
	}
}
