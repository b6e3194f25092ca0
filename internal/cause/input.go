package cause

import (
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/domain"
)

// Input is all that is known when something is to be explained. Only Domain and
// Now are needed: what is not there can prove nothing, and the result says so.
type Input struct {
	// Domain names the metrics, and its Language is that of the texts.
	Domain domain.Domain
	// Alert is what fires. The zero Alert asks what stands out now.
	Alert Alert
	// Now is the end of the time that is looked at, by the clock of the series.
	Now time.Time
	// Series are the raw samples of the service's series, from Lookback before
	// the alert's condition first held until now.
	Series []Series
	// Times are the two times that Profiles are of, as [Compared] chose them.
	Times Times
	// Profiles are of those times.
	Profiles Profiles
	// CPUs is how many the machine has, Procs is GOMAXPROCS; 0 is not known.
	CPUs, Procs int
	// Grown is what fills the disk.
	Grown Folder
	// Opened is what most of the files are that the process has open.
	Opened Opened
}

// Opened is a file, or a folder with files, that so many descriptors are of. The
// zero Opened is not known.
type Opened struct {
	Path        string
	Descriptors int
}

// Folder is one that others write to, or a file. The zero Folder is not known.
type Folder struct {
	Path string
	// Bytes are what was written to it since the time before, in Files files;
	// PerSecond is what is written now, where that is known instead.
	Bytes, PerSecond float64
	Files            int
}

// Lookback is how far before the start of an alert's window series are needed.
const Lookback = 10 * time.Minute

// Alert is what fires, and what its rule compares.
type Alert struct {
	Name   string
	Labels map[string]string
	// Metric is the key of the metric that the rule is about, "" for none; Expr
	// is the rule's expression.
	Metric, Expr string
	// Op compares Value with Bound: ">", "<" or "==". It is "" for a rule that is
	// no plain comparison.
	Op           string
	Value, Bound float64
	// ActiveAt is since when the condition holds. Window is how far back the rule
	// looks.
	ActiveAt time.Time
	Window   time.Duration
	// Drill says that somebody made it fire, and nothing need be wrong.
	Drill bool
}

// Series is one series of the service.
type Series struct {
	Name   string // in Prometheus, with the prefix
	Labels map[string]string
	Points []Point // oldest first
}

// Point is a value at a time.
type Point struct {
	At    time.Time
	Value float64
}

// Range is a length of time.
type Range struct{ From, To time.Time }

// Length is how long it is, never negative.
func (r Range) Length() time.Duration { return max(r.To.Sub(r.From), 0) }

// Times are the two that are compared: After is when it was bad, Before ended
// before that began.
type Times struct{ Before, After Range }

// Profiles are what the profiler knows of both times.
type Profiles struct {
	CPU   Pair // sample type cpu, in nanoseconds, with the labels of continuous/
	Heap  Pair // alloc_space and inuse_space
	Waits Pair // how often goroutines were seen; the comment rounds=N says in how many looks
	Mutex Pair // contentions and delay, by the stack that gave the lock back
	// Goroutines are all of them, at one moment of each time.
	Goroutines Pair
}

// Pair is one kind of profile of both times. nil is not known.
type Pair struct {
	Before, After *profile.Profile
	// BeforeFor and AfterFor are how much of the times was profiled.
	BeforeFor, AfterFor time.Duration
}

// Result is what was found.
type Result struct {
	Times Times
	// Findings are the causes, the one that explains the most first. Without any,
	// None says so, and what was looked at.
	Findings []Finding
	None     string
}

// Finding is one cause.
type Finding struct {
	// Kind is the hypothesis: "cpu", "lock", "dependency" ...
	Kind string `json:"kind"`
	// Score is the share of the excess that it explains, 0 to 1.
	Score float64 `json:"score"`
	// Sentence says it, with the figures before and after. Next is what to do.
	Sentence string `json:"sentence"`
	Next     string `json:"next"`
	// Rests are the figures that it rests on, one a line.
	Rests []string `json:"rests,omitempty"`
	// Function, File and Line are where; "" where it is no place in code.
	Function string `json:"function,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int64  `json:"line,omitempty"`
	// Endpoint and Peer are whose, "" for none.
	Endpoint string `json:"endpoint,omitempty"`
	Peer     string `json:"peer,omitempty"`
}
