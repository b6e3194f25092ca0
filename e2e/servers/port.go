package servers

import (
	"net"
	"testing"
)

// FreeAddr returns an address on the loopback interface, such as
// "127.0.0.1:41234", that nobody listens on. Nothing keeps it free; servers
// started by [Run] get theirs from there, with another try after a clash.
func FreeAddr(t testing.TB) string {
	t.Helper()
	return freeAddrs(t, 1)[0]
}

// freeAddrs returns n different free addresses.
func freeAddrs(t testing.TB, n int) []string {
	t.Helper()
	var addrs []string
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("free port: %v", err)
		}
		defer listener.Close() // after the last, so that all differ
		addrs = append(addrs, listener.Addr().String())
	}
	return addrs
}
