package faults

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// spoolBytes is the size of the disk that labels are written to.
const spoolBytes = 24 << 20

// mountSpool gives the labels a small disk of their own, where it may.
func mountSpool(t testing.TB, dir string) {
	if !smallDisk() {
		return
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", spoolBytes)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

// smallDisk tells whether a file system can be mounted.
func smallDisk() bool { return os.Geteuid() == 0 && tryMount() }

func tryMount() bool {
	dir, err := os.MkdirTemp("", "mount")
	if err != nil {
		return false
	}
	defer os.Remove(dir)
	if unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4096") != nil {
		return false
	}
	return unix.Unmount(dir, unix.MNT_DETACH) == nil
}

// cpuGroups is where control groups with a limit on CPU time are made, and
// which version they are of.
func cpuGroups() (dir string, v1 bool) {
	if err := unix.Access("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", unix.F_OK); err == nil || unix.Access("/sys/fs/cgroup/cpu/tasks", unix.W_OK) == nil {
		return "/sys/fs/cgroup/cpu", true
	}
	if text, err := os.ReadFile("/sys/fs/cgroup/cgroup.subtree_control"); err == nil && strings.Contains(string(text), "cpu") {
		return "/sys/fs/cgroup", false
	}
	return "", false
}

// quotas tells whether a process can be given a limit on CPU time.
func quotas() bool {
	dir, _ := cpuGroups()
	if dir == "" || os.Geteuid() != 0 {
		return false
	}
	group := filepath.Join(dir, fmt.Sprintf("latido-try-%d", os.Getpid()))
	defer os.Remove(group)
	return os.Mkdir(group, 0o755) == nil
}

// first gives this process and those that it starts the CPU before all others,
// where it may: what else is tested at the same time is no fault of the service.
func first() (undo func()) {
	if !quotas() {
		return func() {}
	}
	dir, _ := cpuGroups()
	group, self := firstGroup(), fmt.Appendln(nil, os.Getpid())
	if err := os.Mkdir(group, 0o755); err != nil {
		return func() {}
	}
	if err := favour(group); err == nil {
		_ = os.WriteFile(filepath.Join(group, "cgroup.procs"), self, 0o600)
	}
	return func() {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.procs"), self, 0o600)
		_ = os.Remove(group)
	}
}

func firstGroup() string {
	dir, _ := cpuGroups()
	return filepath.Join(dir, fmt.Sprintf("latido-first-%d", os.Getpid()))
}

// beside makes a process one of the others on the machine, which are no longer
// behind this one. Those that are first and use all CPUs would leave none to the
// kernel's own threads, and nothing could be written to a disk.
func beside(t testing.TB, pid int) {
	t.Helper()
	dir, _ := cpuGroups()
	if _, err := os.Stat(firstGroup()); err != nil {
		return
	}
	if err := share(firstGroup(), 2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = favour(firstGroup()) })
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), fmt.Append(nil, pid), 0o600); err != nil {
		t.Fatal(err)
	}
}

// favour gives a group the largest share of the CPU time.
func favour(group string) error { return share(group, 100) }

// share gives a group as much CPU time as so many processes have.
func share(group string, processes int) error {
	file, one := "cpu.weight", 100
	if _, v1 := cpuGroups(); v1 {
		file, one = "cpu.shares", 1024
	}
	return os.WriteFile(filepath.Join(group, file), fmt.Append(nil, processes*one), 0o600)
}

// limitCPU puts a process into a group that may use so many per cent of a CPU,
// and returns the group.
func limitCPU(t testing.TB, pid, percent int) {
	t.Helper()
	dir, _ := cpuGroups()
	group := filepath.Join(dir, fmt.Sprintf("latido-%d", pid))
	if err := os.MkdirAll(group, 0o755); err != nil {
		t.Fatal(err)
	}
	setLimit(t, pid, percent)
	if err := favour(group); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), fmt.Append(nil, pid), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // before the process is killed
		_ = os.WriteFile(filepath.Join(dir, "cgroup.procs"), fmt.Append(nil, pid), 0o600)
		_ = os.Remove(group)
	})
}

// setLimit changes the limit of a process's group.
func setLimit(t testing.TB, pid, percent int) {
	t.Helper()
	dir, v1 := cpuGroups()
	file, text := "cpu.max", fmt.Sprintf("%d 100000", percent*1000)
	if v1 {
		file, text = "cpu.cfs_quota_us", fmt.Sprint(percent*1000)
	}
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("latido-%d", pid), file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// pipes tells whether a log may be a named pipe.
func pipes() bool { return true }

// stalled is true while nobody reads the pipes of makePipe.
var stalled atomic.Bool

// makePipe makes a named pipe that is read unless stalled.
func makePipe(t testing.TB, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0) // read and write: it waits for no writer
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 4096) })
	}
	stalled.Store(false)
	done := make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewReader(f)
		for {
			for stalled.Load() {
				time.Sleep(10 * time.Millisecond)
			}
			if _, err := lines.ReadSlice('\n'); err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				return
			}
		}
	}()
	t.Cleanup(func() {
		stalled.Store(false)
		_ = f.Close()
		<-done
	})
}

// machine says what the results were measured on.
func machine() string {
	model := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d CPUs of %s, %s, %s", runtime.NumCPU(), model, runtime.GOOS, runtime.Version())
}
