package testkit

import (
	"flag"
	"strconv"
)

// Parallel has n tests of a package run at once, where the flag -parallel does not
// say otherwise. It is for tests that wait for clocks and connections, and not for a
// processor. TestMain calls it.
func Parallel(n int) {
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set(strconv.Itoa(n))
	}
}
