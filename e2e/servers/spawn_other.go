//go:build !linux

package servers

import "os/exec"

// spawn starts cmd. Only the test's cleanup ends it.
func spawn(cmd *exec.Cmd) error { return cmd.Start() }
