package telemetry

import (
	"bufio"
	"bytes"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// containerSample is what the control group that the process runs in may use,
// and uses. A figure is nil where there is none: outside Linux, outside a group,
// without a limit.
type containerSample struct {
	cpu, cpuLimit                     *float64 // seconds, cores
	periods, throttled, throttledTime *float64 // of the limit: counts, and seconds
	memory, memoryLimit, kills        *float64 // bytes, and a count
}

// container finds the control group (https://docs.kernel.org/admin-guide/cgroup-v2.html,
// and cgroup-v1 beside it) below a root directory, which is "/".
type container struct {
	root   fs.FS
	mounts []cgroupMount
}

// cgroupMount is where a hierarchy of control groups is mounted: one of them
// all in version 2, one a controller or two in version 1.
type cgroupMount struct {
	controllers string // of version 1, with commas around each; "" for version 2
	root, point string // the group that is mounted, and where
}

func newContainer(root fs.FS) *container {
	return &container{root, parseMounts(readFile(root, "proc/self/mountinfo"))}
}

// read samples the group. A service of systemd may run in a slice with the
// limit, a container of a pod in a pod with it: of the group and those around
// it, the figures are those of the one with the smallest limit.
func (c *container) read() (s containerSample) {
	membership := parseMembership(readFile(c.root, "proc/self/cgroup"))
	if group := c.find("cpu", membership); group.dir != "" {
		group.readCPU(&s)
	}
	if group := c.find("memory", membership); group.dir != "" {
		group.readMemory(&s)
	}
	if group := c.find("cpuacct", membership); group.v1 && group.dir != "" {
		s.cpu = scaled(number(group.text(group.dir, "cpuacct.usage")), 1e-9)
	}
	return s
}

// controlGroup is where the files of a controller are.
type controlGroup struct {
	root       fs.FS
	dir, point string // the directory of the group, and of the mount around it
	v1         bool
}

// find returns the group that controller puts the process in. A controller is
// in version 1 or in 2, never in both.
func (c *container) find(controller string, membership map[string]string) controlGroup {
	for _, version := range []string{"," + controller + ",", ""} {
		for _, m := range c.mounts {
			if version == "" && m.controllers != "" || !strings.Contains(m.controllers, version) {
				continue
			}
			var own string
			var ok bool
			if m.controllers == "" {
				own, ok = membership[""]
			} else {
				own, ok = membership[controller]
			}
			if !ok || strings.HasPrefix(own, "/..") { // a group outside what is mounted here
				continue
			}
			g := controlGroup{root: c.root, point: strings.TrimPrefix(m.point, "/"), v1: m.controllers != ""}
			g.dir = g.point
			if below, ok := strings.CutPrefix(own, strings.TrimSuffix(m.root, "/")); ok && (below == "" || below[0] == '/') {
				g.dir = path.Join(g.point, below)
			}
			if _, err := fs.Stat(c.root, g.dir); err != nil { // the path is the machine's, what is mounted is the container's
				g.dir = g.point
			}
			if _, err := fs.Stat(c.root, path.Join(g.dir, "release_agent")); err == nil && g.v1 {
				return controlGroup{} // the root of version 1: the whole machine
			}
			return g
		}
	}
	return controlGroup{}
}

// around yields the directory of the group and of those around it.
func (g controlGroup) around(yield func(dir string) bool) {
	for dir := g.dir; yield(dir) && dir != g.point && dir != "."; dir = path.Dir(dir) {
	}
}

func (g controlGroup) readCPU(s *containerSample) {
	limiting := ""
	for dir := range g.around {
		quota, period, _ := strings.Cut(g.text(dir, "cpu.max"), " ")
		if g.v1 {
			quota, period = g.text(dir, "cpu.cfs_quota_us"), g.text(dir, "cpu.cfs_period_us")
		}
		q, p := number(quota), number(period) // "max" and -1 are no limit
		if q == nil || p == nil || *p == 0 {
			continue
		}
		if cores := *q / *p; s.cpuLimit == nil || cores < *s.cpuLimit {
			s.cpuLimit, limiting = &cores, dir
		}
	}
	if !g.v1 {
		s.cpu = scaled(field(g.text(g.dir, "cpu.stat"), "usage_usec"), 1e-6)
	}
	if s.cpuLimit == nil {
		return
	}
	stat := g.text(limiting, "cpu.stat")
	s.periods, s.throttled = field(stat, "nr_periods"), field(stat, "nr_throttled")
	if g.v1 {
		s.throttledTime = scaled(field(stat, "throttled_time"), 1e-9)
	} else {
		s.throttledTime = scaled(field(stat, "throttled_usec"), 1e-6)
	}
}

// noLimit is from where version 1 means none: the largest number of pages.
const noLimit = 1 << 62

func (g controlGroup) readMemory(s *containerSample) {
	limit, usage, inactive, events := "memory.max", "memory.current", "inactive_file", "memory.events"
	if g.v1 {
		limit, usage, inactive, events = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "memory.oom_control"
	}
	limiting := g.dir
	for dir := range g.around {
		if n := number(g.text(dir, limit)); n != nil && *n < noLimit && (s.memoryLimit == nil || *n < *s.memoryLimit) {
			s.memoryLimit, limiting = n, dir
		}
	}
	if used := number(g.text(limiting, usage)); used != nil {
		// What the kernel can drop at once is not counted, as Kubernetes does not.
		if cache := field(g.text(limiting, "memory.stat"), inactive); cache != nil {
			used = new(max(*used-*cache, 0))
		}
		s.memory = used
	}
	s.kills = field(g.text(g.dir, events), "oom_kill")
}

// maxFile bounds what is read of a file of the kernel's.
const maxFile = 4 << 20

func readFile(root fs.FS, name string) []byte {
	f, err := root.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil
	}
	return data
}

func (g controlGroup) text(dir, name string) string {
	return strings.TrimSpace(string(readFile(g.root, path.Join(dir, name))))
}

// number reads a count: nil if it is none.
func number(text string) *float64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil
	}
	return new(float64(n))
}

// field finds a line "name number".
func field(text, name string) *float64 {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return number(strings.TrimSpace(rest))
		}
	}
	return nil
}

func scaled(n *float64, by float64) *float64 {
	if n == nil {
		return nil
	}
	return new(*n * by)
}

// parseMembership reads /proc/self/cgroup: the path of the group by controller,
// by "" for version 2. Lines look like 4:cpu,cpuacct:/docker/3f and 0::/app.
func parseMembership(data []byte) map[string]string {
	groups := map[string]string{}
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) < 3 || !strings.HasPrefix(parts[2], "/") {
			continue
		}
		if parts[1] == "" && parts[0] != "0" {
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			groups[controller] = parts[2]
		}
	}
	return groups
}

// parseMounts reads the control groups' lines of /proc/self/mountinfo
// (https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html):
//
//	35 24 0:30 /docker/3f /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory
func parseMounts(data []byte) (mounts []cgroupMount) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxFile)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		place, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(place) < 5 || len(kind) < 3 {
			continue
		}
		m := cgroupMount{root: unescaped(place[3]), point: path.Clean(unescaped(place[4]))}
		if !strings.HasPrefix(m.point, "/") || !fs.ValidPath(strings.TrimPrefix(m.point, "/")) {
			continue
		}
		switch kind[0] {
		case "cgroup2":
		case "cgroup":
			m.controllers = "," + kind[2] + ","
		default:
			continue
		}
		mounts = append(mounts, m)
	}
	return mounts
}

// unescaped undoes mountinfo's way of writing a space: \040.
func unescaped(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}
