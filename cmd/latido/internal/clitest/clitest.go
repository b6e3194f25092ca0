// Package clitest calls verbs of the command in tests, as main does, on files of
// a test's own.
package clitest

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
)

// Messages are compared in English, whoever runs the tests. Each call leaves
// megabytes that nobody needs any more: to collect them less often takes a fifth
// of the CPU time away, and some tens of megabytes more.
func init() {
	debug.SetGCPercent(400)
	if err := os.Setenv("LC_ALL", "en"); err != nil {
		panic(err)
	}
}

// Verbs are those that a test may call.
type Verbs []func() *cobra.Command

// Run calls the command without any input.
func (v Verbs) Run(args ...string) (code int, stdout, stderr string) { return v.Read("", args...) }

// Read calls the command on an input.
func (v Verbs) Read(stdin string, args ...string) (code int, stdout, stderr string) {
	var out, trouble bytes.Buffer
	code = cli.Run(v, args, strings.NewReader(stdin), &out, &trouble)
	return code, out.String(), trouble.String()
}

// Say calls the command, which is to exit with a code, and returns all that it
// says.
func (v Verbs) Say(t *testing.T, code int, args ...string) string {
	t.Helper()
	got, stdout, stderr := v.Run(args...)
	if got != code {
		t.Errorf("%q: exit %d, want %d\n%s%s", args, got, code, stdout, stderr)
	}
	return stdout + stderr
}

// Put writes a file, and the folders above it.
func Put(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Contents are all files of a folder, by their paths with slashes.
func Contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Exists tells whether there is a file or folder.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
