package telemetry

import (
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// tree is a file system from paths and their text.
func tree(files map[string]string) fstest.MapFS {
	root := fstest.MapFS{}
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return root
}

// under puts a directory before each name.
func under(dir string, files map[string]string) map[string]string {
	moved := map[string]string{}
	for name, text := range files {
		moved[dir+"/"+name] = text
	}
	return moved
}

func all(parts ...map[string]string) map[string]string {
	files := map[string]string{}
	for _, part := range parts {
		maps.Copy(files, part)
	}
	return files
}

const (
	unified  = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
	ordinary = "22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro\n"
)

var (
	limited2 = map[string]string{ // a group of version 2 with half a core and 256 MiB
		"cpu.max":        "50000 100000\n",
		"cpu.stat":       "usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\nnr_periods 400\nnr_throttled 100\nthrottled_usec 2500000\nnr_bursts 0\nburst_usec 0\n",
		"memory.current": "209715200\n", "memory.max": "268435456\n",
		"memory.stat":   "anon 1000\nfile 2000\ninactive_anon 5\ninactive_file 10485760\nactive_file 7\n",
		"memory.events": "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n",
	}
	free2 = map[string]string{ // one without limits
		"cpu.max": "max 100000\n", "cpu.stat": "usage_usec 2000000\nuser_usec 1\nsystem_usec 1\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n",
		"memory.current": "1000000\n", "memory.max": "max\n", "memory.stat": "anon 1\ninactive_file 400000\n", "memory.events": "oom 0\noom_kill 0\n",
	}
	cpu1 = map[string]string{
		"cpu.cfs_quota_us": "200000\n", "cpu.cfs_period_us": "100000\n", "cpu.stat": "nr_periods 40\nnr_throttled 10\nthrottled_time 1500000000\n",
		"cpuacct.usage": "3500000000\n",
	}
	memory1 = map[string]string{
		"memory.usage_in_bytes": "104857600\n", "memory.limit_in_bytes": "134217728\n", "memory.stat": "cache 1\ninactive_file 5\ntotal_inactive_file 4857600\n",
		"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
	}
	limitedFigures2 = "cpu=1.5 limit=0.5 periods=400 throttled=100 waited=2.5 memory=199229440 max=268435456 kills=2"
	figures1        = "cpu=3.5 limit=2 periods=40 throttled=10 waited=1.5 memory=100000000 max=134217728 kills=1"
	docker          = "/docker/3fa0c8a6d3f1e0"
	mounts1         = func(root string) string {
		return ordinary + "34 29 0:30 " + root + " /sys/fs/cgroup/memory ro,nosuid master:15 - cgroup cgroup rw,memory\n" +
			"35 29 0:31 " + root + " /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:16 - cgroup cgroup rw,cpu,cpuacct\n" +
			"36 29 0:32 " + root + " /sys/fs/cgroup/systemd ro,nosuid master:17 - cgroup cgroup rw,xattr,name=systemd\n"
	}
	membership1 = func(group string) string {
		return "12:memory:" + group + "\n4:cpu,cpuacct:" + group + "\n1:name=systemd:" + group + "\n0::" + group + "\n"
	}
	unlimited1 = map[string]string{"memory.limit_in_bytes": "9223372036854771712\n", "cpu.cfs_quota_us": "-1\n"}
)

// inContainer is a container of version 2 whose group has these files.
func inContainer(group map[string]string) *container {
	return newContainer(tree(all(under("sys/fs/cgroup", group), map[string]string{"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": unified})))
}

// TestContainer reads control groups as they look in the field: of version 1,
// 2 and both, in containers and around services. Where there is no group, or no
// limit, the figure is not there; it is never 0 or the machine's.
func TestContainer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		membership, mounts string
		files              map[string]string
		want               string
	}{
		"version 2, docker and kubernetes: the namespace's root": {
			"0::/\n", ordinary + unified, under("sys/fs/cgroup", limited2), limitedFigures2},
		"version 2, the machine's namespace": {
			"0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-9.scope\n", unified,
			under("sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/cri-containerd-9.scope", limited2), limitedFigures2},
		"version 2, the path is the machine's and the mount the container's": {
			"0::/system.slice/docker-3fa0.scope\n", unified, under("sys/fs/cgroup", limited2), limitedFigures2},
		"version 2, the mount is a part of the hierarchy": {
			"0::/lxc/web/app\n", "30 23 0:26 /lxc/web /sys/fs/cgroup rw - cgroup2 cgroup rw\n", under("sys/fs/cgroup/app", limited2), limitedFigures2},
		"version 2, the limit is the slice's": {
			"0::/shop.slice/api.service\n", unified,
			all(under("sys/fs/cgroup/shop.slice", limited2), under("sys/fs/cgroup/shop.slice/api.service", free2)),
			"cpu=2 limit=0.5 periods=400 throttled=100 waited=2.5 memory=199229440 max=268435456 kills=0"},
		"version 2, the own limit is the smaller one": {
			"0::/shop.slice/api.service\n", unified,
			all(under("sys/fs/cgroup/shop.slice/api.service", limited2), under("sys/fs/cgroup/shop.slice", map[string]string{"cpu.max": "400000 100000", "memory.max": "9000000000"})),
			limitedFigures2},
		"version 2, no limit": {
			"0::/user.slice/session-2.scope\n", unified, under("sys/fs/cgroup/user.slice/session-2.scope", free2), "cpu=2 memory=600000 kills=0"},
		"version 2, the root of the machine": {
			"0::/\n", unified, under("sys/fs/cgroup", map[string]string{"cgroup.controllers": "cpu memory\n"}), ""},
		"version 2, no controller but the processes'": {
			"0::/app\n", unified, under("sys/fs/cgroup/app", map[string]string{"cgroup.procs": "1\n"}), ""},
		"version 2, a group outside the namespace": {"0::/../other\n", unified, under("sys/fs/cgroup", limited2), ""},
		"version 1, docker": {
			membership1(docker), mounts1(docker), all(under("sys/fs/cgroup/memory", memory1), under("sys/fs/cgroup/cpu,cpuacct", cpu1)), figures1},
		"version 1, the namespace's root": {
			membership1("/"), mounts1("/"), all(under("sys/fs/cgroup/memory", memory1), under("sys/fs/cgroup/cpu,cpuacct", cpu1)), figures1},
		"version 1, below the mount": {
			membership1(docker), mounts1("/"), all(under("sys/fs/cgroup/memory"+docker, memory1), under("sys/fs/cgroup/cpu,cpuacct"+docker, cpu1),
				under("sys/fs/cgroup/memory", map[string]string{"memory.limit_in_bytes": "9223372036854771712\n"})), figures1},
		"version 1, no limit": {
			membership1(docker), mounts1(docker), all(under("sys/fs/cgroup/memory", all(memory1, unlimited1)), under("sys/fs/cgroup/cpu,cpuacct", all(cpu1, unlimited1))),
			"cpu=3.5 memory=100000000 kills=1"},
		"version 1, the root of the machine": {
			membership1("/"), mounts1("/"), all(under("sys/fs/cgroup/memory", all(memory1, map[string]string{"release_agent": "\n"})),
				under("sys/fs/cgroup/cpu,cpuacct", all(cpu1, map[string]string{"release_agent": "\n"}))), ""},
		"both versions: memory in 1, cpu in 2": {
			"5:memory:/app\n0::/app\n", "34 29 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n35 29 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			all(under("sys/fs/cgroup/memory/app", memory1), under("sys/fs/cgroup/unified/app", limited2)),
			"cpu=1.5 limit=0.5 periods=400 throttled=100 waited=2.5 memory=100000000 max=134217728 kills=1"},
		"a mount point with a space": {
			"0::/\n", `30 23 0:26 / /sys/fs/my\040groups rw - cgroup2 cgroup2 rw` + "\n", under("sys/fs/my groups", limited2), limitedFigures2},
		"no control groups":     {"", ordinary, nil, ""},
		"files without numbers": {"0::/\n", unified, under("sys/fs/cgroup", map[string]string{"cpu.max": "max", "cpu.stat": "nr_periods\nusage_usec x\n", "memory.current": "", "memory.max": "-"}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := all(c.files, map[string]string{"proc/self/mountinfo": c.mounts, "proc/self/cgroup": c.membership})
			if got := newContainer(tree(files)).read().String(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	if got := newContainer(fstest.MapFS{}).read().String(); got != "" {
		t.Errorf("without /proc: %s", got)
	}
}

// String lists the figures that are there.
func (s containerSample) String() string {
	var parts []string
	for _, f := range []struct {
		name  string
		value *float64
	}{
		{"cpu", s.cpu}, {"limit", s.cpuLimit}, {"periods", s.periods}, {"throttled", s.throttled}, {"waited", s.throttledTime},
		{"memory", s.memory}, {"max", s.memoryLimit}, {"kills", s.kills},
	} {
		if f.value != nil {
			parts = append(parts, fmt.Sprintf("%s=%.10g", f.name, *f.value))
		}
	}
	return strings.Join(parts, " ")
}

// FuzzContainer: whatever the kernel, or what poses as it, writes, the figures
// are numbers that a counter and a gauge may have, or not there.
func FuzzContainer(f *testing.F) {
	f.Add("0::/\n", unified, "50000 100000", "usage_usec 5\nnr_periods 3\n", "7", "9")
	f.Add(membership1(docker), mounts1(docker), "max 0", "nr_throttled -1\n", "max", "18446744073709551616")
	f.Add("0::/../..\n", `1 2 3 /\777 /sys\057 - cgroup2 x`, "", "", "", "")
	f.Fuzz(func(t *testing.T, membership, mounts, limit, stat, usage, most string) {
		files := map[string]string{"proc/self/mountinfo": mounts, "proc/self/cgroup": membership}
		for _, dir := range []string{"sys/fs/cgroup", "sys/fs/cgroup/memory", "sys/fs/cgroup/cpu,cpuacct"} {
			maps.Copy(files, under(dir, map[string]string{
				"cpu.max": limit, "cpu.cfs_quota_us": limit, "cpu.cfs_period_us": usage, "cpu.stat": stat, "cpuacct.usage": usage,
				"memory.current": usage, "memory.max": most, "memory.usage_in_bytes": usage, "memory.limit_in_bytes": most, "memory.stat": stat, "memory.events": stat,
			}))
		}
		s := newContainer(tree(files)).read()
		for _, v := range []*float64{s.cpu, s.cpuLimit, s.periods, s.throttled, s.throttledTime, s.memory, s.memoryLimit, s.kills} {
			if v != nil && (math.IsNaN(*v) || math.IsInf(*v, 0) || *v < 0) {
				t.Errorf("a figure is %v: %s", *v, s)
			}
		}
	})
}

// TestProcessFigures compares the process's own figures, and those of the
// group that it runs in, with what is known here.
func TestProcessFigures(t *testing.T) {
	t.Parallel()
	tel := start(t)
	file, err := os.Open(os.DevNull)
	must(t, err)
	defer file.Close()
	seen := scrape(t, tel)
	for name, atLeast := range map[string]float64{
		"tienda_process_memory_usage_bytes": 1 << 20, "tienda_process_threads": 2, "tienda_process_open_fds": 4,
		"tienda_process_max_fds": 64, "tienda_process_start_time_seconds": 1.7e9, "tienda_process_cpu_time_seconds_total": 0,
	} {
		if got, ok := seen[name]; !ok || got < atLeast {
			t.Errorf("%s = %v (there: %v), want at least %v", name, got, ok, atLeast)
		}
	}
	for name, value := range seen { // what this machine has no figure for is not there
		if strings.HasPrefix(name, "tienda_container_") && (strings.Contains(name, "limit") || strings.Contains(name, "working_set")) && value <= 0 {
			t.Errorf("%s = %v", name, value)
		}
	}
	names := slices.Sorted(maps.Keys(seen.of("tienda_container_memory_limit_bytes")))
	if got := newContainer(os.DirFS("/")).read(); (got.memoryLimit == nil) != (len(names) == 0) {
		t.Errorf("the group has the limit %v, served is %v", got.memoryLimit, names)
	}
}

// TestUnescaped: three octal digits behind a backslash are a byte, and nothing else is.
func TestUnescaped(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"": "", "/a": "/a", `/my\040groups`: "/my groups", `\040`: " ", `a\134b\012`: "a\\b\n", `a\`: `a\`, `a\0`: `a\0`, `a\04`: `a\04`, `\099`: `\099`, `\777`: `\777`, `\\040`: `\ `,
	} {
		if got := unescaped(s); got != want {
			t.Errorf("%s is %q, want %q", s, got, want)
		}
	}
}
