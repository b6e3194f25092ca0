package stacks

import "strings"

// functions of libraries in which a goroutine waits for one thing only.
var functions = map[string]string{
	sqlPool:                                                 WaitPool,
	"net/http.(*Transport).getConn":                         WaitPool,
	"net/http.(*Transport).queueForDial":                    WaitPool,
	"net/http.(*http2Transport).RoundTrip":                  WaitCall,
	"net/http.(*bodyEOFSignal).Read":                        WaitCall,
	"net/http.(*persistConn).Read":                          WaitCall,
	"net/http.http2transportResponseBody.Read":              WaitCall,
	"golang.org/x/net/http2.(*Transport).RoundTrip":         WaitCall,
	"net/http.(*persistConn).addTLS":                        WaitDial,
	"net/http.(*Transport).dialConn":                        WaitDial,
	"net/http.(*Transport).dialConnFor":                     WaitDial,
	"net.(*netFD).connect":                                  WaitDial,
	"crypto/tls.(*Dialer).DialContext":                      WaitDial,
	"net/http.(*connReader).Read":                           WaitClient,
	"net/http.checkConnErrorWriter.Write":                   WaitClient,
	"net/http.(*expectContinueReader).Read":                 WaitClient,
	"net/http.(*http2requestBody).Read":                     WaitClient,
	"net/http.(*http2responseWriter).Write":                 WaitClient,
	"net.(*TCPListener).Accept":                             WaitClient,
	"net.(*UnixListener).Accept":                            WaitClient,
	"golang.org/x/time/rate.(*Limiter).Wait":                WaitLimiter,
	"golang.org/x/time/rate.(*Limiter).WaitN":               WaitLimiter,
	"golang.org/x/sync/errgroup.(*Group).Go":                WaitLimiter, // after SetLimit
	"github.com/valyala/fasthttp.(*HostClient).acquireConn": WaitPool,
	"google.golang.org/grpc.(*serverStream).RecvMsg":        WaitClient,
	"google.golang.org/grpc.(*serverStream).SendMsg":        WaitClient,
}

// receivers have only methods that wait for one thing.
var receivers = map[string]string{
	"net/http.(*Client)":    WaitCall,
	"net/http.(*Transport)": WaitCall,
	"net.(*Resolver)":       WaitDNS,
	"net.(*Dialer)":         WaitDial,
	"net.(*sysDialer)":      WaitDial,
	"os.(*File)":            WaitFile,
	"os.(*Root)":            WaitFile,
	"os.(*Process)":         WaitProcess,
	"os/exec.(*Cmd)":        WaitProcess,
}

// packages, with those below them, by their paths without the version.
var packages = map[string]string{
	"os":                               WaitFile,
	"os/exec":                          WaitProcess,
	"os/signal":                        "",
	"database/sql":                     ofSQL,
	"log":                              WaitLog, // and log/slog
	"go.uber.org/zap":                  WaitLog,
	"github.com/rs/zerolog":            WaitLog,
	"github.com/rs/zerolog/hlog":       "", // calls the handlers that it logs
	"github.com/sirupsen/logrus":       WaitLog,
	"github.com/golang/glog":           WaitLog,
	"k8s.io/klog":                      WaitLog,
	"github.com/go-logr/logr":          WaitLog,
	"github.com/go-kit/log":            WaitLog,
	"github.com/hashicorp/go-hclog":    WaitLog,
	"github.com/charmbracelet/log":     WaitLog,
	"github.com/phuslu/log":            WaitLog,
	"github.com/apex/log":              WaitLog,
	"gopkg.in/natefinch/lumberjack":    WaitLog,
	"modernc.org/sqlite":               WaitFile,
	"modernc.org/libc":                 WaitFile,
	"github.com/mattn/go-sqlite3":      WaitFile,
	"github.com/ncruces/go-sqlite3":    WaitFile,
	"zombiezen.com/go/sqlite":          WaitFile,
	"go.etcd.io/bbolt":                 WaitFile,
	"github.com/boltdb/bolt":           WaitFile,
	"github.com/dgraph-io/badger":      WaitFile,
	"github.com/cockroachdb/pebble":    WaitFile,
	"github.com/syndtr/goleveldb":      WaitFile,
	"github.com/jackc/pgx":             WaitCall,
	"github.com/jackc/pgconn":          WaitCall,
	"github.com/lib/pq":                WaitCall,
	"github.com/go-sql-driver/mysql":   WaitCall,
	"github.com/microsoft/go-mssqldb":  WaitCall,
	"github.com/denisenkom/go-mssqldb": WaitCall,
	"github.com/sijms/go-ora":          WaitCall,
	"github.com/godror/godror":         WaitCall,
	"github.com/ClickHouse":            WaitCall,
	"github.com/gocql/gocql":           WaitCall,
	"github.com/redis/go-redis":        WaitCall,
	"github.com/go-redis/redis":        WaitCall,
	"github.com/redis/rueidis":         WaitCall,
	"github.com/gomodule/redigo":       WaitCall,
	"github.com/mediocregopher/radix":  WaitCall,
	"github.com/bradfitz/gomemcache":   WaitCall,
	"go.mongodb.org/mongo-driver":      WaitCall,
	"github.com/nats-io":               WaitCall,
	"github.com/rabbitmq/amqp091-go":   WaitCall,
	"github.com/streadway/amqp":        WaitCall,
	"github.com/IBM/sarama":            WaitCall,
	"github.com/Shopify/sarama":        WaitCall,
	"github.com/segmentio/kafka-go":    WaitCall,
	"github.com/twmb/franz-go":         WaitCall,
	"github.com/elastic":               WaitCall,
	"github.com/aws":                   WaitCall,
	"github.com/valyala/fasthttp":      WaitCall,
	"google.golang.org/grpc":           WaitCall,
	"google.golang.org/api":            WaitCall,
	"cloud.google.com/go":              WaitCall,
	"connectrpc.com/connect":           WaitCall,
	"go.etcd.io/etcd":                  WaitCall,
	"net/rpc":                          WaitCall,
	"net/smtp":                         WaitCall,
}

// fileCalls are system calls about files, as package syscall and
// golang.org/x/sys/unix name them, in lower case.
var fileCalls = map[string]bool{
	"fsync": true, "fdatasync": true, "sync": true, "syncfs": true, "msync": true,
	"read": true, "write": true, "pread": true, "pwrite": true, "readv": true, "writev": true,
	"open": true, "openat": true, "rename": true, "renameat": true, "unlink": true, "unlinkat": true, "mkdir": true,
	"stat": true, "fstat": true, "lstat": true, "truncate": true, "ftruncate": true, "fallocate": true, "flock": true,
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
			return WaitDNS
		}
	case "syscall", "golang.org/x/sys/unix":
		if fileCalls[strings.ToLower(method)] {
			return WaitFile
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
		return WaitPool
	case strings.Contains(receiver, "limit"), strings.Contains(receiver, "semaphore"), strings.Contains(receiver, "weighted"), strings.Contains(receiver, "bulkhead"):
		return WaitLimiter
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
