package stacks

// waitReasons are functions in which a goroutine blocks, and what that means.
var waitReasons = map[string]string{
	"time.Sleep":                        "sleep",
	"database/sql.(*DB).conn":           "a free database connection",
	"sync.(*Mutex).Lock":                "lock",
	"sync.(*RWMutex).Lock":              "lock",
	"sync.(*RWMutex).RLock":             "lock",
	"internal/sync.(*Mutex).Lock":       "lock",
	"internal/sync.(*Mutex).lockSlow":   "lock",
	"sync.(*WaitGroup).Wait":            "other goroutines",
	"sync.(*Cond).Wait":                 "condition",
	"internal/poll.runtime_pollWait":    "network or file",
	"runtime.netpollblock":              "network or file",
	"runtime.selectgo":                  "select",
	"runtime.chanrecv":                  "channel receive",
	"runtime.chanrecv1":                 "channel receive",
	"runtime.chanrecv2":                 "channel receive",
	"runtime.chansend":                  "channel send",
	"runtime.chansend1":                 "channel send",
	"runtime.block":                     "for ever",
	"syscall.Syscall":                   "system call",
	"syscall.Syscall6":                  "system call",
	"internal/runtime/syscall.Syscall6": "system call",
}

// WaitReason says what a goroutine waits for, and in which function of the
// standard library. It is "" for one that runs. Of several functions that
// wait, the outermost before anybody's code says the most: a select inside of
// database/sql's pool is a wait for a connection.
func WaitReason(frames []Frame) (reason, in string) {
	for _, f := range frames {
		if Owner(f.Function) != Runtime {
			break
		}
		if r, ok := waitReasons[f.Function]; ok {
			reason = r
		}
		in = f.Function
	}
	return reason, in
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
