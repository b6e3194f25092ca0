//go:build unix

package prom

import (
	"errors"

	"golang.org/x/sys/unix"
)

// freeBytes is the space that this user can still write at dir.
func freeBytes(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil //nolint:unconvert // Bavail has a sign on some systems
}

// isDiskError tells whether the disk is full, or cannot be written to.
func isDiskError(err error) bool {
	for _, e := range []error{unix.ENOSPC, unix.EDQUOT, unix.EROFS, unix.EIO, unix.EMFILE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
