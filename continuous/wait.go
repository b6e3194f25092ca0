package continuous

import (
	"cmp"
	"slices"
)

// Waits says where requests wait: what a CPU profile cannot show. Goroutines
// are looked at about once a second; a request that waits for longer is seen
// more often.
type Waits struct {
	Looks  int         `json:"looks"`  // how often the goroutines were looked at
	Seen   float64     `json:"seen"`   // goroutines seen, all looks together
	Mean   float64     `json:"mean"`   // goroutines waiting at a time
	Places []WaitPlace `json:"places"` // where, the most frequent first
}

// WaitPlace is one place in own code that waits.
type WaitPlace struct {
	Function string  `json:"function"` // the own function nearest to the wait
	File     string  `json:"file"`
	Line     int64   `json:"line"`
	Reason   string  `json:"reason"` // what it waits for, in words
	In       string  `json:"in"`     // the library function that it called
	Share    float64 `json:"share"`  // of the goroutines seen, 0 to 1
}

// waitTally adds up the looks at one endpoint's goroutines.
type waitTally struct {
	seen   float64
	places map[WaitPlace]float64 // without a share
}

func (t *waitTally) add(frames []frame, count float64) {
	if len(frames) == 0 {
		return
	}
	t.seen += count
	reason, blocks := waitReason(frames)
	if reason == "" {
		return
	}
	i := deepestOwn(frames)
	if i < 0 { // a library's own goroutine: its innermost frame outside of Go's
		i = slices.IndexFunc(frames, func(f frame) bool { return owner(f.function) == Dependency })
	}
	if i < 0 {
		return
	}
	if t.places == nil {
		t.places = map[WaitPlace]float64{}
	}
	t.places[WaitPlace{Function: frames[i].function, File: frames[i].file, Line: frames[i].line, Reason: reason, In: blocks}] += count
}

func (t *waitTally) waits(looks, top int) Waits {
	w := Waits{Looks: looks, Seen: t.seen}
	waiting := 0.0
	for place, count := range t.places {
		waiting += count
		place.Share = count / t.seen
		w.Places = append(w.Places, place)
	}
	if looks > 0 {
		w.Mean = waiting / float64(looks)
	}
	slices.SortFunc(w.Places, func(a, b WaitPlace) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Line, b.Line))
	})
	w.Places = w.Places[:min(top, len(w.Places))]
	return w
}

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

// waitReason says what a goroutine waits for, and in which function of the
// standard library. It is "" for one that runs. Of several functions that
// wait, the outermost before anybody's code says the most: a select inside of
// database/sql's pool is a wait for a connection.
func waitReason(frames []frame) (reason, in string) {
	for _, f := range frames {
		if owner(f.function) != Runtime {
			break
		}
		if r, ok := waitReasons[f.function]; ok {
			reason = r
		}
		in = f.function
	}
	return reason, in
}
