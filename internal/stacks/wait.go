package stacks

import (
	"slices"
	"strings"
)

// What a goroutine waits for. One that runs, or could, waits for "".
const (
	Lock      = "lock"             // a mutex that another goroutine holds, or a file's that another connection has
	Pool      = "pool"             // a connection, or a worker, that is free; see WaitOf of net/http
	Limiter   = "limiter"          // a rate limiter or a semaphore
	Call      = "call"             // another process: an answer of HTTP, gRPC or a database, a connection to it, a program's end
	DNS       = "dns"              // an address
	Client    = "client"           // whoever sent the request: its body, or that it takes the answer
	File      = "file"             // a file, a pipe, or a database in a file
	Log       = "log"              // a log's writer, or the log's lock
	Network   = "network"          // a connection, of a goroutine without own code
	Sleep     = "sleep"            // a time
	Receive   = "channel receive"  // a value in a channel
	Send      = "channel send"     // room in a channel, such as one used as a semaphore
	Select    = "select"           // several channels
	Condition = "condition"        // a sync.Cond
	Group     = "other goroutines" // a sync.WaitGroup
	Forever   = "for ever"         // what cannot come
	Syscall   = "system call"      // the operating system, where no library says more
)

// Wait is what a goroutine waits for.
type Wait struct {
	Kind string
	// Library is the function that tells: "database/sql.(*DB).conn". Package
	// gives its package. It is "" for one that runs.
	Library string
	// Own is the place of the innermost own frame, -1 without one.
	Own int
	// Reader says of a Lock that it is wanted for reading: a RWMutex.
	Reader bool
	// Dials says of a Call that there is no connection yet.
	Dials bool
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
// connection waits in getConn for both, and another one dials. So it is Pool,
// and as many of them wait for a dial as other goroutines are in dialConnFor.
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
	if how == Syscall && slices.ContainsFunc(between, func(f Frame) bool { return strings.Contains(f.Function, "nanosleep") }) {
		how, w.Reason = Sleep, "sleep" // as C does it: SQLite, while it waits for the database's lock
	}
	switch kind, by := tells(frames, between, how); {
	case kind == dials:
		w.Kind, w.Library, w.Dials = Call, by, true
	case kind != "":
		w.Kind, w.Library = kind, by
	case how == Lock:
		w.Kind, w.Library = how, lockedBy(between, outer)
	case how != "":
		w.Kind, w.Library = how, frames[outer].Function
	}
	w.Reader = w.Kind == Lock && strings.HasSuffix(frames[outer].Function, "RLock")
	return w
}

// DialsHTTP is the function of net/http whose goroutine opens a connection that
// another one waits for.
const DialsHTTP = "net/http.(*Transport).dialConnFor"

const (
	sqlPool = "database/sql.(*DB).conn"
	cgoCall = "runtime.cgocall" // C code runs, or waits: only a library can tell

	dials  = "dial"         // is a call, and said of it
	polled = "poll"         // how a goroutine blocks that waits for a file descriptor
	socket = "socket"       // a connection of the network, whoever has it
	ofSQL  = "database/sql" // what is told by that package: a call, or else what the driver says
)

// blocks are the functions in which a goroutine blocks: how, and in words. Of
// several, the outermost says the most.
var blocks = map[string]struct{ kind, reason string }{
	"time.Sleep":                        {Sleep, "sleep"},
	"sync.(*Mutex).Lock":                {Lock, "lock"},
	"sync.(*RWMutex).Lock":              {Lock, "lock"},
	"sync.(*RWMutex).RLock":             {Lock, "lock"},
	"internal/sync.(*Mutex).Lock":       {Lock, "lock"},
	"internal/sync.(*Mutex).lockSlow":   {Lock, "lock"},
	"sync.(*WaitGroup).Wait":            {Group, "other goroutines"},
	"sync.(*Cond).Wait":                 {Condition, "condition"},
	"internal/poll.runtime_pollWait":    {polled, "network or file"},
	"internal/poll.runtime_Semacquire":  {polled, "network or file"}, // another goroutine writes to it
	"runtime.netpollblock":              {polled, "network or file"},
	"runtime.selectgo":                  {Select, "select"},
	"runtime.chanrecv":                  {Receive, "channel receive"},
	"runtime.chanrecv1":                 {Receive, "channel receive"},
	"runtime.chanrecv2":                 {Receive, "channel receive"},
	"runtime.chansend":                  {Send, "channel send"},
	"runtime.chansend1":                 {Send, "channel send"},
	"runtime.block":                     {Forever, "for ever"},
	"syscall.Syscall":                   {Syscall, "system call"},
	"syscall.Syscall6":                  {Syscall, "system call"},
	"internal/runtime/syscall.Syscall6": {Syscall, "system call"},
}

// rank orders what frames tell: a log before its lock and its file, an address
// before the connection that it is for, a pool before the call that wants one, and
// a file after all that is read into it or written from it.
var rank = map[string]int{Log: 5, DNS: 4, dials: 3, Pool: 2, Limiter: 2, File: -1, "": -2, ofSQL: -2}

// tells is what the libraries between own code and the wait say, and the
// function that says it. It is "" where how it blocks says more.
func tells(frames, between []Frame, how string) (kind, by string) {
	for i := len(between) - 1; i >= 0; i-- {
		f := between[i].Function
		k := toldBy(f)
		if (k == Pool || k == Limiter) && (how == polled || how == Syscall) {
			k = "" // it has what it waited for, and does something with it
		}
		switch {
		case k == socket:
			if kind == File { // it is copied from the network, or to it
				kind, by = "", ""
			}
		case k != "" && rank[k] > rank[kind] || k == ofSQL && kind == "":
			kind, by = k, f
		}
	}
	own := len(between) < len(frames)
	if w, ok := logs(frames[len(between):]); ok {
		return Log, w
	}
	switch {
	case rank[kind] > 0:
	case how == Lock:
		return "", "" // of whatever library: a lock is waited for
	case kind == File && (how == Sleep || how == Select):
		kind = Lock // another connection or process has the file's: SQLite, bbolt
	case kind == ofSQL && own:
		kind = Call
	case !own && (kind == Call || kind == ofSQL):
		kind = "" // a library's own goroutine waits for work, or for what comes next
	}
	if kind == "" && how == polled {
		if own {
			return Call, outermost(between)
		}
		return Network, outermost(between)
	}
	return kind, by
}

// logs reports whether own code is called by a log, to write or to format, and
// by which function of it. The frames begin with own code.
func logs(frames []Frame) (by string, ok bool) {
	for _, f := range frames {
		if Owner(f.Function) != Own {
			return f.Function, toldBy(f.Function) == Log
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
