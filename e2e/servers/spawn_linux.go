package servers

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// spawner is a goroutine that starts processes and never gives up its thread.
//
// A test that runs into go test's timeout ends without its cleanups, and would
// leave its servers behind. Linux can kill them then, but what it watches is
// the thread that started a process, not the whole of its parent: so that
// thread has to live as long as the test binary does.
var spawner = sync.OnceValue(func() chan<- func() {
	requests := make(chan func())
	go func() {
		runtime.LockOSThread()
		for request := range requests {
			request()
		}
	}()
	return requests
})

// spawn starts cmd so that it ends with this process.
func spawn(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	result := make(chan error)
	spawner() <- func() { result <- cmd.Start() }
	return <-result
}
