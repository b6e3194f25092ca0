package testkit

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew, instead of comparing with them")

// Golden compares got with the content of file, a path relative to the
// package of the test, and reports the first line that differs. With -update
// it writes the file instead; read its diff before you commit it.
func Golden(t testing.TB, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: write it with -update", err)
	}
	// A checkout on Windows may have turned line ends into CRLF.
	want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))
	if diff := firstDifference(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (if this is right, write it with -update):\n%s", file, diff)
	}
}

// firstDifference shows the first line in which two texts differ, with the
// lines around it; "" if they are the same.
func firstDifference(want, got string) string {
	if want == got {
		return ""
	}
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < len(w) && i < len(g) && w[i] == g[i] {
		i++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "line %d of %d wanted, %d got\n", i+1, len(w), len(g))
	for _, line := range w[max(0, i-3):i] {
		fmt.Fprintf(&b, "   %s\n", line)
	}
	for _, line := range w[i:min(len(w), i+5)] {
		fmt.Fprintf(&b, " - %s\n", line)
	}
	for _, line := range g[i:min(len(g), i+5)] {
		fmt.Fprintf(&b, " + %s\n", line)
	}
	return b.String()
}
