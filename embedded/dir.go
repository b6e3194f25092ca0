package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

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

// fleeting says what a folder ends with, by the lines of /proc/self/mountinfo
// (https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html): a container's
// own layer ends with the container, and what is in memory too. It is "" for a
// folder on a volume, and for all of a machine that is no container.
func fleeting(mountinfo, path string) string {
	kinds := map[string]string{} // of the file system, by where it is mounted
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		place, kind := strings.Fields(before), strings.Fields(after)
		if ok && len(place) >= 5 && len(kind) > 0 {
			kinds[strings.ReplaceAll(place[4], `\040`, " ")] = kind[0] // a later one hides what is below it
		}
	}
	if root := kinds["/"]; root != "overlay" && root != "fuse-overlayfs" {
		return "" // a machine, or a container of a kind that is not known
	}
	for at := filepath.Clean(path); ; at = filepath.Dir(at) {
		switch kind, here := kinds[at]; {
		case !here && at != filepath.Dir(at):
			continue
		case kind == "tmpfs":
			return "memory"
		case kind == kinds["/"]:
			return "the container's own layer"
		}
		return ""
	}
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
