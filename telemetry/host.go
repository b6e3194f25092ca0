package telemetry

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/mem"
)

// hostTTL is how long a sample of the host serves: two collectors, or a person
// who reloads a page, cost one sample. Scrapes that come each second
// would read one of a second twice, and find that nothing was used meanwhile.
const hostTTL = 500 * time.Millisecond

// host samples the machine, the process and its container, when it is asked.
type host struct {
	diskPath    string
	diskUsage   func(path string) (*disk.UsageStat, error)
	diskGuard   *guard
	container   *container
	diagnostics *diagnostics

	mu     sync.Mutex
	at     time.Time
	busy   float64 // CPU seconds since boot, of all cores
	total  float64
	sample hostSample
}

// hostSample is nil where the platform, or the path, has no such figure: a
// missing series says so better than a zero.
type hostSample struct {
	cpu, memory, disk *float64
	process           processSample
	container         containerSample
}

func newHost(diskPath string, diagnostics *diagnostics) *host {
	diskPath = cmp.Or(diskPath, "/")
	h := &host{
		diskPath: diskPath, diskUsage: disk.Usage, diskGuard: newGuard("disk.usage of "+diskPath, diagnostics),
		container: newContainer(os.DirFS("/")), diagnostics: diagnostics,
	}
	h.busy, h.total, _ = cpuSeconds() // so that the first sample has something to compare with
	return h
}

// read returns the host's figures, at most hostTTL old.
func (h *host) read() hostSample {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.at.IsZero() && time.Since(h.at) < hostTTL {
		return h.sample
	}
	if busy, total, err := cpuSeconds(); err != nil {
		h.missing("cpu", err)
		h.sample.cpu = nil
	} else if elapsed := total - h.total; elapsed > 0 {
		h.sample.cpu = new(min(max((busy-h.busy)/elapsed*100, 0), 100))
		h.busy, h.total = busy, total
	} else if h.sample.cpu == nil && total > 0 { // asked at once: since the machine's start
		h.sample.cpu = new(busy / total * 100)
	}
	h.sample.memory = nil
	if m, err := mem.VirtualMemory(); err != nil {
		h.missing("memory", err)
	} else {
		h.sample.memory = new(float64(m.Used))
	}
	h.sample.disk = h.readDisk()
	h.sample.process, h.sample.container = readProcess(h.sample.process), h.container.read()
	h.at = time.Now() // of the end: a disk that hangs delays one reader in a while, not each
	return h.sample
}

// readDisk returns nil while the file system hangs: that of a network file
// system whose server is gone does so for ever, and cannot be told to stop.
func (h *host) readDisk() *float64 {
	var found atomic.Pointer[disk.UsageStat]
	h.diskGuard.run(context.Background(), func() error {
		d, err := h.diskUsage(h.diskPath)
		if err != nil {
			h.missing("disk "+h.diskPath, err)
			return nil
		}
		found.Store(d)
		return nil
	})
	if d := found.Load(); d != nil {
		return new(d.UsedPercent)
	}
	return nil
}

func (h *host) missing(what string, err error) {
	h.diagnostics.once("host/"+what, func(log *slog.Logger) {
		log.Warn("a figure of the host cannot be read: its series is missing", "figure", what, "error", err)
	})
}

// cpuSeconds are the CPU seconds of all cores since boot: those in use, and all.
func cpuSeconds() (busy, total float64, err error) {
	times, err := cpu.Times(false)
	if err != nil || len(times) == 0 {
		return 0, 0, err
	}
	busy, total = inUse(times[0])
	return busy, total, nil
}

// inUse adds up what the cores do. Guest time is part of user time already.
func inUse(t cpu.TimesStat) (busy, total float64) {
	total = t.User + t.System + t.Nice + t.Idle + t.Iowait + t.Irq + t.Softirq + t.Steal
	return total - t.Idle - t.Iowait, total
}
