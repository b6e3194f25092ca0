package stacks

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// fullPipe is a pipe that takes nothing more until it is read.
func fullPipe(t *testing.T) (w *os.File, drain func()) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return w, func() {
		go func() { _, _ = io.Copy(io.Discard, r); r.Close() }()
	}
}

// slowServer answers when released.
func slowServer(t *testing.T) (url string, release func()) {
	quit := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.(http.Flusher).Flush()
		}
		<-quit
	}))
	t.Cleanup(s.Close)
	return s.URL, sync.OnceFunc(func() { close(quit) })
}

func tempFile(t *testing.T) *os.File {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// connected are the two ends of a connection.
func connected(t *testing.T) (one, other net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if one, err = net.Dial("tcp", l.Addr().String()); err == nil {
		other, err = l.Accept()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { one.Close(); other.Close() })
	return one, other
}

func get(client *http.Client, url string) {
	res, err := client.Get(url)
	if err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
}

func TestWaitInLibraries(t *testing.T) {
	const large = 1 << 20 // more than a pipe or a socket takes
	checkWaits(t, map[string]struct {
		of   func(*testing.T) waiting
		want told
	}{
		"the answer to a request": {func(t *testing.T) waiting {
			url, release := slowServer(t)
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			return waiting{func() { get(client, url) }, release}
		}, told{Call, "net/http.(*Client).Get", "select", false}},
		"the rest of an answer": {func(t *testing.T) waiting {
			url, release := slowServer(t)
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			return waiting{func() { get(client, url+"/body") }, release}
		}, told{Call, "net/http.(*bodyEOFSignal).Read", "network or file", false}},
		"MaxConnsPerHost": {func(t *testing.T) waiting {
			url, release := slowServer(t)
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, MaxConnsPerHost: 1}}
			res, err := client.Get(url + "/body")
			if err != nil {
				t.Fatal(err)
			}
			return waiting{func() { get(client, url) }, func() { release(); res.Body.Close() }}
		}, told{Pool, "net/http.(*Transport).getConn", "select", false}},
		"an address": {func(t *testing.T) waiting {
			ctx, cancel := context.WithCancel(context.Background())
			silent, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { silent.Close() })
			r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "udp", silent.LocalAddr().String())
			}}
			d := &net.Dialer{Resolver: r}
			return waiting{func() { _, _ = d.DialContext(ctx, "tcp", "nobody.example:80") }, cancel}
		}, told{DNS, "net.(*Resolver).resolveAddrList", "select", false}},
		"a slow client's body": {func(t *testing.T) waiting {
			return served(t, 8, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) })
		},
			told{Client, "net/http.(*connReader).Read", "network or file", false}},
		"a slow client's body, copied to a file": {func(t *testing.T) waiting {
			f := tempFile(t)
			return served(t, 8, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(f, r.Body) })
		},
			told{Client, "net/http.(*connReader).Read", "network or file", false}},
		"an answer, copied to a file": {func(t *testing.T) waiting {
			url, release := slowServer(t)
			client, f := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, tempFile(t)
			return waiting{func() {
				if res, err := client.Get(url + "/body"); err == nil {
					_, _ = io.Copy(f, res.Body)
					res.Body.Close()
				}
			}, release}
		}, told{Call, "net/http.(*bodyEOFSignal).Read", "network or file", false}},
		"a connection, copied to a file": {func(t *testing.T) waiting {
			one, other := connected(t)
			f := tempFile(t)
			return waiting{func() { _, _ = io.Copy(f, one) }, func() { other.Close() }}
		}, told{Call, "io.Copy", "network or file", false}},
		"a client that does not read": {func(t *testing.T) waiting {
			return served(t, 4, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 64*large)) })
		}, told{Client, "net/http.checkConnErrorWriter.Write", "network or file", false}},
		"a connection of database/sql": {func(t *testing.T) waiting {
			db := sql.OpenDB(silentDriver{})
			db.SetMaxOpenConns(1)
			t.Cleanup(func() { db.Close() })
			c, err := db.Conn(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			return waiting{func() { _, _ = db.Exec("") }, func() { c.Close() }}
		}, told{Pool, "database/sql.(*DB).conn", "a free database connection", false}},
		"a file": {func(t *testing.T) waiting {
			w, drain := fullPipe(t)
			return waiting{func() { _, _ = w.Write(make([]byte, large)); w.Close() }, drain}
		}, told{File, "os.(*File).Write", "network or file", false}},
		"slog": {func(t *testing.T) waiting {
			w, drain := fullPipe(t)
			logger := slog.New(slog.NewTextHandler(w, nil))
			return waiting{func() { logger.Info(strings.Repeat("a", large)); w.Close() }, drain}
		}, told{Log, "log/slog.(*Logger).Info", "network or file", false}},
		"slog's lock": {func(t *testing.T) waiting {
			w := heldWriter{make(chan int), make(chan int)}
			logger := slog.New(slog.NewTextHandler(w, nil))
			go logger.Info("a")
			<-w.begun
			return waiting{func() { logger.Info("b") }, func() { close(w.quit); <-w.begun }}
		}, told{Log, "log/slog.(*Logger).Info", "lock", false}},
		"own writer of a log": {func(t *testing.T) waiting {
			w, drain := fullPipe(t)
			logger := log.New(ownWriter{w}, "", 0)
			return waiting{func() { logger.Print(strings.Repeat("a", large)); w.Close() }, drain}
		}, told{Log, "log.(*Logger).output", "network or file", false}},
		"a program": {func(t *testing.T) waiting {
			in, out := io.Pipe()
			cmd := exec.Command("cat")
			cmd.Stdin = in
			return waiting{func() { _ = cmd.Run() }, func() { out.Close() }}
		}, told{Call, "os/exec.(*Cmd).Run", "system call", false}},
	})
}

// served is a handler whose client sends four bytes of a body, and reads nothing.
func served(t *testing.T, length int, handler http.HandlerFunc) waiting {
	test, ended := t.Name(), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		labelled(test, func() { handler(w, r) })
	}))
	t.Cleanup(s.Close)
	client, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: "+strconv.Itoa(length)+"\r\n\r\nhalf"); err != nil {
		t.Fatal(err)
	}
	return waiting{nil, func() { client.Close(); <-ended }}
}

// heldWriter takes nothing until quit.
type heldWriter struct{ begun, quit chan int }

func (h heldWriter) Write(b []byte) (int, error) {
	h.begun <- 1
	<-h.quit
	return len(b), nil
}

type ownWriter struct{ w io.Writer }

func (o ownWriter) Write(b []byte) (int, error) { return o.w.Write(b) }

// silentDriver connects to nothing.
type silentDriver struct{ driver.Conn }

func (d silentDriver) Connect(context.Context) (driver.Conn, error) { return d, nil }
func (d silentDriver) Driver() driver.Driver                        { return nil }
func (d silentDriver) Close() error                                 { return nil }
func (d silentDriver) Prepare(string) (driver.Stmt, error)          { return nil, driver.ErrBadConn }

// TestWaitInOtherLibraries has the frames of libraries that this module does
// not depend on, as their sources have them, from the own function outwards.
func TestWaitInOtherLibraries(t *testing.T) {
	const (
		sel   = "runtime.gopark runtime.selectgo "
		poll  = "runtime.gopark runtime.netpollblock internal/poll.runtime_pollWait internal/poll.(*FD).Read net.(*netFD).Read net.(*conn).Read "
		mutex = "runtime.gopark sync.runtime_SemacquireMutex internal/sync.(*Mutex).lockSlow internal/sync.(*Mutex).Lock sync.(*Mutex).Lock "
		sleep = "runtime.gopark time.Sleep "
		sys   = "internal/runtime/syscall.Syscall6 syscall.RawSyscall6 syscall.Syscall "
		own   = " main.(*shop).order net/http.HandlerFunc.ServeHTTP"
	)
	for stack, want := range map[string]Wait{
		sel + "github.com/jackc/puddle/v2/internal/genstack.x golang.org/x/sync/semaphore.(*Weighted).Acquire github.com/jackc/puddle/v2.(*Pool[go.shape.*uint8]).acquire github.com/jackc/pgx/v5/pgxpool.(*Pool).Acquire github.com/jackc/pgx/v5/pgxpool.(*Pool).Query" + own: {Kind: Pool, Library: "github.com/jackc/pgx/v5/pgxpool.(*Pool).Acquire"},
		poll + "github.com/jackc/pgx/v5/pgconn.(*PgConn).peekMessage github.com/jackc/pgx/v5/pgxpool.(*Pool).Query" + own:                                                                                                                                                      {Kind: Call, Library: "github.com/jackc/pgx/v5/pgxpool.(*Pool).Query"},
		poll + "github.com/lib/pq.(*conn).recv database/sql.ctxDriverQuery database/sql.(*DB).QueryContext" + own:                                                                                                                                                              {Kind: Call, Library: "github.com/lib/pq.(*conn).recv"},
		poll + "example.com/unheard/driver.(*conn).query database/sql.(*DB).QueryContext" + own:                                                                                                                                                                                {Kind: Call, Library: "database/sql.(*DB).QueryContext"},
		sel + "example.com/unheard/driver.(*conn).query database/sql.(*DB).QueryContext" + own:                                                                                                                                                                                 {Kind: Call, Library: "database/sql.(*DB).QueryContext"},
		mutex + "database/sql.(*Rows).Close" + own: {Kind: Lock, Library: "database/sql.(*Rows).Close"},
		poll + "net.(*netFD).connect net.(*sysDialer).dialTCP net.(*Dialer).DialContext github.com/go-sql-driver/mysql.(*connector).Connect database/sql.(*DB).conn" + own:                      {Dials: true, Kind: Call, Library: "net.(*Dialer).DialContext"},
		sel + "github.com/redis/go-redis/v9/internal/pool.(*ConnPool).waitTurn github.com/redis/go-redis/v9/internal/pool.(*ConnPool).Get github.com/redis/go-redis/v9.(*Client).Process" + own: {Kind: Pool, Library: "github.com/redis/go-redis/v9/internal/pool.(*ConnPool).Get"},
		poll + "github.com/redis/go-redis/v9/internal/proto.(*Reader).ReadReply github.com/redis/go-redis/v9.(*Client).Process" + own:                                                           {Kind: Call, Library: "github.com/redis/go-redis/v9.(*Client).Process"},
		sel + "github.com/gomodule/redigo/redis.(*Pool).waitVacantConn github.com/gomodule/redigo/redis.(*Pool).GetContext" + own:                                                               {Kind: Pool, Library: "github.com/gomodule/redigo/redis.(*Pool).GetContext"},
		sel + "go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology.(*pool).checkOut go.mongodb.org/mongo-driver/v2/mongo.(*Collection).Find" + own:                                           {Kind: Pool, Library: "go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology.(*pool).checkOut"},
		sel + "golang.org/x/time/rate.(*Limiter).wait golang.org/x/time/rate.(*Limiter).WaitN golang.org/x/time/rate.(*Limiter).Wait" + own:                                                     {Kind: Limiter, Library: "golang.org/x/time/rate.(*Limiter).Wait"},
		sleep + "go.uber.org/ratelimit.(*atomicInt64Limiter).Take" + own:                                                                                                                        {Kind: Limiter, Library: "go.uber.org/ratelimit.(*atomicInt64Limiter).Take"},
		sel + "golang.org/x/sync/semaphore.(*Weighted).Acquire" + own:                                                                                                                           {Kind: Limiter, Library: "golang.org/x/sync/semaphore.(*Weighted).Acquire"},
		"runtime.gopark runtime.chansend runtime.chansend1 golang.org/x/sync/errgroup.(*Group).Go" + own:                                                                                        {Kind: Limiter, Library: "golang.org/x/sync/errgroup.(*Group).Go"},
		"runtime.gopark sync.runtime_SemacquireWaitGroup sync.(*WaitGroup).Wait golang.org/x/sync/errgroup.(*Group).Wait" + own:                                                                 {Kind: Group, Library: "sync.(*WaitGroup).Wait"},
		sel + "google.golang.org/grpc/internal/transport.(*recvBufferReader).readClient google.golang.org/grpc.(*clientStream).RecvMsg google.golang.org/grpc.(*ClientConn).Invoke" + own:       {Kind: Call, Library: "google.golang.org/grpc.(*ClientConn).Invoke"},
		sys + "golang.org/x/sys/unix.Fdatasync modernc.org/libc.Xfdatasync modernc.org/sqlite/lib._unixSync modernc.org/sqlite.(*conn).exec database/sql.(*DB).Exec" + own:                      {Kind: File, Library: "modernc.org/sqlite.(*conn).exec"},
		sleep + "modernc.org/libc.Xusleep modernc.org/sqlite/lib._sqliteDefaultBusyCallback modernc.org/sqlite.(*conn).exec database/sql.(*DB).Exec" + own:                                      {Kind: Lock, Library: "modernc.org/sqlite.(*conn).exec"},
		sys + "modernc.org/libc.sleepSyscall modernc.org/libc.X__clock_nanosleep modernc.org/sqlite/lib._unixSleep modernc.org/sqlite.(*conn).exec database/sql.(*DB).Exec" + own:               {Kind: Lock, Library: "modernc.org/sqlite.(*conn).exec"},
		sel + "modernc.org/sqlite.busyHandler modernc.org/sqlite.(*tx).exec modernc.org/sqlite.(*conn).BeginTx database/sql.(*DB).BeginTx" + own:                                                {Kind: Lock, Library: "modernc.org/sqlite.(*conn).BeginTx"},
		"runtime.cgocall github.com/mattn/go-sqlite3._Cfunc_sqlite3_step github.com/mattn/go-sqlite3.(*SQLiteStmt).exec database/sql.(*DB).Exec" + own:                                          {Kind: File, Library: "github.com/mattn/go-sqlite3.(*SQLiteStmt).exec"},
		"runtime.cgocall example.com/image._Cfunc_resize example.com/image.Resize" + own:                                                                                                        {},
		sys + "syscall.Fsync" + own: {Kind: File, Library: "syscall.Fsync"},
		sys + "syscall.write syscall.Write internal/poll.(*FD).Write os.(*File).Write go.uber.org/zap/zapcore.(*ioCore).Write go.uber.org/zap.(*Logger).Info" + own: {Kind: Log, Library: "go.uber.org/zap.(*Logger).Info"},
		mutex + "gopkg.in/natefinch/lumberjack%2ev2.(*Logger).Write" + own:                                                                                          {Kind: Log, Library: "gopkg.in/natefinch/lumberjack%2ev2.(*Logger).Write"},
		mutex + "github.com/prometheus/client_golang/prometheus.(*MetricVec).With" + own:                                                                            {Kind: Lock, Library: "github.com/prometheus/client_golang/prometheus.(*MetricVec).With"},
		poll + "bufio.(*Reader).Read" + own:                                                                                           {Kind: Call, Library: "bufio.(*Reader).Read"},
		sel + "main.(*shop).order github.com/rs/zerolog/hlog.AccessHandler.func1":                                                     {Kind: Select, Library: "runtime.selectgo"},
		poll + "net/http.(*persistConn).Read bufio.(*Reader).fill net/http.(*persistConn).readLoop":                                   {Kind: Network, Library: "net/http.(*persistConn).readLoop"},
		sel + "database/sql.(*DB).connectionOpener":                                                                                   {Kind: Select, Library: "runtime.selectgo"},
		sel + "net.(*Dialer).DialContext net/http.(*Transport).dial net/http.(*Transport).dialConn net/http.(*Transport).dialConnFor": {Dials: true, Kind: Call, Library: "net/http.(*Transport).dialConnFor"},
		// Of several the one that is called by own code, and of a lock the one that is in it.
		poll + "example.com/wire.(*conn).Read io.ReadAtLeast io.ReadFull" + own:       {Kind: Call, Library: "example.com/wire.(*conn).Read"},
		mutex + "example.com/x/cache.(*LRU).get example.com/x/cache.(*LRU).Get" + own: {Kind: Lock, Library: "example.com/x/cache.(*LRU).get"},
		"runtime.memmove" + own: {},
		"":                      {},
	} {
		var frames []Frame
		for _, f := range strings.Fields(stack) {
			frames = append(frames, Frame{Function: f})
		}
		got := WaitOf(frames)
		if got.Kind != want.Kind || got.Dials != want.Dials || got.Library != want.Library {
			t.Errorf("%s\nwaits for %q in %q, want %q in %q", stack, got.Kind, got.Library, want.Kind, want.Library)
		}
		// What own code called is in In, and never what called own code.
		if got.In != "" && Owner(got.In) != Runtime || strings.Contains(strings.Split(stack, "main.")[0], got.In) == false {
			t.Errorf("%s\nwaits in %q", stack, got.In)
		}
		if own := got.Own >= 0 && frames[got.Own].Function == "main.(*shop).order"; own != strings.Contains(stack, "main.") {
			t.Errorf("%s\nown frame %d", stack, got.Own)
		}
	}
}

func TestUnversioned(t *testing.T) {
	for pkg, want := range map[string]string{
		"github.com/valyala/fasthttp":        "github.com/valyala/fasthttp",
		"github.com/vx/v2/vault/v10":         "github.com/vx/vault",
		"github.com/jackc/pgx/v5/pgxpool":    "github.com/jackc/pgx/pgxpool",
		"gopkg.in/natefinch/lumberjack%2ev2": "gopkg.in/natefinch/lumberjack",
		"log/slog":                           "log/slog",
		"example.com/v":                      "example.com/v",
		"k8s.io/klog/v2":                     "k8s.io/klog",
	} {
		if got := unversioned(pkg); got != want {
			t.Errorf("unversioned(%q) = %q, want %q", pkg, got, want)
		}
	}
}

func BenchmarkWaitOf(b *testing.B) {
	frames := make([]Frame, 0, 40)
	for _, f := range []string{"runtime.gopark", "runtime.selectgo", "github.com/jackc/puddle/v2.(*Pool[go.shape.*uint8]).acquire", "github.com/jackc/pgx/v5/pgxpool.(*Pool).Acquire", "main.order"} {
		frames = append(frames, Frame{Function: f})
	}
	for len(frames) < 40 {
		frames = append(frames, Frame{Function: "net/http.HandlerFunc.ServeHTTP"})
	}
	for b.Loop() {
		WaitOf(frames)
	}
}
