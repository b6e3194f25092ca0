// Package fault is the switch by which a test breaks a running process. The
// process reads it from a Unix socket that nothing measures.
//
// Only the switch is here. What a fault does is written in the function that it
// breaks, as a real mistake would be.
package fault

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// values are the faults that are on, and what each was set to.
var values atomic.Pointer[map[string]string]

// On tells whether a fault is on. It is one atomic load and a look-up.
func On(name string) bool {
	_, ok := lookup(name)
	return ok
}

// Duration is what a fault was set to, or otherwise where it is off.
func Duration(name string, otherwise time.Duration) time.Duration {
	if text, ok := lookup(name); ok {
		if d, err := time.ParseDuration(text); err == nil {
			return d
		}
	}
	return otherwise
}

func lookup(name string) (string, bool) {
	if m := values.Load(); m != nil {
		value, ok := (*m)[name]
		return value, ok
	}
	return "", false
}

// Listen serves the socket at path for the life of the process: each
// connection sends one line, all faults that are on from then, as
// "name=value name=value".
func Listen(path string) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if line, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
				Set(line)
				_, _ = io.WriteString(conn, "ok\n")
			}
			_ = conn.Close()
		}
	}()
	return nil
}

// Set turns on the faults that line names, and all others off.
func Set(line string) {
	m := map[string]string{}
	for field := range strings.FieldsSeq(line) {
		name, value, _ := strings.Cut(field, "=")
		m[name] = value
	}
	values.Store(&m)
}

// Tell has the process that listens on path turn on the faults that line
// names, and all others off. It returns when that is so.
func Tell(path, line string) error {
	conn, err := net.DialTimeout("unix", path, 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := fmt.Fprintln(conn, line); err != nil {
		return err
	}
	answer, err := io.ReadAll(conn)
	if err == nil && string(answer) != "ok\n" {
		err = fmt.Errorf("fault: %s answers %q", path, answer)
	}
	return err
}
