// Package checkout copies the repository as it is, for what must not change it.
package checkout

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Copy makes dir the checkout top as it is, with what is not committed yet, and
// without its repository. Files that dir has as they are stay untouched, and so do
// those that the checkout has not.
func Copy(top, dir string) error {
	list, err := exec.Command("git", "-c", "safe.directory=*", "-C", top, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return fmt.Errorf("git ls-files in %s: %w", top, err)
	}
	for file := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		if err := CopyFile(top, dir, file); err != nil && !errors.Is(err, fs.ErrNotExist) { // deleted, and not committed yet
			return err
		}
	}
	return nil
}

// CopyFile copies one file, which is named as seen from top.
func CopyFile(top, dir, file string) error {
	info, err := os.Stat(filepath.Join(top, file))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(top, file))
	if err != nil {
		return err
	}
	to := filepath.Join(dir, file)
	if there, err := os.ReadFile(to); err == nil && bytes.Equal(there, text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, text, info.Mode().Perm())
}
