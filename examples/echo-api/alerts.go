package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// console lets alerts be noted down while the rest of the program prints. Each
// Write comes out in one piece.
type console struct {
	mu  sync.Mutex
	out io.Writer
}

func (c *console) Write(text []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(text)
}

// note writes an alert down with its cause: it is what the action "anotar" of
// domain.yaml does. A service may as well open a ticket here, or shed load.
func note(out io.Writer, labels, annotations map[string]string, resolved bool) error {
	var b strings.Builder
	b.WriteString("\nALERT ")
	if resolved {
		b.WriteString("over: ")
	}
	b.WriteString(labels["alertname"])
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		switch label {
		case "alertname", "domain", "job", "instance", "severity": // the same for all, or of no interest to who is here
		default:
			fmt.Fprintf(&b, " %s=%s", label, labels[label])
		}
	}
	fmt.Fprintf(&b, ": %s\n", annotations["summary"])
	if !resolved {
		for _, a := range []struct{ name, says string }{
			{"cause", "because"}, {"hot_1", "hot"}, {"waits_1", "waits"}, {"changed", "changed"}, {"evidence", "evidence"}, {"incident", "more"},
		} {
			if text := annotations[a.name]; text != "" {
				fmt.Fprintf(&b, "  %-9s %s\n", a.says, text)
			}
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}
