package testkit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorder takes down what a helper says about a test, instead of failing.
type recorder struct {
	testing.TB
	said strings.Builder
}

func (r *recorder) Helper()                   {}
func (r *recorder) Errorf(f string, a ...any) { fmt.Fprintf(&r.said, f, a...) }
func (r *recorder) Fatalf(f string, a ...any) { r.Errorf(f, a...); panic(r) }

func said(t *testing.T, run func(testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	func() {
		defer func() {
			if p := recover(); p != nil && p != any(r) {
				panic(p)
			}
		}()
		run(r)
	}()
	return r.said.String()
}

func TestError(t *testing.T) {
	boom := errors.New("boom at 3")
	for _, c := range []struct {
		err        error
		want, said string
	}{
		{nil, "", ""},
		{boom, "boom", ""},
		{boom, "", "unexpected error: boom at 3"},
		{nil, "boom", `no error, want one with "boom"`},
		{boom, "bang", "wrong error"},
	} {
		got := said(t, func(tb testing.TB) { Error(tb, c.err, c.want) })
		if (got == "") != (c.said == "") || !strings.Contains(got, c.said) {
			t.Errorf("Error(%v, %q) said %q, want %q", c.err, c.want, got, c.said)
		}
	}
}

func TestGolden(t *testing.T) {
	if *update {
		return // this test is about comparing
	}
	file := filepath.Join(t.TempDir(), "golden.txt")
	if got := said(t, func(tb testing.TB) { Golden(tb, file, nil) }); !strings.Contains(got, "write it with -update") {
		t.Errorf("missing file: said %q", got)
	}
	if err := os.WriteFile(file, []byte("one\r\ntwo\r\nthree\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := said(t, func(tb testing.TB) { Golden(tb, file, []byte("one\ntwo\nthree\n")) }); got != "" {
		t.Errorf("same content: said %q", got)
	}
	got := said(t, func(tb testing.TB) { Golden(tb, file, []byte("one\n2\nthree\n")) })
	if !strings.Contains(got, "line 2 of") || !strings.Contains(got, " - two\n") || !strings.Contains(got, " + 2\n") {
		t.Errorf("different content: said %q", got)
	}
}
