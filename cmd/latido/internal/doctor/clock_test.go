package doctor

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// answer has a part name a second, so long after it was asked at noon.
func answer(p *part, second int, took time.Duration) {
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	p.readClock(http.Header{"Date": {noon.Add(time.Duration(second) * time.Second).Format(http.TimeFormat)}}, noon, noon.Add(took))
}

// A clock is read in the middle of the question, half a second into the second that
// it names; how long the question took is what it cannot be known by.
func TestReadClock(t *testing.T) {
	t.Parallel()
	p := &part{}
	for _, row := range []struct {
		second int
		took   time.Duration
		want   clockReading
	}{
		{2, 4 * time.Second, clockReading{true, 500 * time.Millisecond, 2500 * time.Millisecond}},
		{9, 4 * time.Second, clockReading{true, 500 * time.Millisecond, 2500 * time.Millisecond}}, // no better
		{60, 2 * time.Second, clockReading{true, 59*time.Second + 500*time.Millisecond, 1500 * time.Millisecond}},
	} {
		if answer(p, row.second, row.took); p.clock != row.want {
			t.Errorf("second %d, after %v: %+v, want %+v", row.second, row.took, p.clock, row.want)
		}
	}
	if p.readClock(http.Header{"Date": {"noon"}}, time.Time{}, time.Time{}); p.clock.ahead != 59*time.Second+500*time.Millisecond {
		t.Errorf("no date: %+v", p.clock)
	}
}

// A clock is wrong where it differs by more than can be unsure, either way.
func TestWrongClock(t *testing.T) {
	t.Parallel()
	const unsure = 2 * time.Second
	for ahead, wrong := range map[time.Duration]bool{
		clockTolerance + unsure: false, clockTolerance + unsure + 1: true,
		-clockTolerance - unsure: false, -clockTolerance - unsure - 1: true,
	} {
		if (clockReading{true, ahead, unsure}).wrong() != wrong || (clockReading{false, ahead, unsure}).wrong() {
			t.Errorf("%v: want wrong %v", ahead, wrong)
		}
	}
}

// Whose clock is wrong: one part that differs is, two that agree have the right time.
func TestWhoseClock(t *testing.T) {
	t.Parallel()
	const lead = 30 * time.Second
	for want, seconds := range map[string][]time.Duration{
		"the clock of A, http://a, is 30s ahead of":                    {lead},
		"this machine's clock is 30s behind the 2 others, which agree": {lead, lead},
		"this machine's clock is 30s behind the 2 others":              {lead, lead + 2*clockTolerance},
		"the clock of B, http://b, is 40s ahead of":                    {lead, lead + 2*clockTolerance + 1},
		"the clock of A, http://a, is 30s":                             {lead, 0},
		"1 clock within 1 s":                                           {0},
		"2 clocks within 3 s":                                          {time.Second, -3 * time.Second},
		"no part has told its time":                                    {},
	} {
		x := &examination{parts: map[string]*part{"silent": {}}}
		for i, ahead := range seconds {
			name := string(rune('A' + i))
			x.parts[name] = &part{what: name, base: &url.URL{Scheme: "http", Host: strings.ToLower(name)}, clock: clockReading{known: true, ahead: ahead}}
		}
		f := doctorClock(x)
		said := f.Detail
		for _, p := range f.Problems {
			said += "\n" + p.Message
		}
		if !strings.Contains(said, want) {
			t.Errorf("%v: %q, want %q", seconds, said, want)
		}
	}
}
