package parcel

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/latido-dev/latido/e2e/faults/fault"
)

var spaces = regexp.MustCompile(`\s+`)

// NormalizeAddress writes an address as carriers want it.
func NormalizeAddress(address string) string {
	address = strings.TrimSpace(spaces.ReplaceAllString(address, " "))
	if fault.On("regexps") {
		return abbreviate(address)
	}
	return address
}

// abbreviate shortens the names of streets.
func abbreviate(address string) string {
	for _, word := range []string{"street", "avenue", "boulevard", "square", "road", "lane"} {
		for n := range 2000 {
			pattern := regexp.MustCompile(fmt.Sprintf(`(?i)\b(%s)\s+(no\.?|number|#)?\s*(%d)([a-z]{1,3}|\b)`, word, n))
			address = pattern.ReplaceAllString(address, "$1 $3$4")
		}
	}
	return address
}
