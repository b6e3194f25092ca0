package cause_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

// shared makes the service one of twelve endpoints that are asked as often, and
// all requests pass through guard, which gets another part; each says what.
func shared(s *service, each func(handler string, line int) *part) {
	for _, e := range s.endpoints {
		e.requests = same(4)
	}
	for i := range 8 {
		s.endpoint(fmt.Sprintf("GET /sala%d", i), 4).parts = map[string]*part{
			"query": {each: same(0.004), frames: stack(pgxQuery, own(fmt.Sprintf("(*Store).Room%d", i), 200+i)), calls: same(1), query: "SELECT salas"},
			"work":  {each: same(0.002), computes: true, frames: stack(own(fmt.Sprintf("(*API).room%d", i), 300+i))},
		}
	}
	for i, name := range slices.Sorted(maps.Keys(s.endpoints)) {
		s.endpoints[name].parts["shared"] = each("(*API).of"+name[len(name)-3:], 400+i)
	}
}

var guard = own("auth.Guard", 40)

var sharedFaults = []fault{
	{"a guard of all endpoints calls a slow host", func(s *service) {
		shared(s, func(string, int) *part {
			return &part{each: moved{0.01, 0.6}, frames: stack(httpCall, own("auth.Check", 22), guard), peer: "auth.example.com", calls: same(1)}
		})
	}, "dependency", "auth.example.com", ""},
	{"a guard of all endpoints computes", func(s *service) {
		shared(s, func(string, int) *part {
			return &part{each: moved{0.001, 0.03}, computes: true, frames: stack([]string{"crypto/sha256.block sha256block.go:10"}, own("auth.Sign", 22), guard)}
		})
	}, "cpu", "of CPU time for each request, ", "en"},
	{"a guard of all endpoints asks a slow database", func(s *service) {
		shared(s, func(string, int) *part {
			return &part{each: moved{0.003, 0.5}, frames: stack(pgxQuery, own("auth.Session", 22), guard), calls: same(1), query: "SELECT sesiones"}
		})
	}, "dependency", "auth.Session", ""},
	{"a guard of all endpoints asks the database many times", func(s *service) {
		shared(s, func(string, int) *part {
			return &part{each: moved{0.003, 0.12}, frames: stack(pgxQuery, own("auth.Session", 22), guard), calls: moved{1, 40}, query: "SELECT sesiones"}
		})
	}, "dependency", "auth.Session (session.go:22) calls the database more often: 4", "en"},
	{"a guard of all endpoints has a lock during a call", func(s *service) {
		shared(s, func(string, int) *part {
			return &part{each: moved{0.0001, 0.4}, frames: stack(mutexLock, own("auth.Keys", 22), guard)}
		})
		s.endpoint("GET /sala1").parts["held"] = &part{each: moved{0, 0.25}, frames: stack(httpCall, own("auth.Keys", 25), guard), peer: "keys.example.com", calls: moved{0, 1}}
	}, "lock", "auth.Keys", ""},
	{"a guard of all endpoints sleeps", func(s *service) {
		shared(s, func(string, int) *part {
			return &part{each: moved{0, 0.3}, frames: stack(sleeping, own("auth.Backoff", 22), guard)}
		})
	}, "blocked", "Requests sleep in auth.Backoff", "en"},
	{"a guard of all endpoints writes its log to a slow disk", func(s *service) {
		shared(s, func(string, int) *part {
			return &part{each: moved{0.0001, 0.3}, frames: stack(fileSync, own("audit.Write", 22), guard)}
		})
	}, "blocked", "audit.Write", ""},
	{"each handler calls one slow host from code of its own", func(s *service) {
		shared(s, func(handler string, line int) *part {
			return &part{each: moved{0.01, 0.6}, frames: stack(httpCall, own(handler, line)), peer: "tarifas.example.com", calls: same(1)}
		})
	}, "dependency", "tarifas.example.com", ""},
	{"each handler asks a slow database", func(s *service) {
		shared(s, func(handler string, line int) *part {
			return &part{each: moved{0.01, 0.6}, frames: stack(pgxQuery, own(handler, line)), calls: same(1), query: "SELECT todo"}
		})
	}, "dependency", "database", ""},
	{"each handler waits for a connection", func(s *service) {
		shared(s, func(handler string, line int) *part {
			return &part{each: moved{0, 0.6}, frames: stack(sqlPool, own(handler, line))}
		})
		s.level("pool_connections", moved{2, 10}, "pool", "main", "state", "used")
		s.level("pool_connections", moved{4, 0}, "pool", "main", "state", "idle")
		s.count("pool_wait_time", moved{0, 20}, "pool", "main")
		s.count("pool_waits", moved{0, 40}, "pool", "main")
		s.waits = append(s.waits, standing{moved{0, 9}, map[string]string{"started_by": "GET /informes"}, awaitDone})
	}, "pool", "requests to GET /informes keep rows or transactions open", "en"},
	{"each handler fails as one host does", func(s *service) {
		shared(s, func(handler string, line int) *part {
			return &part{each: same(0.01), frames: stack(httpCall, own(handler, line)), peer: "tarifas.example.com", calls: same(1), answers: map[string]moved{"5xx": {0, 0.6}, "2xx": {1, 0.4}}}
		})
		for _, e := range s.endpoints {
			e.status["502"] = moved{0, 0.6}
		}
		s.alert = failing(s)
	}, "dependency", "tarifas.example.com", ""},
	{"each handler panics in code that they share", func(s *service) {
		shared(s, func(handler string, line int) *part {
			return &part{each: same(0.001), computes: true, frames: stack(own("tax.Of", 12), own(handler, line))}
		})
		for _, e := range s.endpoints {
			e.status["500"] = moved{0, 0.4}
		}
		s.count("api_errors", moved{0, 19}, "error_type", "panic")
		s.count("failures", moved{0, 19}, "endpoint", "/sala1", "status", "500", "site", "tax.Of (tax.go:12)")
		s.alert = failing(s)
	}, "panic", "tax.Of", ""},
	{"each handler makes the garbage collector work", func(s *service) {
		shared(s, func(handler string, line int) *part {
			return &part{each: moved{0.001, 0.002}, computes: true, frames: stack([]string{"runtime.mallocgc malloc.go:1000"}, own("i18n.Load", 12), own(handler, line))}
		})
		for _, name := range slices.Sorted(maps.Keys(s.endpoints)) {
			s.allocated = append(s.allocated, standing{moved{1 << 16, 80 << 20}, nil, stack(own("i18n.Load", 12), own("(*API).of"+name[len(name)-3:], 9))})
		}
		s.garbage = moved{0.01, 2.6}
		s.alert = about(s, "cpu_usage", ">", 70)
	}, "gc", "i18n.Load", ""},
	{"clients of all endpoints leave as one host is slow", func(s *service) {
		shared(s, func(handler string, line int) *part {
			return &part{each: moved{0.01, 2}, frames: stack(httpCall, own(handler, line)), peer: "tarifas.example.com", calls: same(1)}
		})
		for _, e := range s.endpoints {
			e.status["499"] = moved{0, 0.7}
		}
		s.alert = leaving(s)
	}, "dependency", "tarifas.example.com", ""},
	{"all endpoints are asked more", func(s *service) {
		shared(s, func(string, int) *part { return &part{each: same(0.001), computes: true, frames: guard} })
		s.traffic(5)
		s.alert = about(s, "requests", ">", 100)
		s.alert.Expr = "sum by (job) (rate(" + s.family("requests") + "[1m])) > 100"
	}, "traffic", "", ""},
}

func TestShared(t *testing.T) { try(t, sharedFaults) }
