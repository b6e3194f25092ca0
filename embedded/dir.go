package embedded

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/prometheus/prometheus/tsdb/fileutil"
)

// folder is the place of the data, locked for this process: two that write to
// one would spoil the data of both.
type folder struct {
	path string
	lock fileutil.Releaser
}

// openFolder makes and locks the folder at path; "" means the service's in the
// user's cache folder.
func openFolder(path, service string) (*folder, error) {
	if path == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("the user has no cache folder: set Config.Dir, or Config.Memory: %w", err)
		}
		path = filepath.Join(cache, "latido", service)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("set Config.Dir to a folder that can be written to: %w", err)
	}
	lock, _, err := fileutil.Flock(filepath.Join(path, "lock"))
	if err != nil {
		return nil, fmt.Errorf("%s is in use by another process: set Config.Dir to another folder: %w", path, err)
	}
	return &folder{path, lock}, nil
}

// sub is the path of a folder in it, or "" where there is no folder.
func (f *folder) sub(name string) string {
	if f == nil {
		return ""
	}
	return filepath.Join(f.path, name)
}

func (f *folder) close() error {
	if f == nil {
		return nil
	}
	return f.lock.Release()
}
