package telemetry

import (
	"context"
	"errors"
	"math"
	"os"
	"syscall"

	"github.com/shirou/gopsutil/v4/common"
	"github.com/shirou/gopsutil/v4/process"
)

// processSample is what the process uses. A figure is nil where the platform
// does not tell.
type processSample struct {
	cpu, resident, threads, start *float64
	files, maxFiles               *float64
}

// ownProcess looks in /proc, whatever HOST_PROC says: the variable is for the
// figures of the machine, and the process has another number there.
var ownProcess = context.WithValue(context.Background(), common.EnvKey, common.EnvMap{common.HostProcEnvKey: "/proc"})

// readProcess samples the process that calls it. With no file descriptor left
// there is nothing to look with: then as many are open as may be, by the sample
// before.
func readProcess(last processSample) (s processSample) {
	p := &process.Process{Pid: int32(os.Getpid())}
	if t, err := p.TimesWithContext(ownProcess); err == nil {
		s.cpu = new(t.User + t.System)
	}
	if m, err := p.MemoryInfoWithContext(ownProcess); err == nil && m.RSS > 0 {
		s.resident = new(float64(m.RSS))
	}
	if n, err := p.NumThreadsWithContext(ownProcess); err == nil && n > 0 {
		s.threads = new(float64(n))
	}
	if ms, err := p.CreateTimeWithContext(ownProcess); err == nil && ms > 0 {
		s.start = new(float64(ms) / 1000)
	}
	if n, err := p.NumFDsWithContext(ownProcess); err == nil {
		s.files = new(float64(n))
	} else if errors.Is(err, syscall.EMFILE) {
		s.files, s.maxFiles = last.maxFiles, last.maxFiles
	}
	if limits, err := p.RlimitWithContext(ownProcess); err == nil {
		for _, limit := range limits {
			if limit.Resource == process.RLIMIT_NOFILE && limit.Soft != math.MaxUint64 {
				s.maxFiles = new(float64(limit.Soft))
			}
		}
	}
	return s
}
