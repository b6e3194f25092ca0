package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/internal/testkit"
)

// TestCovering finds the tests that run a line, in a package of its own: the quick
// ones first, and a mutant by the one that fails, in a process that it starts, too. A
// test that needs another one is none of them.
func TestCovering(t *testing.T) {
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

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

func TestTwice(t *testing.T) {
	if Twice(3) != 6 {
		t.Error("wrong")
	}
}

var both bool

func TestFirst(t *testing.T) {
	if !both {
		t.Error("it needs another one")
	}
}

func TestChild(t *testing.T) {
	if os.Getenv("SMALL_CHILD") != "" {
		fmt.Print(Twice(5))
		os.Exit(0)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestChild$")
	child.Env = append(os.Environ(), "SMALL_CHILD=1")
	if out, err := child.Output(); err != nil || string(out) != "10" {
		t.Errorf("%s, %v", out, err)
	}
}

func TestBoth(t *testing.T) {
	both = true
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
	c, err := cover(t.Context(), env, dir, "small", tmp)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(coverings{c, c}.profile()); !strings.Contains(text, "mode: set\nsmall/small.go:3.23,5.2 1 1\nsmall/small.go:7.22,9.2 1 1\n") {
		t.Errorf("the profile is\n%s", text)
	}
	path := filepath.Join(tmp, "covering.json")
	testkit.Error(t, coverings{c}.write(path), "")
	if back, err := readCoverings(path); err != nil || fmt.Sprint(back) != fmt.Sprint(coverings{c}) {
		t.Errorf("read back: %v, %v", back, err)
	}
	c.Took = map[string]time.Duration{"TestTwice": 2 * time.Second, "TestBoth": 2500 * time.Millisecond, "TestChild": time.Second}
	for line, want := range map[int]string{4: "[TestTwice] [TestBoth] [TestChild]", 8: "[TestBoth] [] [TestChild TestTwice]", 1: "[] [] []"} {
		if first, rest, others := c.of("small.go", line); fmt.Sprint(first, rest, others) != want {
			t.Errorf("line %d is run by %v %v, and perhaps by %v, want %s", line, first, rest, others, want)
		}
	}
	t.Setenv(realGo, "go")
	for text, noticed := range map[string]bool{"2 * n": false, "2 + n": true, "n + n": false, "2*n + n/5": true} {
		changed := fmt.Sprintf("package small\n\nfunc Twice(n int) int { return %s }\n\nfunc Half(n int) int { return n / 2 }\n", text)
		if err := os.WriteFile(filepath.Join(dir, "small.go"), []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := c.notices(env, tmp, "small.go", 4); got != noticed || err != nil {
			t.Errorf("%s: noticed %v, %v", text, got, err)
		}
	}
	if _, err := c.notices(append(env, "GOFLAGS=-none"), tmp, "small.go", 4); err == nil {
		t.Error("what does not compile is tried")
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
