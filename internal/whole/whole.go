// Package whole reads and writes files that are whole or not there: a process
// that is killed, or a full disk, leaves no half of one.
package whole

import (
	"fmt"
	"os"
	"path/filepath"
)

// maxFile is how large a file may be that is read back, in bytes.
const maxFile = 64 << 20

// Write replaces a file. It waits until the content is on the disk: a name must
// not stand for a file that a power failure emptied.
func Write(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

// Read reads a file that is not larger than any that is written.
func Read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s is no file of at most %d MiB", path, maxFile>>20)
	}
	return os.ReadFile(path)
}
