package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// insideVariable says which test runs in a namespace.
const insideVariable = "LATIDO_E2E_NAMESPACE"

// inNamespace runs the test that calls it again, in a network of its own: the
// loopback interface alone, with every port free. There it returns true;
// outside it returns false when that has ended, and the test is to return.
//
// hosts are further names by address. What the containers of a Compose file are
// to each other can so be tried with the very files that they read. The second
// run finds what program and own have built so far.
func inNamespace(t *testing.T, hosts map[string]string) (inside bool) {
	t.Helper()
	if os.Getenv(insideVariable) == t.Name() {
		if err := enter(t.TempDir(), hosts); err != nil {
			t.Fatalf("network namespace: %v", err)
		}
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1", "-test.timeout=1h")
	cmd.Env = append(os.Environ(), insideVariable+"="+t.Name(), builtVariable+"="+built.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	if id := os.Getuid(); id != 0 { // root in a namespace of users, where it may have networks of its own
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("in a network namespace: %v\n%s", err, out)
	}
	t.Logf("in a network namespace:\n%s", out)
	return false
}

// enter makes the new network one that can be used.
func enter(dir string, hosts map[string]string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("the loopback interface: %w", err)
	}
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n")
	for name, addr := range hosts {
		fmt.Fprintf(&b, "%s %s\n", addr, name)
	}
	file := dir + "/hosts"
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		return err
	}
	// Or the names would be those of the whole machine.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return unix.Mount(file, "/etc/hosts", "", unix.MS_BIND, "")
}
