package mute

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/latido-dev/latido/internal/testkit"
)

// TestIntervals turns what people write into what Alertmanager has.
func TestIntervals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ weekdays, times, dates, want string }{
		{"saturday sunday", "", "", "[sunday saturday]"},
		{"friday:monday", "", "", "[sunday:monday friday:saturday]"},
		{"monday:friday", "09:00-17:30", "", "09:00-17:30 [monday:friday]"},
		// A night belongs to the day on which it begins.
		{"monday:friday", "22:00-06:00", "", "22:00-24:00 [monday:friday]; 00:00-06:00 [tuesday:saturday]"},
		{"saturday", "22:00-6:00 12:00-13:00", "", "22:00-24:00 12:00-13:00 [saturday]; 00:00-06:00 [sunday]"},
		{"", "20:00-00:00", "", "20:00-24:00 []"},
		{"", "20:00-24:00", "", "20:00-24:00 []"},
		{"", "", "2026-12-24", "[] 24:24/12/2026"},
		{"", "", "2026-12-24:2027-01-02", "[] 24:31/12/2026; [] 1:2/1/2027"},
		{"", "23:00-02:00", "2026-12-31", "23:00-24:00 [] 31:31/12/2026; 00:00-02:00 [] 1:1/1/2027"},
		{"", "", "2028-02-27:2028-03-01", "[] 27:29/2/2028; [] 1:1/3/2028"},
	} {
		intervals, err := Intervals(strings.Fields(c.weekdays), strings.Fields(c.times), strings.Fields(c.dates))
		var got []string
		for _, i := range intervals {
			text := ""
			for _, t := range i.Times {
				text += t.Start + "-" + t.End + " "
			}
			text += fmt.Sprint(i.Weekdays)
			if i.Days != "" {
				text += " " + i.Days + "/" + i.Months + "/" + i.Years
			}
			got = append(got, text)
		}
		if text := strings.Join(got, "; "); err != nil || text != c.want {
			t.Errorf("%q %q %q\ngot  %s (%v)\nwant %s", c.weekdays, c.times, c.dates, text, err, c.want)
		}
	}
}

// TestWrongTimes says what to write instead.
func TestWrongTimes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ weekdays, times, dates, want string }{
		{"", "", "", "mute for ever"},
		{"lunes", "", "", `did you mean "monday"`},
		{"monday:Fri", "", "", `did you mean "friday"`},
		{"holiday", "", "", "friday:monday"},
		{"m", "", "", "write days such as saturday"}, // or tuesday's t: one letter is no guess
		{"", "22-06", "", "22:00-06:00"},
		{"", "22:00", "", "22:00-06:00"},
		{"", "24:30-25:00", "", "22:00-06:00"},
		{"", "08:60-10:00", "", "22:00-06:00"},
		{"", "08:00-08:00", "", "leave times out"},
		{"", "", "24/12/2026", "write 2026-12-24"},
		{"", "", "2026-02-30", "write 2026-12-24"},
		{"", "", "2027-01-02:2026-12-24", "did you mean 2026-12-24:2027-01-02"},
		{"", "", "2026-01-01:2028-01-01", "longer than a year"},
	} {
		_, err := Intervals(strings.Fields(c.weekdays), strings.Fields(c.times), strings.Fields(c.dates))
		testkit.Error(t, err, c.want)
		field, index := "", -1
		for name, list := range map[string]string{"weekdays": c.weekdays, "times": c.times, "dates": c.dates} {
			if list != "" {
				field, index = name, 0
			}
		}
		if wrong, ok := errors.AsType[*Error](err); !ok || wrong.Field != field || wrong.Index != index {
			t.Errorf("%v is not of %s %d", err, field, index)
		}
	}
}

// TestAlways: what leaves no minute of a week is no pause.
func TestAlways(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"monday:sunday;":                         true,
		"monday:saturday;":                       false,
		";00:00-24:00":                           true,
		";08:00-20:00|;20:00-08:00":              true,
		";08:00-20:00|;20:00-07:59":              false,
		"saturday:sunday;|monday:friday;":        true,
		"monday:sunday;22:00-06:00":              false,
		"monday:friday;|friday:sunday;1:00-0:00": false,
		// The night of a Saturday goes on into Sunday, and not into Friday.
		"sunday;06:00-24:00|monday:friday;|saturday;00:00-22:00|saturday;22:00-06:00":   true,
		"friday;06:00-24:00|sunday:thursday;|saturday;00:00-22:00|saturday;22:00-06:00": false,
	} {
		var entries [][2][]string
		for entry := range strings.SplitSeq(text, "|") {
			weekdays, times, _ := strings.Cut(entry, ";")
			entries = append(entries, [2][]string{strings.Fields(weekdays), strings.Fields(times)})
		}
		if got := Always(entries); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
