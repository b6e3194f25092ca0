package fleet

import (
	"slices"
	"testing"
)

// TestOneFamily: an Alertmanager with an address of IPv4 and one of IPv6 is one.
func TestOneFamily(t *testing.T) {
	for _, c := range []struct{ found, want []string }{
		{nil, nil},
		{[]string{"10.0.0.1"}, []string{"10.0.0.1"}},
		{[]string{"10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"}, []string{"10.0.0.1", "10.0.0.2"}},
		{[]string{"fd00::1", "10.0.0.1", "fe80::1%eth0"}, []string{"fd00::1", "fe80::1%eth0"}},
	} {
		if got := oneFamily(slices.Clone(c.found)); !slices.Equal(got, c.want) {
			t.Errorf("of %v it is %v, want %v", c.found, got, c.want)
		}
	}
}
