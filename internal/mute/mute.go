// Package mute reads the times in which nobody is told of an alert, as the
// domain file has them, and turns them into Alertmanager's time intervals. Those
// have no night: a time that goes on after midnight becomes two of them.
package mute

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Interval is one of Alertmanager's: all that is set must hold. Its fields are
// written as Alertmanager has them.
type Interval struct {
	Times               []Times
	Weekdays            []string // monday:friday
	Days, Months, Years string   // 24:31 of 12 of 2026; "" for all
}

// Times is a part of a day, from the first minute to the one before the last:
// 22:00 to 24:00.
type Times struct{ Start, End string }

// Error is a mistake in one of the lists.
type Error struct {
	Field   string // weekdays, times or dates
	Index   int    // of the item, -1 for the whole
	Message string
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// maxDates is how many days a range of dates may have.
const maxDates = 366

// minutes of a day; a time is one of them.
const day = 24 * 60

// span is a part of a day in minutes; to is beyond a day where it goes on into
// the next one.
type span struct{ from, to int }

// dates are days of the calendar, the last one included.
type dates struct{ first, last time.Time }

// Intervals are those of one entry: on these weekdays, at these times of the
// day, on these dates. An empty list is no condition. A time of the day that
// goes on after midnight belongs to the day on which it begins. The error is an
// [Error].
func Intervals(weekdays, times, calendar []string) ([]Interval, error) {
	if len(weekdays)+len(times)+len(calendar) == 0 {
		return nil, &Error{"", -1, "is empty, and would mute for ever: write weekdays, times or dates"}
	}
	days, err := weekdaysOf(weekdays)
	if err != nil {
		return nil, err
	}
	spans, err := spansOf(times)
	if err != nil {
		return nil, err
	}
	ranges, err := datesOf(calendar)
	if err != nil {
		return nil, err
	}
	var today, tomorrow []Times
	for _, s := range spans {
		today = append(today, Times{clock(s.from), clock(min(s.to, day))})
		if s.to > day {
			tomorrow = append(tomorrow, Times{"00:00", clock(s.to - day)})
		}
	}
	all := onDates(Interval{Times: today, Weekdays: days.words()}, ranges)
	if len(tomorrow) > 0 {
		for i := range ranges {
			ranges[i] = dates{ranges[i].first.AddDate(0, 0, 1), ranges[i].last.AddDate(0, 0, 1)}
		}
		all = append(all, onDates(Interval{Times: tomorrow, Weekdays: days.next().words()}, ranges)...)
	}
	return all, nil
}

// Always tells whether the entries leave no minute of a week: lists of
// weekdays and times as in [Intervals]. Entries with dates are no matter.
func Always(entries [][2][]string) bool {
	var muted [7][day]bool
	for _, e := range entries {
		days, errDays := weekdaysOf(e[0])
		spans, errTimes := spansOf(e[1])
		if errDays != nil || errTimes != nil {
			return false
		}
		if len(spans) == 0 {
			spans = []span{{0, day}}
		}
		for d := range 7 {
			for _, s := range spans {
				for m := s.from; m < s.to && (days == week{} || days[d]); m++ {
					muted[(d+m/day)%7][m%day] = true
				}
			}
		}
	}
	for _, minutes := range muted {
		if slices.Contains(minutes[:], false) {
			return false
		}
	}
	return true
}

// week says which days of the week are meant, Sunday first; none of them means
// every day.
type week [7]bool

// next are the days after.
func (w week) next() week {
	var n week
	for d, is := range w {
		n[(d+1)%7] = is
	}
	return n
}

// words are the days as Alertmanager has them: in ranges that do not go over the
// end of the week.
func (w week) words() []string {
	var all []string
	for d := 0; d < 7; d++ {
		first := d
		for d < 7 && w[d] {
			d++
		}
		switch name := func(d int) string { return strings.ToLower(time.Weekday(d).String()) }; d - first {
		case 0:
		case 1:
			all = append(all, name(first))
		default:
			all = append(all, name(first)+":"+name(d-1))
		}
	}
	return all
}

// spanish are days as somebody may write them who thinks in Spanish.
var spanish = map[string]time.Weekday{
	"domingo": 0, "lunes": 1, "martes": 2, "miercoles": 3, "miércoles": 3, "jueves": 4, "viernes": 5, "sabado": 6, "sábado": 6,
}

func weekdaysOf(texts []string) (week, error) {
	var w week
	for i, text := range texts {
		first, last, isRange := strings.Cut(text, ":")
		if !isRange {
			last = first
		}
		from, wrong := weekday(first)
		to, wrongTo := weekday(last)
		if wrong = cmp.Or(wrong, wrongTo); wrong != "" {
			return w, &Error{"weekdays", i, wrong}
		}
		for d := from; ; d = (d + 1) % 7 {
			w[d] = true
			if d == to {
				break
			}
		}
	}
	return w, nil
}

// weekday reads a day; wrong says what to write instead.
func weekday(text string) (d time.Weekday, wrong string) {
	text = strings.TrimSpace(text)
	for d := range time.Weekday(7) {
		if text == strings.ToLower(d.String()) {
			return d, ""
		}
	}
	folded := strings.ToLower(text)
	meant, known := spanish[folded]
	for d := range time.Weekday(7) {
		if name := strings.ToLower(d.String()); !known && len(folded) > 1 && (strings.HasPrefix(name, folded) || strings.HasPrefix(folded, name[:3])) {
			meant, known = d, true
		}
	}
	if known {
		return 0, fmt.Sprintf("%q is no day of the week (did you mean %q?)", text, strings.ToLower(meant.String()))
	}
	return 0, fmt.Sprintf("%q is no day of the week: write days such as saturday, or from one to another as in friday:monday", text)
}

var timeOfDay = regexp.MustCompile(`^([0-9]{1,2}):([0-9]{2})$`)

func spansOf(texts []string) ([]span, error) {
	var all []span
	for i, text := range texts {
		start, end, ok := strings.Cut(text, "-")
		from, okFrom := minute(start)
		to, okTo := minute(end)
		switch {
		case !ok || !okFrom || !okTo:
			return nil, &Error{"times", i, fmt.Sprintf("%q is no time of the day: write from when to when, as in 22:00-06:00", text)}
		case from == to || from == day:
			return nil, &Error{"times", i, fmt.Sprintf("%q has no minute in it: write from when to when, as in 22:00-06:00; for a whole day leave times out", text)}
		case to < from:
			to += day
		}
		all = append(all, span{from, to})
	}
	return all, nil
}

// minute reads a time of the day, to 24:00.
func minute(text string) (int, bool) {
	m := timeOfDay.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return 0, false
	}
	hour, _ := strconv.Atoi(m[1])
	minute, _ := strconv.Atoi(m[2])
	n := hour*60 + minute
	return n, minute < 60 && n <= day
}

func clock(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

func datesOf(texts []string) ([]dates, error) {
	var all []dates
	for i, text := range texts {
		first, last, isRange := strings.Cut(text, ":")
		if !isRange {
			last = first
		}
		from, err := time.Parse(time.DateOnly, strings.TrimSpace(first))
		to, errTo := time.Parse(time.DateOnly, strings.TrimSpace(last))
		switch {
		case err != nil || errTo != nil:
			return nil, &Error{"dates", i, fmt.Sprintf("%q is no date: write 2026-12-24, or from one to another as in 2026-12-24:2027-01-02", text)}
		case to.Before(from):
			return nil, &Error{"dates", i, fmt.Sprintf("%q ends before it begins (did you mean %s:%s?)", text, last, first)}
		case to.Sub(from) >= maxDates*24*time.Hour:
			return nil, &Error{"dates", i, fmt.Sprintf("%q is longer than a year: leave the alert or the receiver out", text)}
		}
		all = append(all, dates{from, to})
	}
	return all, nil
}

// onDates is the interval on each of some dates: one for each month that they
// touch. No dates are every day.
func onDates(i Interval, ranges []dates) []Interval {
	if len(ranges) == 0 {
		return []Interval{i}
	}
	var all []Interval
	for _, r := range ranges {
		for first := r.first; !first.After(r.last); {
			last := time.Date(first.Year(), first.Month()+1, 0, 0, 0, 0, 0, time.UTC) // of the month
			if r.last.Before(last) {
				last = r.last
			}
			one := i
			one.Days = fmt.Sprintf("%d:%d", first.Day(), last.Day())
			one.Months, one.Years = strconv.Itoa(int(first.Month())), strconv.Itoa(first.Year())
			all = append(all, one)
			first = last.AddDate(0, 0, 1)
		}
	}
	return all
}
