package cause_test

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/cause"
)

// Stacks as the runtime and the libraries have them, the innermost function
// first: those in which a goroutine blocks.
var (
	parked    = []string{"runtime.gopark proc.go:461"}
	selecting = stack(parked, []string{"runtime.selectgo select.go:351"})
	// httpCall waits for an answer, within an http.Client over telemetry's transport.
	httpCall = stack(selecting, []string{
		"net/http.(*persistConn).roundTrip transport.go:2784", "net/http.(*Transport).roundTrip transport.go:705",
		"net/http.(*Transport).RoundTrip roundtrip.go:33", "github.com/latido-dev/latido/telemetry.(*transport).RoundTrip transport.go:88",
		"net/http.send client.go:259", "net/http.(*Client).send client.go:180", "net/http.(*Client).do client.go:729", "net/http.(*Client).Do client.go:587",
	})
	// resolving waits for the name server.
	resolving = stack(selecting, []string{
		"net.(*Resolver).lookupIPAddr lookup.go:350", "net.(*Resolver).internetAddrList ipsock.go:287", "net.(*Resolver).resolveAddrList dial.go:289",
		"net.(*Dialer).DialContext dial.go:505", "net.(*Dialer).Dial dial.go:470",
	})
	// connecting waits for the other side to take a connection.
	connecting = stack(parked, []string{
		"runtime.netpollblock netpoll.go:575", "internal/poll.runtime_pollWait netpoll.go:351", "internal/poll.(*pollDesc).wait fd_poll_runtime.go:84",
		"internal/poll.(*FD).WaitWrite fd_unix.go:520", "net.(*netFD).connect fd_unix.go:118", "net.(*sysDialer).dialTCP tcpsock_posix.go:85", "net.(*Dialer).DialContext dial.go:525", "net.(*Dialer).Dial dial.go:470",
	})
	// httpConn waits for a connection there.
	httpConn = stack(selecting, []string{
		"net/http.(*Transport).getConn transport.go:1520", "net/http.(*Transport).roundTrip transport.go:690", "net/http.(*Transport).RoundTrip roundtrip.go:33",
		"github.com/latido-dev/latido/telemetry.(*transport).RoundTrip transport.go:88",
		"net/http.send client.go:259", "net/http.(*Client).send client.go:180", "net/http.(*Client).do client.go:729", "net/http.(*Client).Do client.go:587",
	})
	polling = stack(parked, []string{
		"runtime.netpollblock netpoll.go:575", "internal/poll.runtime_pollWait netpoll.go:351", "internal/poll.(*pollDesc).wait fd_poll_runtime.go:84",
		"internal/poll.(*pollDesc).waitRead fd_poll_runtime.go:89", "internal/poll.(*FD).Read fd_unix.go:165", "net.(*netFD).Read fd_posix.go:68", "net.(*conn).Read net.go:196",
	})
	// pgxQuery waits for a row from PostgreSQL, through database/sql.
	pgxQuery = stack(polling, []string{
		"github.com/jackc/pgx/v5/pgconn.(*PgConn).receiveMessage pgconn.go:560", "github.com/jackc/pgx/v5.(*baseRows).Next rows.go:203",
		"github.com/jackc/pgx/v5/stdlib.(*Conn).QueryContext sql.go:520", "database/sql.ctxDriverStmtQuery ctxutil.go:82", "database/sql.(*DB).queryDC.func1 sql.go:1793",
		"database/sql.withLock sql.go:3572", "database/sql.(*DB).queryDC sql.go:1788", "database/sql.(*DB).query sql.go:1771", "database/sql.(*DB).QueryContext sql.go:1749",
	})
	// sqlPool waits for a free connection of database/sql.
	sqlPool = stack(selecting, []string{
		"database/sql.(*DB).conn sql.go:1369", "database/sql.(*DB).query sql.go:1766", "database/sql.(*DB).QueryContext.func1 sql.go:1750",
		"database/sql.(*DB).retry sql.go:1576", "database/sql.(*DB).QueryContext sql.go:1749",
	})
	// awaitDone is database/sql's goroutine of rows that are open.
	awaitDone = stack(selecting, []string{"database/sql.(*Rows).awaitDone sql.go:3007"})
	mutexLock = stack(parked, []string{
		"runtime.goparkunlock proc.go:467", "runtime.semacquire1 sema.go:192", "internal/sync.runtime_SemacquireMutex sema.go:95",
		"internal/sync.(*Mutex).lockSlow mutex.go:149", "internal/sync.(*Mutex).Lock mutex.go:70", "sync.(*Mutex).Lock mutex.go:46",
	})
	readLock = stack(parked, []string{
		"runtime.goparkunlock proc.go:467", "runtime.semacquire1 sema.go:192", "sync.runtime_SemacquireRWMutexR sema.go:100", "sync.(*RWMutex).RLock rwmutex.go:74",
	})
	chanReceive = stack(parked, []string{"runtime.chanrecv chan.go:664", "runtime.chanrecv1 chan.go:506"})
	chanSend    = stack(parked, []string{"runtime.chansend chan.go:283", "runtime.chansend1 chan.go:161"})
	groupWait   = stack(parked, []string{
		"runtime.goparkunlock proc.go:467", "runtime.semacquire1 sema.go:192", "sync.runtime_SemacquireWaitGroup sema.go:114", "sync.(*WaitGroup).Wait waitgroup.go:206",
	})
	sleeping  = stack(parked, []string{"time.Sleep time.go:363"})
	rateLimit = stack(selecting, []string{"golang.org/x/time/rate.(*Limiter).wait rate.go:292", "golang.org/x/time/rate.(*Limiter).WaitN rate.go:246", "golang.org/x/time/rate.(*Limiter).Wait rate.go:231"})
	semaphore = stack(selecting, []string{"golang.org/x/sync/semaphore.(*Weighted).Acquire semaphore.go:74"})
	// slogWrite writes a line to a pipe that nobody empties; slogLock waits for
	// the goroutine that does.
	fileWrite = []string{
		"internal/runtime/syscall.Syscall6 asm_linux_amd64.s:36", "syscall.RawSyscall6 syscall_linux.go:66", "syscall.Syscall syscall_linux.go:88", "syscall.write zsyscall_linux_amd64.go:964",
		"syscall.Write syscall_unix.go:211", "internal/poll.ignoringEINTRIO fd_unix.go:736", "internal/poll.(*FD).Write fd_unix.go:380", "os.(*File).write file_posix.go:46", "os.(*File).Write file.go:195",
	}
	slogFrames = []string{"log/slog.(*commonHandler).handle handler.go:252", "log/slog.(*JSONHandler).Handle json_handler.go:88", "log/slog.(*Logger).log logger.go:261", "log/slog.(*Logger).Info logger.go:209"}
	slogWrite  = stack(fileWrite, slogFrames)
	slogLock   = stack(mutexLock, slogFrames)
	fileSync   = []string{
		"internal/runtime/syscall.Syscall6 asm_linux_amd64.s:36", "syscall.RawSyscall6 syscall_linux.go:66", "syscall.Syscall syscall_linux.go:88", "syscall.Fsync zsyscall_linux_amd64.go:457",
		"internal/poll.(*FD).Fsync.func1 fd_fsync_posix.go:18", "internal/poll.ignoringEINTR fd_posix.go:74", "internal/poll.(*FD).Fsync fd_fsync_posix.go:17", "os.(*File).Sync file_posix.go:171",
	}
	// idleConn is a client's connection between two requests; persistConn is one
	// of the Transport's to somebody else.
	idleConn    = stack(polling, []string{"net/http.(*connReader).Read server.go:798", "bufio.(*Reader).fill bufio.go:113", "net/http.(*conn).readRequest server.go:1013", "net/http.(*conn).serve server.go:2027", "net/http.(*Server).Serve.gowrap3 server.go:3454"})
	persistConn = stack(polling, []string{"net/http.(*persistConn).Read transport.go:2125", "bufio.(*Reader).fill bufio.go:113", "bufio.(*Reader).Peek bufio.go:152", "net/http.(*persistConn).readLoop transport.go:2278"})
	// dialing is the Transport's goroutine that opens a connection.
	dialing = stack(resolving, []string{"net/http.(*Transport).dial transport.go:1295", "net/http.(*Transport).dialConn transport.go:1801", "net/http.(*Transport).dialConnFor transport.go:1622", "net/http.(*Transport).startDialConnForLocked.func1 transport.go:1604"})
	// serving is below every handler.
	serving = []string{
		"net/http.HandlerFunc.ServeHTTP server.go:2322", "github.com/latido-dev/latido/telemetry.(*Telemetry).serve middleware.go:120", "net/http.(*ServeMux).ServeHTTP server.go:2861",
		"github.com/latido-dev/latido/telemetry.(*Telemetry).Middleware.func1 middleware.go:70", "net/http.serverHandler.ServeHTTP server.go:3340", "net/http.(*conn).serve server.go:2109",
	}
)

// own is a frame of the service's own code, in its package clinic or, with
// another package's name before it, there.
func own(function string, line int) []string {
	pkg := "clinic"
	if name, rest, ok := strings.Cut(function, "."); ok && !strings.HasPrefix(function, "(") && !strings.HasPrefix(rest, "func") {
		pkg, function = name, rest
	}
	file := strings.ToLower(strings.Trim(strings.SplitN(strings.TrimPrefix(function, "(*"), ")", 2)[0], "()"))
	return []string{"github.com/latido-dev/latido/" + pkg + "." + function + " /src/" + pkg + "/" + file + ".go:" + strconv.Itoa(line)}
}

func stack(parts ...[]string) (frames []string) {
	for _, p := range parts {
		frames = append(frames, p...)
	}
	return frames
}

// built collects the samples of a profile.
type built struct {
	p         *profile.Profile
	functions map[string]*profile.Location
	nameless  bool
}

func newProfile(types ...string) *built {
	b := &built{p: &profile.Profile{}, functions: map[string]*profile.Location{}}
	for _, t := range types {
		name, unit, _ := strings.Cut(t, "/")
		b.p.SampleType = append(b.p.SampleType, &profile.ValueType{Type: name, Unit: unit})
	}
	return b
}

func (b *built) add(frames []string, labels map[string]string, values ...float64) {
	s := &profile.Sample{Label: map[string][]string{}}
	any := false
	for _, v := range values {
		s.Value = append(s.Value, int64(math.Round(v)))
		any = any || math.Round(v) != 0
	}
	if !any {
		return
	}
	for k, v := range labels {
		if !b.nameless || k != "endpoint" && k != "method" {
			s.Label[k] = []string{v}
		}
	}
	for _, frame := range frames {
		if b.functions[frame] == nil {
			name, place, _ := strings.Cut(frame, " ")
			file, line, _ := strings.Cut(place, ":")
			n, _ := strconv.ParseInt(line, 10, 64)
			f := &profile.Function{ID: uint64(len(b.p.Function) + 1), Name: name, Filename: file}
			l := &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f, Line: n}}}
			b.p.Function, b.p.Location = append(b.p.Function, f), append(b.p.Location, l)
			b.functions[frame] = l
		}
		s.Location = append(s.Location, b.functions[frame])
	}
	b.p.Sample = append(b.p.Sample, s)
}

// profiles are what a profiler would have of the times: of each as much of what
// was before the change, and of what came after, as it has of both.
func (s *service) profiles(t cause.Times) (p cause.Profiles) {
	one := func(kind func(late float64, r cause.Range) *profile.Profile) cause.Pair {
		pair := cause.Pair{After: kind(s.late(t.After), t.After), AfterFor: t.After.Length()}
		if !s.deaf {
			pair.Before, pair.BeforeFor = kind(s.late(t.Before), t.Before), t.Before.Length()
		}
		return pair
	}
	mix := func(m moved, late float64) float64 { return m.before*(1-late) + m.after*late }
	p.CPU = one(func(late float64, r cause.Range) *profile.Profile {
		b := newProfile("samples/count", "cpu/nanoseconds")
		b.nameless = s.nameless
		add := func(frames []string, labels map[string]string, cores float64) {
			n := math.Round(cores * r.Length().Seconds() * 100) // a sample each 10 ms
			b.add(frames, labels, n, n*1e7)
		}
		s.eachPart(func(labels map[string]string, e *endpoint, x *part) {
			if x.computes {
				add(stack(x.frames, serving), labels, mix(e.requests.times(x.each), late))
			}
		})
		add([]string{"runtime.scanobject mgcmark.go:1495", "runtime.gcDrain mgcmark.go:1209", "runtime.gcBgMarkWorker.func2 mgc.go:1505", "runtime.systemstack asm_amd64.s:514", "runtime.gcBgMarkWorker mgc.go:1423"}, nil, mix(s.garbage, late))
		for _, k := range s.cpu {
			add(k.frames, k.labels, mix(k.seen, late))
		}
		return b.p
	})
	p.Waits = one(func(late float64, r cause.Range) *profile.Profile {
		b := newProfile("goroutines/count")
		b.nameless = s.nameless
		looks := math.Max(math.Floor(r.Length().Seconds()), 1)
		b.p.Comments = []string{"rounds=" + strconv.Itoa(int(looks))}
		s.eachPart(func(labels map[string]string, e *endpoint, x *part) {
			if x.peer != "" {
				labels["peer"] = x.peer
			}
			b.add(stack(x.frames, serving), labels, mix(e.requests.times(x.each), late)*looks)
		})
		for _, k := range s.waits {
			b.add(k.frames, k.labels, mix(k.seen, late)*looks)
		}
		return b.p
	})
	p.Mutex = one(func(late float64, r cause.Range) *profile.Profile {
		b := newProfile("contentions/count", "delay/nanoseconds")
		for _, k := range s.mutex {
			d := mix(k.seen, late) * r.Length().Seconds()
			b.add(k.frames, nil, d*20, d*1e9)
		}
		return b.p
	})
	p.Heap = one(func(late float64, r cause.Range) *profile.Profile {
		b := newProfile("alloc_objects/count", "alloc_space/bytes", "inuse_objects/count", "inuse_space/bytes")
		for _, k := range s.allocated {
			d := mix(k.seen, late) * r.Length().Seconds()
			b.add(k.frames, nil, d/512, d, 0, 0)
		}
		for _, k := range s.kept {
			d := mix(k.seen, s.reached(r.To))
			b.add(k.frames, nil, 0, 0, d/512, d)
		}
		return b.p
	})
	p.Goroutines = one(func(_ float64, r cause.Range) *profile.Profile {
		b := newProfile("goroutines/count")
		b.nameless = s.nameless
		late := s.reached(r.To) // at one moment, the last
		for _, k := range s.all {
			b.add(k.frames, k.labels, mix(k.seen, late))
		}
		s.eachPart(func(labels map[string]string, e *endpoint, x *part) {
			if x.peer != "" {
				labels["peer"] = x.peer
			}
			b.add(stack(x.frames, serving), labels, mix(e.requests.times(x.each), late))
		})
		for _, k := range s.waits {
			b.add(k.frames, k.labels, mix(k.seen, late))
		}
		return b.p
	})
	return p
}

// late is how much of a time is after the change.
func (s *service) late(r cause.Range) float64 {
	change, _, _ := s.times()
	if r.Length() <= 0 {
		return 0
	}
	return min(max(r.To.Sub(change).Seconds(), 0)/r.Length().Seconds(), 1)
}

// reached is how far the change is at a moment.
func (s *service) reached(at time.Time) float64 {
	change, _, now := s.times()
	switch {
	case !at.After(change):
		return 0
	case s.creeping:
		return at.Sub(change).Seconds() / now.Sub(change).Seconds()
	}
	return 1
}

func (s *service) eachPart(yield func(labels map[string]string, e *endpoint, x *part)) {
	for _, name := range slices.Sorted(maps.Keys(s.endpoints)) {
		e := s.endpoints[name]
		method, path, _ := strings.Cut(name, " ")
		for _, key := range slices.Sorted(maps.Keys(e.parts)) {
			yield(map[string]string{"method": method, "endpoint": path}, e, e.parts[key])
		}
	}
}
