package stacks

import "strings"

// functions of libraries in which a goroutine waits for one thing only.
var functions = map[string]string{
	sqlPool:                                                 Pool,
	"internal/poll.spliceDrain":                             socket,
	"net/http.(*Transport).getConn":                         Pool,
	"net/http.(*Transport).queueForDial":                    Pool,
	"net/http.(*http2Transport).RoundTrip":                  Call,
	"net/http.(*bodyEOFSignal).Read":                        Call,
	"net/http.(*persistConn).Read":                          Call,
	"net/http.http2transportResponseBody.Read":              Call,
	"golang.org/x/net/http2.(*Transport).RoundTrip":         Call,
	"net/http.(*persistConn).addTLS":                        dials,
	"net/http.(*Transport).dialConn":                        dials,
	"net/http.(*Transport).dialConnFor":                     dials,
	"net.(*netFD).connect":                                  dials,
	"crypto/tls.(*Dialer).DialContext":                      dials,
	"net/http.(*connReader).Read":                           Client,
	"net/http.checkConnErrorWriter.Write":                   Client,
	"net/http.(*expectContinueReader).Read":                 Client,
	"net/http.(*http2requestBody).Read":                     Client,
	"net/http.(*http2responseWriter).Write":                 Client,
	"net.(*TCPListener).Accept":                             Client,
	"net.(*UnixListener).Accept":                            Client,
	"golang.org/x/time/rate.(*Limiter).Wait":                Limiter,
	"golang.org/x/time/rate.(*Limiter).WaitN":               Limiter,
	"golang.org/x/sync/errgroup.(*Group).Go":                Limiter, // after SetLimit
	"github.com/valyala/fasthttp.(*HostClient).acquireConn": Pool,
	"google.golang.org/grpc.(*serverStream).RecvMsg":        Client,
	"google.golang.org/grpc.(*serverStream).SendMsg":        Client,
}

// receivers have only methods that wait for one thing.
var receivers = map[string]string{
	"net/http.(*Client)":    Call,
	"net/http.(*Transport)": Call,
	"net.(*Resolver)":       DNS,
	"net.(*Dialer)":         dials,
	"net.(*sysDialer)":      dials,
	"net.(*conn)":           socket,
	"os.(*File)":            File,
	"os.(*Root)":            File,
	"os.(*Process)":         Call,
	"os/exec.(*Cmd)":        Call,
}

// packages, with those below them, by their paths without the version.
var packages = map[string]string{
	"os":                               File,
	"os/exec":                          Call,
	"os/signal":                        "",
	"database/sql":                     ofSQL,
	"log":                              Log, // and log/slog
	"go.uber.org/zap":                  Log,
	"github.com/rs/zerolog":            Log,
	"github.com/rs/zerolog/hlog":       "", // calls the handlers that it logs
	"github.com/sirupsen/logrus":       Log,
	"github.com/golang/glog":           Log,
	"k8s.io/klog":                      Log,
	"github.com/go-logr/logr":          Log,
	"github.com/go-kit/log":            Log,
	"github.com/hashicorp/go-hclog":    Log,
	"github.com/charmbracelet/log":     Log,
	"github.com/phuslu/log":            Log,
	"github.com/apex/log":              Log,
	"gopkg.in/natefinch/lumberjack":    Log,
	"modernc.org/sqlite":               File,
	"modernc.org/libc":                 File,
	"github.com/mattn/go-sqlite3":      File,
	"github.com/ncruces/go-sqlite3":    File,
	"zombiezen.com/go/sqlite":          File,
	"go.etcd.io/bbolt":                 File,
	"github.com/boltdb/bolt":           File,
	"github.com/dgraph-io/badger":      File,
	"github.com/cockroachdb/pebble":    File,
	"github.com/syndtr/goleveldb":      File,
	"github.com/jackc/pgx":             Call,
	"github.com/jackc/pgconn":          Call,
	"github.com/lib/pq":                Call,
	"github.com/go-sql-driver/mysql":   Call,
	"github.com/microsoft/go-mssqldb":  Call,
	"github.com/denisenkom/go-mssqldb": Call,
	"github.com/sijms/go-ora":          Call,
	"github.com/godror/godror":         Call,
	"github.com/ClickHouse":            Call,
	"github.com/gocql/gocql":           Call,
	"github.com/redis/go-redis":        Call,
	"github.com/go-redis/redis":        Call,
	"github.com/redis/rueidis":         Call,
	"github.com/gomodule/redigo":       Call,
	"github.com/mediocregopher/radix":  Call,
	"github.com/bradfitz/gomemcache":   Call,
	"go.mongodb.org/mongo-driver":      Call,
	"github.com/nats-io":               Call,
	"github.com/rabbitmq/amqp091-go":   Call,
	"github.com/streadway/amqp":        Call,
	"github.com/IBM/sarama":            Call,
	"github.com/Shopify/sarama":        Call,
	"github.com/segmentio/kafka-go":    Call,
	"github.com/twmb/franz-go":         Call,
	"github.com/elastic":               Call,
	"github.com/aws":                   Call,
	"github.com/valyala/fasthttp":      Call,
	"google.golang.org/grpc":           Call,
	"google.golang.org/api":            Call,
	"cloud.google.com/go":              Call,
	"connectrpc.com/connect":           Call,
	"go.etcd.io/etcd":                  Call,
	"net/rpc":                          Call,
	"net/smtp":                         Call,
}

// fileCalls are system calls about files, as package syscall and
// golang.org/x/sys/unix name them, in lower case.
var fileCalls = map[string]bool{
	"fsync": true, "fdatasync": true, "sync": true, "syncfs": true, "msync": true,
	"read": true, "write": true, "pread": true, "pwrite": true, "readv": true, "writev": true,
	"open": true, "openat": true, "rename": true, "renameat": true, "unlink": true, "unlinkat": true, "mkdir": true,
	"stat": true, "fstat": true, "lstat": true, "truncate": true, "ftruncate": true, "fallocate": true,
}

// toldBy is what a goroutine waits for in a function of a library, whatever it
// blocks in. It is "" for one that does not tell.
func toldBy(function string) string {
	pkg := Package(function)
	if pkg == function {
		return ""
	}
	name := function[len(pkg)+1:]
	plain := unversioned(pkg)
	receiver, method, ok := strings.Cut(name, ").")
	if !ok {
		receiver, method = "", name
	}
	method, _, _ = strings.Cut(method, ".func") // a closure
	method, _, _ = strings.Cut(method, "[")
	key := plain + "." + method
	if ok {
		key = plain + "." + receiver + ")." + method
	}
	if kind, ok := functions[key]; ok {
		return kind
	}
	if kind, ok := receivers[plain+"."+receiver+")"]; ok {
		return kind
	}
	switch plain {
	case "net":
		if strings.HasPrefix(method, "cgoLookup") || strings.HasPrefix(method, "_C_getaddrinfo") || strings.HasPrefix(method, "_C2func_getaddrinfo") {
			return DNS
		}
	case "syscall", "golang.org/x/sys/unix":
		switch call := strings.ToLower(method); {
		case call == "flock" || call == "fcntlflock":
			return Lock
		case fileCalls[call]:
			return File
		}
	}
	if Owner(function) == Dependency {
		if kind := byName(receiver, method); kind != "" {
			return kind
		}
	}
	for p := plain; ; {
		if kind, ok := packages[p]; ok {
			return kind
		}
		slash := strings.LastIndexByte(p, '/')
		if slash < 0 {
			return ""
		}
		p = p[:slash]
	}
}

// byName tells a pool or a limiter of a library that nobody has listed, by how
// they are called: (*ConnPool).Get, (*Weighted).Acquire, (*tokenLimiter).Take.
func byName(receiver, method string) string {
	receiver, _, _ = strings.Cut(strings.ToLower(receiver), "[") // of type parameters
	takes := false
	for _, verb := range []string{"acquire", "get", "take", "checkout", "borrow", "wait", "conn", "pop", "submit", "reserve", "lease"} {
		takes = takes || strings.HasPrefix(strings.ToLower(method), verb)
	}
	switch {
	case !takes:
		return ""
	case strings.Contains(receiver, "pool"):
		return Pool
	case strings.Contains(receiver, "limit"), strings.Contains(receiver, "semaphore"), strings.Contains(receiver, "weighted"), strings.Contains(receiver, "bulkhead"):
		return Limiter
	}
	return ""
}

// unversioned is a package's path without the elements that say its version:
// /v5, and .v2 at the end.
func unversioned(pkg string) string {
	pkg, _, _ = strings.Cut(pkg, "%2ev")
	for from := 0; ; {
		i := strings.Index(pkg[from:], "/v")
		if i < 0 {
			return pkg
		}
		from += i
		element, _, _ := strings.Cut(pkg[from+1:], "/")
		if strings.Trim(element[1:], "0123456789") == "" && element != "v" {
			pkg = pkg[:from] + pkg[from+1+len(element):]
			continue
		}
		from += 2
	}
}
