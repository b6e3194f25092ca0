package main

import (
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"testing"

	"github.com/latido-dev/latido/internal/testkit"
)

// TestPatchesApply: each patch still changes the code that there is, into code,
// and the test that notices it is there. The table is of all of them.
func TestPatchesApply(t *testing.T) {
	t.Parallel()
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	all, err := readPatches(filepath.Join(top, "e2e/mutants/by-hand"))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 30 {
		t.Errorf("only %d patches", len(all))
	}
	var table bytes.Buffer
	fmt.Fprintln(&table, "# Mutations by hand\n\nEach of them is noticed; `make mutate BY_HAND=1` tries them all.\n\n| patch | what goes wrong | noticed by |\n|---|---|---|")
	for _, p := range all {
		replace, err := p.replace(top, t.TempDir())
		if err != nil {
			t.Error(err)
			continue
		}
		for _, changed := range replace {
			if filepath.Ext(changed) != ".go" {
				continue
			}
			if _, err := parser.ParseFile(token.NewFileSet(), changed, nil, 0); err != nil {
				t.Errorf("%s: %v", p.name, err)
			}
		}
		if !there(t, filepath.Join(top, p.module, p.pkg), p.notice) {
			t.Errorf("%s: there is no %s in %s", p.name, p.notice, filepath.Join(p.module, p.pkg))
		}
		fmt.Fprintf(&table, "| [%s](%s.patch) | %s | %s in %s |\n", p.name, p.name, p.what, p.notice, filepath.Join(p.module, p.pkg))
	}
	testkit.Golden(t, "by-hand/README.md", table.Bytes())
}

// there tells whether a package has a test.
func there(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("\nfunc "+name+"(t *testing.T)")) {
			return true
		}
	}
	return false
}

// TestEquivalentsAreThere: the list of mutants that nobody could notice names
// lines that there are.
func TestEquivalentsAreThere(t *testing.T) {
	t.Parallel()
	all, err := readEquivalent("equivalent.txt")
	if err != nil {
		t.Fatal(err)
	}
	for one := range all {
		parts := bytes.SplitN([]byte(one), []byte("|"), 3)
		text, err := os.ReadFile(filepath.Join("../..", string(parts[0])))
		if err != nil || !bytes.Contains(text, parts[2]) {
			t.Errorf("%s: there is no line %s", parts[0], parts[2])
		}
	}
}
