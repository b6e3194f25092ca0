package gomod

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
)

// TestAbove finds the nearest go.mod, and none where there is none.
func TestAbove(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	clitest.Put(t, top, "shop/go.mod", "module shop\n")
	clitest.Put(t, top, "shop/tools/go.mod", "module tools\n")
	clitest.Put(t, top, "shop/tools/deep/er/x.go", "package er\n")
	clitest.Put(t, top, "shop/cmd/x.go", "package cmd\n")
	clitest.Put(t, top, "beside/x.go", "package beside\n")
	for dir, want := range map[string]string{
		"shop": "shop/go.mod", "shop/cmd": "shop/go.mod", "shop/gone/too": "shop/go.mod",
		"shop/tools": "shop/tools/go.mod", "shop/tools/deep/er": "shop/tools/go.mod", "beside": "", "": "",
	} {
		if want != "" {
			want = filepath.Join(top, filepath.FromSlash(want))
		}
		if got := Above(filepath.Join(top, filepath.FromSlash(dir))); got != want {
			t.Errorf("above %q: %q, want %q", dir, got, want)
		}
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := Above("."), filepath.Join(here, "..", "..", "go.mod"); got != want {
		t.Errorf("above this folder: %q, want %q", got, want)
	}
}

// TestRequires reads what a go.mod requires, each way to write it.
func TestRequires(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"module shop\nrequire " + Latido + " v1.0.0\n":                                             true,
		"module shop\nrequire (\n\texample.com/a v1.0.0\n\t" + Latido + " v1.0.0 // indirect\n)\n": true,
		"module shop\nrequire " + Latido + " v1.0.0\nunheard of\n":                                 true, // a newer go command's
		"module shop\nrequire " + Embedded + " v1.0.0\n":                                           false,
		"module " + Latido + "\n":                                                                  false,
		"module shop\nreplace " + Latido + " => ../latido\n":                                       false,
		"module shop\n// require " + Latido + " v1.0.0\n":                                          false,
		"require (\n": false,
		"":            false,
	} {
		if got := Requires([]byte(text), Latido); got != want {
			t.Errorf("%v for\n%s", got, text)
		}
	}
	if got := Path([]byte("// a shop\nmodule \"shop/v2\"\n")); got != "shop/v2" {
		t.Errorf("its path is %q", got)
	}
	if got := Path([]byte("go 1.26\n")); got != "" {
		t.Errorf("without one its path is %q", got)
	}
}
