//go:build !linux

package faults

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
)

// What only Linux is asked for.

func mountSpool(testing.TB, string) {}

func smallDisk() bool { return false }

func quotas() bool { return false }

func pipes() bool { return false }

func first() (undo func()) { return func() {} }

func beside(testing.TB, int) {}

func limitCPU(testing.TB, int, int) {}

func setLimit(testing.TB, int, int) {}

func makePipe(testing.TB, string) {}

var stalled atomic.Bool

func machine() string {
	return fmt.Sprintf("%d CPUs, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}
