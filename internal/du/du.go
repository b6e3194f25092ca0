// Package du finds what fills a disk, as the command of that name does: of the
// files that were written lately.
package du

import (
	"context"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/shirou/gopsutil/v4/disk"

	"github.com/latido-dev/latido/internal/cause"
)

const (
	// weighApart is the least time between two looks at the files of a disk.
	weighApart = 500 * time.Millisecond
	// maxWeighed bounds the files that are remembered from one look to the next.
	maxWeighed = 50_000
	// wholly is the part of what is written that one folder has where it is named.
	wholly = 0.7
	// least is the part of what the disk grew by that has to be found: what is less
	// does not fill it.
	least = 0.3
)

// Grown finds the folder, or the file, below path that was written to since a
// time, while the disk of path filled by a share of it, 0 to 1. Its files are
// looked at twice. It returns the zero Folder where that takes longer than ctx
// lasts, where the disk did not fill, where files in many places fill it, and
// where none that can be read does.
func Grown(ctx context.Context, path string, since time.Time, share float64) cause.Folder {
	if share <= 0 {
		return cause.Folder{}
	}
	path = filepath.Clean(path)
	use, err := disk.UsageWithContext(ctx, path)
	if err != nil {
		return cause.Folder{}
	}
	grew, begun := share*float64(use.Total), time.Now()
	first, ok := weigh(ctx, path, since)
	if !ok {
		return cause.Folder{}
	}
	select {
	case <-ctx.Done():
		return cause.Folder{}
	case <-time.After(weighApart):
	}
	apart := time.Since(begun).Seconds() // as far as each file is from its first look
	second, ok := weigh(ctx, path, since)
	if !ok {
		return cause.Folder{}
	}
	added, all := map[string]float64{}, 0.0
	for file, size := range second {
		more := float64(size)
		if was, seen := first[file]; seen {
			more -= float64(was)
		} else { // it is new, or was there and not changed until now
			more = min(more, grew)
		}
		if more > 0 {
			added[file] = more
			all += more
		}
	}
	if usual := grew / time.Since(since).Seconds() * apart; all > 0 && all >= least*usual { // it fills it right now
		f := heaviest(path, added)
		f.Bytes, f.PerSecond = 0, f.Bytes/apart
		return f
	}
	// Of a file that was there before, no more is new than the disk grew by.
	written := map[string]float64{}
	for file, size := range second {
		written[file] = min(float64(size), grew)
	}
	if f := heaviest(path, written); f.Bytes >= least*grew {
		return f
	}
	return cause.Folder{}
}

// weigh reads the sizes of the files below a folder that were changed since then,
// on its own disk. It reports false where that takes too long, or there are too many.
func weigh(ctx context.Context, root string, since time.Time) (map[string]int64, bool) {
	other := map[string]bool{}
	mounts, err := disk.PartitionsWithContext(ctx, true)
	if err != nil {
		return nil, false
	}
	for _, m := range mounts {
		other[filepath.Clean(m.Mountpoint)] = true
	}
	sizes := map[string]int64{}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil || len(sizes) > maxWeighed:
			return fs.SkipAll
		case err != nil:
			return nil //nolint:nilerr // what may not be read counts for nothing
		case entry.IsDir() && path != root && other[path]:
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		if info, err := entry.Info(); err == nil && info.ModTime().After(since) {
			sizes[path] = info.Size()
		}
		return nil
	})
	return sizes, err == nil && ctx.Err() == nil && len(sizes) <= maxWeighed
}

// heaviest is the deepest folder below root that has most of the bytes, or the
// file that has them alone; the zero Folder where no one has.
func heaviest(root string, files map[string]float64) cause.Folder {
	below, counted, all := map[string]float64{}, map[string]int{}, 0.0
	for file, bytes := range files {
		all += bytes
		for at := file; at != root && at != filepath.Dir(at); at = filepath.Dir(at) {
			below[at] += bytes
			counted[at]++
		}
	}
	found := cause.Folder{}
	for at := range below {
		if below[at] >= wholly*all && below[at] > 0 && len(at) > len(found.Path) {
			found = cause.Folder{Path: at, Bytes: below[at], Files: counted[at]}
		}
	}
	return found
}
