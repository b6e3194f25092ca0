package stacks

import "strings"

// What a goroutine waits for.
const (
	WaitNone      = ""          // nothing: it runs, or could
	WaitLock      = "lock"      // a mutex that another goroutine holds, or another process a file's
	WaitPool      = "pool"      // a connection, or a worker, that is free; see WaitOf of net/http
	WaitLimiter   = "limiter"   // a rate limiter or a semaphore
	WaitCall      = "call"      // the answer of another process: HTTP, gRPC, a database
	WaitDial      = "dial"      // a connection to it, with TLS
	WaitDNS       = "dns"       // its address
	WaitClient    = "client"    // whoever sent the request: its body, or that it takes the answer
	WaitProcess   = "process"   // a program that was started
	WaitFile      = "file"      // a file, a pipe, or a database in a file
	WaitLog       = "log"       // a log's writer, or the log's lock
	WaitNetwork   = "network"   // a connection, of a goroutine without own code
	WaitSleep     = "sleep"     // a time
	WaitReceive   = "receive"   // a value in a channel
	WaitSend      = "send"      // room in a channel: one used as a semaphore, too
	WaitSelect    = "select"    // several channels
	WaitCondition = "condition" // a sync.Cond
	WaitGroup     = "group"     // other goroutines: a sync.WaitGroup
	WaitSyscall   = "syscall"   // the operating system, nothing above
	WaitForever   = "forever"   // nothing that could come
)

// Wait is what a goroutine waits for.
type Wait struct {
	Kind string
	// Library is the function that tells: "database/sql.(*DB).conn". Package
	// gives its package. It is "" for WaitNone.
	Library string
	// Own is the place of the innermost own frame, -1 without one.
	Own int
	// Reader says of a lock that it is wanted for reading, of a RWMutex.
	Reader bool
	// Reason is the same in words, by what the runtime and the standard library
	// say. In is the outermost function of the standard library that what is
	// not of it called.
	Reason, In string
}

// WaitOf says what the goroutine of a stack waits for: by the outermost library
// that tells, between own code and the function in which it blocks. A select
// within database/sql's pool is a wait for a connection, and a lock within
// log/slog is one for the log.
//
// net/http does not tell a dial from MaxConnsPerHost: the goroutine that wants a
// connection waits in getConn for both, and another one dials. So it is
// WaitPool, and as many of them wait for a dial as goroutines are in dialConnFor.
func WaitOf(frames []Frame) Wait {
	w := Wait{Own: DeepestOwn(frames)}
	how, outer := "", 0
	for i, f := range frames {
		if Owner(f.Function) != Runtime {
			break
		}
		if b, ok := blocks[f.Function]; ok {
			how, w.Reason, outer = b.kind, b.reason, i
		}
		if f.Function == sqlPool && how != "" {
			w.Reason = "a free database connection"
		}
		w.In = f.Function
	}
	if how == "" && (len(frames) == 0 || frames[0].Function != cgoCall) {
		return w
	}
	between := frames
	if w.Own >= 0 {
		between = frames[:w.Own]
	}
	switch kind, by := tells(frames, between, how); {
	case kind != "":
		w.Kind, w.Library = kind, by
	case how == WaitLock:
		w.Kind, w.Library = how, lockedBy(between, outer)
	case how != "":
		w.Kind, w.Library = how, frames[outer].Function
	}
	w.Reader = w.Kind == WaitLock && strings.HasSuffix(frames[outer].Function, "RLock")
	return w
}

const (
	sqlPool = "database/sql.(*DB).conn"
	cgoCall = "runtime.cgocall" // C code runs, or waits: only a library can tell

	polled = "poll"         // how a goroutine blocks that waits for a file descriptor
	ofSQL  = "database/sql" // what is told by that package: a call, or else what the driver says
)

// blocks are the functions in which a goroutine blocks: how, and in words. Of
// several, the outermost says the most.
var blocks = map[string]struct{ kind, reason string }{
	"time.Sleep":                        {WaitSleep, "sleep"},
	"sync.(*Mutex).Lock":                {WaitLock, "lock"},
	"sync.(*RWMutex).Lock":              {WaitLock, "lock"},
	"sync.(*RWMutex).RLock":             {WaitLock, "lock"},
	"internal/sync.(*Mutex).Lock":       {WaitLock, "lock"},
	"internal/sync.(*Mutex).lockSlow":   {WaitLock, "lock"},
	"sync.(*WaitGroup).Wait":            {WaitGroup, "other goroutines"},
	"sync.(*Cond).Wait":                 {WaitCondition, "condition"},
	"internal/poll.runtime_pollWait":    {polled, "network or file"},
	"internal/poll.runtime_Semacquire":  {polled, "network or file"}, // another goroutine writes to it
	"runtime.netpollblock":              {polled, "network or file"},
	"runtime.selectgo":                  {WaitSelect, "select"},
	"runtime.chanrecv":                  {WaitReceive, "channel receive"},
	"runtime.chanrecv1":                 {WaitReceive, "channel receive"},
	"runtime.chanrecv2":                 {WaitReceive, "channel receive"},
	"runtime.chansend":                  {WaitSend, "channel send"},
	"runtime.chansend1":                 {WaitSend, "channel send"},
	"runtime.block":                     {WaitForever, "for ever"},
	"syscall.Syscall":                   {WaitSyscall, "system call"},
	"syscall.Syscall6":                  {WaitSyscall, "system call"},
	"internal/runtime/syscall.Syscall6": {WaitSyscall, "system call"},
}

// rank orders what frames tell: a log before its lock and its file, an address
// before the connection that it is for, a pool before the call that wants one.
var rank = map[string]int{WaitLog: 5, WaitDNS: 4, WaitDial: 3, WaitPool: 2, WaitLimiter: 2, "": -1, ofSQL: -1}

// tells is what the libraries between own code and the wait say, and the
// function that says it. It is "" where how it blocks says more.
func tells(frames, between []Frame, how string) (kind, by string) {
	for i := len(between) - 1; i >= 0; i-- {
		f := between[i].Function
		k := toldBy(f)
		if (k == WaitPool || k == WaitLimiter) && (how == polled || how == WaitSyscall) {
			k = "" // it has what it waited for, and does something with it
		}
		if k != "" && rank[k] > rank[kind] || k == ofSQL && kind == "" {
			kind, by = k, f
		}
	}
	own := len(between) < len(frames)
	if w, ok := logs(frames[len(between):]); ok {
		return WaitLog, w
	}
	switch {
	case rank[kind] > 0:
	case how == WaitLock:
		return "", "" // of whatever library: a lock is waited for
	case kind == WaitFile && how == WaitSleep:
		kind = WaitLock // another connection or process has the file's: SQLite, bbolt
	case kind == ofSQL && own:
		kind = WaitCall
	case !own && (kind == WaitCall || kind == ofSQL):
		kind = "" // a library's own goroutine waits for work, or for what comes next
	}
	if kind == "" && how == polled {
		if own {
			return WaitCall, outermost(between)
		}
		return WaitNetwork, outermost(between)
	}
	return kind, by
}

// logs reports whether own code is called by a log, to write or to format, and
// by which function of it. The frames begin with own code.
func logs(frames []Frame) (by string, ok bool) {
	for _, f := range frames {
		if Owner(f.Function) != Own {
			return f.Function, toldBy(f.Function) == WaitLog
		}
	}
	return "", false
}

// outermost is the function that own code called, of a dependency if it was
// through one.
func outermost(between []Frame) string {
	for i := len(between) - 1; i >= 0; i-- {
		if Owner(between[i].Function) == Dependency {
			return between[i].Function
		}
	}
	return between[len(between)-1].Function
}

// lockedBy is the function that wants a lock: the library's that it is in, or
// else the one of package sync that own code called.
func lockedBy(between []Frame, outer int) string {
	for _, f := range between[outer:] {
		if pkg := Package(f.Function); pkg != "sync" && pkg != "internal/sync" {
			return f.Function
		}
	}
	return between[len(between)-1].Function
}

// Wait is what a goroutine waits for.
type Wait struct {
	Kind    string // "" for one that runs
	Library string
}

// WaitOf is a stand-in.
func WaitOf(frames []Frame) Wait {
	r, in := WaitReason(frames)
	return Wait{r, in}
}

const (
	Lock      = "lock"
	Pool      = "pool"
	Limiter   = "limiter"
	Call      = "call"
	DNS       = "dns"
	File      = "file"
	Log       = "log"
	Sleep     = "sleep"
	Receive   = "channel receive"
	Send      = "channel send"
	Select    = "select"
	Condition = "condition"
	Group     = "other goroutines"
	Forever   = "for ever"
	Syscall   = "system call"
)
