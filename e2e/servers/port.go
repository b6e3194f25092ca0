package servers

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// The ports of FreeAddr are below those that the kernel gives to whoever asks for
// any, 32768 and more on Linux: a connection or a listener of somebody else takes
// none of them between the question and the answer, however long that is.
const leastPort, ports = 20_000, 12_000

// given are the ports that this process had, each once.
var given = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// FreeAddr returns an address on the loopback interface, such as
// "127.0.0.1:21234", that nobody listens on. It is given once: until somebody
// who was told of it listens there, nobody does. Servers started by [Run] get
// theirs from there, with another try after a clash with another process.
func FreeAddr(t testing.TB) string {
	t.Helper()
	return freeAddrs(t, 1)[0]
}

// freeAddrs returns n different free addresses.
func freeAddrs(t testing.TB, n int) []string {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	var addrs []string
	for tried := 0; len(addrs) < n; tried++ {
		if tried > 100*ports {
			t.Fatalf("no port from %d to %d is free", leastPort, leastPort+ports-1)
		}
		port := leastPort + rand.N(ports)
		if given.ports[port] {
			continue
		}
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		_ = listener.Close()
		given.ports[port] = true
		addrs = append(addrs, addr)
	}
	return addrs
}
