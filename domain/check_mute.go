package domain

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/latido-dev/latido/internal/mute"
)

// maxMutes is how many times an alert or a receiver may be muted.
const maxMutes = 50

// mutes checks when alerts are not told.
func (v *validator) mutes(path string, all []Mute) {
	if len(all) > maxMutes {
		v.add(path, "%d times, at most %d", len(all), maxMutes)
		return
	}
	var entries [][2][]string
	for i, m := range all {
		at := index(path, i)
		if v.unread(at) {
			return
		}
		if _, err := mute.Intervals(m.Weekdays, m.Times, m.Dates); err != nil {
			if wrong, ok := errors.AsType[*mute.Error](err); ok && wrong.Index >= 0 {
				at = index(at+"."+wrong.Field, wrong.Index)
			}
			v.check(at, err)
			return
		}
		if len(m.Dates) == 0 {
			entries = append(entries, [2][]string{m.Weekdays, m.Times})
		}
	}
	if len(entries) > 0 && mute.Always(entries) {
		v.add(path, "leaves no minute of the week, so nobody would ever be told: leave out what is muted, or mute less")
	}
}

// timeZone checks the zone of mutes against the time zone database. Where the
// machine has none, a name that may be one passes: a service in an empty image
// starts, and what reads the file next brings its own.
func (v *validator) timeZone() {
	zone := v.d.TimeZone
	if zone == "" {
		return
	}
	if zone == "Local" {
		v.add("time_zone", `"Local" is another one on each machine: write its name, such as America/Bogota`)
		return
	}
	if _, err := time.LoadLocation(zone); err == nil {
		return
	}
	if _, err := time.LoadLocation(someZones[0]); err != nil && strings.Contains(zone, "/") {
		return
	}
	meant := ": write a name of the time zone database, such as America/Bogota or Europe/Madrid"
	city := strings.ReplaceAll(zone[strings.LastIndex(zone, "/")+1:], " ", "_")
	i := slices.IndexFunc(someZones, func(z string) bool {
		return strings.EqualFold(z[strings.LastIndex(z, "/")+1:], city) || strings.EqualFold(z, zone)
	})
	if i >= 0 {
		meant = " (did you mean \"" + someZones[i] + "\"?)"
	}
	v.add("time_zone", "unknown time zone %q%s", zone, meant)
}

// someZones are those of the places that are most often meant.
var someZones = []string{
	"America/Bogota", "America/Mexico_City", "America/Lima", "America/Santiago", "America/Caracas", "America/Guayaquil", "America/La_Paz",
	"America/Montevideo", "America/Asuncion", "America/Panama", "America/Costa_Rica", "America/Guatemala", "America/El_Salvador",
	"America/Tegucigalpa", "America/Managua", "America/Santo_Domingo", "America/Havana", "America/Argentina/Buenos_Aires", "America/Sao_Paulo",
	"Europe/Madrid", "Europe/London", "Europe/Berlin", "Europe/Paris", "Europe/Lisbon", "America/New_York", "America/Chicago", "America/Los_Angeles",
	"Asia/Tokyo", "Asia/Kolkata", "Asia/Shanghai", "Australia/Sydney",
}
