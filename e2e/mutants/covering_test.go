package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/latido-dev/latido/internal/testkit"
)

// TestCovering finds the tests that run a line, in a package of its own: the quick
// ones first, all where none is known to, and a mutant by the one that fails.
func TestCovering(t *testing.T) {
	t.Parallel()
	dir, tmp := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module small\n\ngo 1.26\n",
		"small.go": `package small

func Twice(n int) int {
	return 2 * n
}

func Half(n int) int {
	return n / 2
}
`,
		"small_test.go": `package small

import "testing"

func TestTwice(t *testing.T) {
	if Twice(3) != 6 {
		t.Error("wrong")
	}
}

func TestBoth(t *testing.T) {
	if Half(Twice(2)) != 2 {
		t.Error("wrong")
	}
}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := append(os.Environ(), "GOWORK=off", "GOFLAGS=-vet=off")
	c, err := cover(t.Context(), env, dir, tmp)
	if err != nil {
		t.Fatal(err)
	}
	c.Took = map[string]time.Duration{"TestTwice": 2 * time.Second, "TestBoth": 2500 * time.Millisecond}
	for line, want := range map[int]string{4: "[TestTwice] [TestBoth]", 8: "[TestBoth] []", 1: "[TestTwice] [TestBoth]"} {
		if first, rest := c.of("small.go", line); fmt.Sprint(first, rest) != want {
			t.Errorf("line %d is run by %v %v, want %s", line, first, rest, want)
		}
	}
	program := filepath.Join(tmp, "small.test")
	for text, noticed := range map[string]bool{"2 * n": false, "2 + n": true, "n + n": false} {
		changed := fmt.Sprintf("package small\n\nfunc Twice(n int) int { return %s }\n\nfunc Half(n int) int { return n / 2 }\n", text)
		if err := os.WriteFile(filepath.Join(dir, "small.go"), []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := runIn(t.Context(), dir, env, os.Stderr, "go", "test", "-c", "-o", program, "."); err != nil {
			t.Fatal(err)
		}
		if passed := c.try(dir, env, program, "small.go", 4); passed == noticed {
			t.Errorf("%s: passed %v", text, passed)
		}
	}
	path := filepath.Join(tmp, "covering.json")
	testkit.Error(t, c.write(path), "")
	if back, err := readCovering(path); err != nil || fmt.Sprint(back) != fmt.Sprint(c) {
		t.Errorf("read back: %v, %v", back, err)
	}
}

// TestFirstChange: a file that is printed anew has other spaces, and one other
// word.
func TestFirstChange(t *testing.T) {
	t.Parallel()
	before, after := "a\nx   int // why\nif a < b {\n}\n", "a\nx int    // why\nif a <= b {\n}\n"
	if line := firstChange([]byte(before), []byte(after)); line != 3 {
		t.Errorf("line %d", line)
	}
}
