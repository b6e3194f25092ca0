package cause_test

import (
	"strings"
	"testing"

	"github.com/latido-dev/latido/internal/cause"
)

// unauthorized has a host refuse all calls, and one function write what comes of it.
func unauthorized(s *service) {
	s.part("POST /citas", "pay").answers = map[string]moved{"2xx": {1, 0}, "401": {0, 1}}
	s.endpoint("POST /citas").status["502"] = moved{0, 1}
	s.count("failures", moved{0, 10}, "endpoint", "/citas", "status", "502", "site", "render.JSON (render.go:30) < clinic.(*API).reserve (api.go:105)")
	s.alert = failing(s)
}

// callsFail has two hosts fail, one of them more often, and the alert be about the
// calls to one, or to all.
func callsFail(s *service, peer string) {
	s.part("POST /citas", "pay").answers = map[string]moved{"2xx": {1, 0.5}, "5xx": {0, 0.5}}
	s.endpoint("GET /citas").parts["notify"] = &part{each: same(0.01), frames: stack(httpCall, own("(*API).list", 66)), peer: "avisos.example.com", calls: same(1),
		answers: map[string]moved{"2xx": {1, 0.5}, "5xx": {0, 0.5}}}
	s.alert = about(s, "client_requests", ">", 2)
	s.alert.Labels = map[string]string{"peer": peer}
}

var dependencyFaults = []fault{
	{"a host answers slowly", func(s *service) { s.part("POST /citas", "pay").each.after = 0.6 }, "dependency", "pagos.example.com", ""},
	{"a host answers slowly, alert on the objective of errors", func(s *service) {
		s.part("POST /citas", "pay").each.after = 3
		s.part("POST /citas", "pay").answers = map[string]moved{"2xx": {1, 0.2}, "timeout": {0, 0.8}}
		s.endpoint("POST /citas").status["504"] = moved{0, 0.8}
		s.alert = failing(s)
	}, "dependency", "pagos.example.com", ""},
	{"a host fails", func(s *service) {
		s.part("POST /citas", "pay").answers = map[string]moved{"2xx": {1, 0.3}, "5xx": {0, 0.7}}
		s.endpoint("POST /citas").status["502"] = moved{0, 0.7}
		s.count("failures", moved{0, 7}, "endpoint", "/citas", "status", "502", "site", "clinic.(*API).reserve (api.go:99)")
		s.alert = failing(s)
	}, "dependency", "pagos.example.com", ""},
	{"a host refuses connections", func(s *service) {
		s.part("POST /citas", "pay").each.after = 0.0005
		s.part("POST /citas", "pay").answers = map[string]moved{"2xx": {1, 0}, "dial": {0, 1}}
		s.endpoint("POST /citas").status["502"] = moved{0, 1}
		s.count("api_errors", moved{0, 10}, "error_type", "connection_refused")
		s.alert = failing(s)
	}, "dependency", "pagos.example.com", ""},
	{"a host has a certificate that nobody trusts", func(s *service) {
		s.part("POST /citas", "pay").each.after = 0.012
		s.part("POST /citas", "pay").answers = map[string]moved{"2xx": {1, 0}, "tls": {0, 1}}
		s.part("POST /citas", "pay").frames = stack(httpConn, own("(*Payments).Charge", 33))
		handshake := []string{"crypto/tls.(*Conn).handshakeContext conn.go:1594", "net/http.(*Transport).dialConn.func3 transport.go:1800"}
		s.waits = append(s.waits, standing{moved{0, 0.2}, map[string]string{"peer": "pagos.example.com"}, stack(polling, handshake)})
		s.endpoint("POST /citas").status["502"] = moved{0, 1}
		s.count("api_errors", moved{0, 10}, "error_type", "x509.UnknownAuthorityError")
		s.alert = failing(s)
	}, "dependency", "pagos.example.com fails: 100 % of the calls from clinic.(*Payments).Charge (payments.go:33) end in the TLS handshake", "en"},
	{"one of two places that call a host has a certificate that nobody trusts", func(s *service) {
		s.endpoint("GET /citas").parts["pay"] = &part{each: same(0.03), frames: stack(httpCall, own("(*Payments).Status", 60)), peer: "pagos.example.com", calls: same(1)}
		s.part("POST /citas", "pay").each.after = 0.012
		s.part("POST /citas", "pay").answers = map[string]moved{"2xx": {1, 0}, "tls": {0, 1}}
		s.endpoint("POST /citas").status["502"] = moved{0, 1}
		s.alert = failing(s)
	}, "dependency", "clinic.(*Payments).Charge", ""},
	{"one of two hosts that are called through one function is slow", func(s *service) {
		through := own("httpx.Do", 83)
		s.part("POST /citas", "pay").frames = stack(httpCall, through, own("(*Payments).Charge", 33))
		s.part("POST /citas", "pay").each.after = 0.6
		s.endpoint("GET /citas").parts["photo"] = &part{each: same(0.03), frames: stack(httpCall, through, own("(*Photos).List", 22)), peer: "fotos.example.com", calls: same(1)}
	}, "dependency", "a call from clinic.(*Payments).Charge (payments.go:33)", "en"},
	{"a host refuses calls too fast to be seen, and one function writes all answers", func(s *service) {
		s.part("POST /citas", "pay").each.after = 0.00001
		unauthorized(s)
	}, "dependency", "of the calls from clinic.(*Payments).Charge (payments.go:33)", "en"},
	{"the same of a host that was never seen to be called", func(s *service) {
		s.part("POST /citas", "pay").each = same(0.00001)
		unauthorized(s)
	}, "dependency", "of the calls from clinic.(*API).reserve (api.go:105)", "en"},
	{"the deadline of the calls to a host became shorter than they take", func(s *service) {
		s.part("POST /citas", "pay").each.after = 0.001
		s.part("POST /citas", "pay").answers = map[string]moved{"2xx": {1, 0.1}, "timeout": {0, 0.9}}
		s.endpoint("POST /citas").status["504"] = moved{0, 0.9}
		s.alert = failing(s)
	}, "dependency", "are given up too soon", "en"},
	{"a host is called in a storm of retries", func(s *service) {
		p := s.part("POST /citas", "pay")
		p.each.after, p.calls.after = 0.02*8, 8
		p.answers = map[string]moved{"2xx": {1, 0.125}, "5xx": {0, 0.875}}
	}, "dependency", "pagos.example.com", ""},
	{"a cache no longer answers in the place of a host", func(s *service) {
		s.endpoint("GET /medicos/{id}").parts["photo"] = &part{each: moved{0.001, 0.025}, frames: stack(httpCall, own("(*Photos).Get", 12)), peer: "fotos.example.com", calls: moved{0.04, 1}}
	}, "dependency", "fotos.example.com", ""},
	{"a database is slow", func(s *service) { s.part("GET /citas", "query").each.after = 0.3 }, "dependency", "clinic.(*Store).List", ""},
	{"a query in a loop", func(s *service) {
		p := s.part("GET /citas", "query")
		p.each.after, p.calls.after = 0.006*30, 30
	}, "dependency", "clinic.(*Store).List", ""},
	{"a query in a loop, which makes the database slow", func(s *service) {
		p := s.part("GET /citas", "query")
		p.each.after, p.calls.after = 0.006*4*8, 4
	}, "dependency", "clinic.(*Store).List", ""},
	{"a query in a loop, which makes the database very slow", func(s *service) {
		p := s.part("GET /citas", "query")
		p.each.after, p.calls.after = 0.006*7*60, 7
	}, "dependency", "clinic.(*Store).List (store.go:41) calls the database more often", "en"},
	{"a query in a loop, whose requests have no end yet, of a database that measures all calls as one", func(s *service) {
		for _, e := range s.endpoints {
			e.parts["query"].query = "query"
			e.parts["query"].each.after *= 5
		}
		s.endpoint("GET /informes").requests.after = 0.5
		p := s.part("GET /informes", "query")
		p.each.after, p.calls.after = 3, 60
		s.alert.Labels = map[string]string{"endpoint": "/informes"}
	}, "dependency", "clinic.(*Store).Totals", ""},
	{"a database is slow when a query comes to its cache", func(s *service) {
		s.part("GET /citas", "query").each.after = 0.3
		s.part("GET /medicos/{id}", "query").calls.after = 4
	}, "dependency", "The database answers slowly to clinic.(*Store).List", "en"},
	{"a database that nobody measures is slow", func(s *service) {
		for _, e := range s.endpoints {
			e.parts["query"].query = ""
		}
		s.part("GET /citas", "query").each.after = 0.3
	}, "dependency", "clinic.(*Store).List", ""},
	{"a host sends its answer slowly", func(s *service) {
		s.endpoint("POST /citas").parts["body"] = &part{each: moved{0.001, 0.9}, frames: stack(selecting,
			[]string{"io.(*pipe).read pipe.go:57", "net/http.(*bodyEOFSignal).Read transport.go:2980", "encoding/json.(*Decoder).refill stream.go:165"}, own("(*Payments).Charge", 41))}
		s.alert = slowAt(s, "POST /citas")
	}, "dependency", "pagos.example.com", ""},
	{"a host redirects all calls to itself", func(s *service) {
		p := s.part("POST /citas", "pay")
		p.calls.after, p.each.after = 10, 0.2
		p.answers = map[string]moved{"3xx": {0, 1}}
		s.endpoint("POST /citas").status["502"] = moved{0, 1}
		s.alert = failing(s)
	}, "dependency", "pagos.example.com redirects calls", "en"},
	{"another connection has the lock of a database in a file, and the pool has room", func(s *service) {
		s.endpoint("POST /citas").parts["locked"] = &part{each: moved{0, 0.8}, frames: stack(selecting, []string{"modernc.org/sqlite.busyHandler conn.go:300",
			"modernc.org/sqlite.(*tx).exec tx.go:94", "modernc.org/sqlite.(*conn).BeginTx conn.go:1500", "database/sql.(*DB).BeginTx sql.go:1898"}, own("(*Store).Reserve", 81))}
	}, "dependency", "The database is locked by another connection or process", "en"},
	{"a job of the service has the lock of a database in a file, and sleeps", func(s *service) {
		s.endpoint("POST /citas").parts["locked"] = &part{each: moved{0, 0.8}, frames: stack(selecting, []string{"modernc.org/sqlite.busyHandler conn.go:300",
			"modernc.org/sqlite.(*tx).exec tx.go:94", "modernc.org/sqlite.(*conn).BeginTx conn.go:1500", "database/sql.(*DB).BeginTx sql.go:1898"}, own("(*Store).Reserve", 81))}
		s.waits = append(s.waits, standing{moved{0.03, 0.9}, nil, stack(sleeping, own("(*Store).CleanUp", 140), own("(*Jobs).run", 12))},
			standing{moved{0.1, 0.1}, nil, stack(fileSync, []string{"modernc.org/sqlite.(*conn).ExecContext conn.go:90", "database/sql.(*Tx).ExecContext sql.go:2500"}, own("(*Store).CleanUp", 138), own("(*Jobs).run", 12))})
	}, "dependency", "The database is locked by clinic.(*Store).CleanUp (store.go:140), which meanwhile sleeps", "en"},
	{"queries of a database in the process take long, and meet at its mutex", func(s *service) {
		s.part("GET /citas", "query").each.after = 0.4
		s.part("GET /citas", "query").computes = true
		s.endpoint("GET /citas").parts["mutex"] = &part{each: moved{0, 0.6}, frames: stack(mutexLock, []string{"modernc.org/libc.Xpthread_mutex_lock pthread.go:200",
			"modernc.org/sqlite/lib._pcache1Unpin sqlite.go:900", "modernc.org/sqlite.(*conn).QueryContext conn.go:90", "database/sql.(*DB).QueryContext sql.go:1749"}, own("(*Store).List", 41))}
	}, "dependency", "The database answers slowly", "en"},
	{"a database in the process computes, and own code does a little", func(s *service) {
		for name, e := range map[string]*endpoint{"GET /citas": s.endpoint("GET /citas"), "GET /informes": s.endpoint("GET /informes")} {
			e.parts["query"].computes = true
			e.parts["query"].each = map[string]moved{"GET /citas": {0.006, 0.03}, "GET /informes": {0.01, 0.06}}[name]
			e.parts["query"].frames = stack([]string{"modernc.org/sqlite/lib._sqlite3VdbeExec sqlite.go:900", "database/sql.(*DB).QueryContext sql.go:1749"}, own("(*Store).List", 41))
		}
		s.part("GET /informes", "work").each.after = 0.2
		s.alert = about(s, "cpu_usage", ">", 60)
	}, "dependency", "(*Store).List", ""},
	{"a host that fails as ever becomes slow", func(s *service) {
		s.part("POST /citas", "pay").each.after = 0.6
		s.part("POST /citas", "pay").answers = map[string]moved{"2xx": same(0.7), "5xx": same(0.3)}
	}, "dependency", "pagos.example.com answers slowly", "en"},
	{"a host does not answer at all", func(s *service) {
		e := s.endpoint("POST /citas")
		e.requests.after = 0
		s.waits = append(s.waits, standing{moved{0, 80}, map[string]string{"method": "POST", "endpoint": "/citas", "peer": "pagos.example.com"}, stack(httpCall, own("(*Payments).Charge", 33), serving)})
	}, "dependency", "pagos.example.com", ""},
	{"a server of a protocol that no library has", func(s *service) {
		s.endpoint("GET /medicos/{id}").parts["lab"] = &part{each: moved{0.004, 0.9}, frames: stack(polling,
			[]string{"bufio.(*Reader).fill bufio.go:113", "bufio.(*Reader).ReadString bufio.go:520"}, own("(*Lab).Ask", 21))}
	}, "dependency", "The server that is called does not answer in time", "en"},
	{"an endpoint calls a host in a loop, while a goroutine of nobody's is seen at it too", func(s *service) {
		s.part("POST /citas", "pay").calls = moved{1, 25}
		s.part("POST /citas", "pay").each = moved{0.02, 0.5}
		s.waits = append(s.waits, standing{moved{0.1, 0.1}, map[string]string{"peer": "pagos.example.com"}, persistConn})
	}, "dependency", "each request to POST /citas", "en"},
	{"a host refuses our credentials", func(s *service) {
		s.part("POST /citas", "pay").answers = map[string]moved{"2xx": {1, 0.1}, "401": {0, 0.9}}
		s.endpoint("POST /citas").status["502"] = moved{0, 0.9}
		s.count("failures", moved{0, 9}, "endpoint", "/citas", "status", "502", "site", "clinic.(*API).reserve (api.go:99)")
		s.alert = failing(s)
	}, "dependency", "pagos.example.com", ""},
	{"a host limits our calls, and its answer is handed on", func(s *service) {
		s.part("POST /citas", "pay").answers = map[string]moved{"2xx": {1, 0.4}, "429": {0, 0.6}}
		s.endpoint("POST /citas").status["429"] = moved{0, 0.6}
		s.alert = refusing(s)
	}, "dependency", "pagos.example.com", ""},
	{"a name resolves slowly", func(s *service) {
		s.endpoint("POST /citas").parts["dns"] = &part{each: moved{0.0005, 2}, peer: "pagos.example.com", frames: stack(resolving, own("(*Payments).Charge", 33))}
	}, "dependency", "pagos.example.com", ""},
	{"a name resolves slowly, while connections to another host are opened", func(s *service) {
		s.endpoint("POST /citas").parts["dns"] = &part{each: moved{0.0005, 2}, peer: "pagos.example.com", frames: stack(resolving, own("(*Payments).Charge", 33))}
		s.endpoint("GET /citas").parts["dial"] = &part{each: same(1), peer: "fotos.example.com", frames: stack(connecting, own("(*Photos).Get", 12))}
	}, "dependency", "The name pagos.example.com resolves slowly", "en"},
	{"a Redis is slow", func(s *service) {
		s.endpoint("GET /medicos/{id}").parts["cache"] = &part{each: moved{0.0005, 0.3}, frames: stack(polling,
			[]string{"bufio.(*Reader).fill bufio.go:113", "github.com/redis/go-redis/v9/internal/proto.(*Reader).ReadLine reader.go:120", "github.com/redis/go-redis/v9.(*baseClient).process redis.go:600", "github.com/redis/go-redis/v9.cmdable.Get string_commands.go:50"}, own("(*Cache).Get", 44))}
	}, "dependency", "clinic.(*Cache).Get", ""},
	{"a host is slow for one of several callers", func(s *service) {
		s.endpoint("GET /medicos/{id}").parts["photo"] = &part{each: moved{0.004, 0.004}, frames: stack(httpCall, own("(*Photos).Get", 12)), peer: "fotos.example.com", calls: same(1)}
		s.endpoint("GET /citas").parts["photo"] = &part{each: moved{0.004, 0.2}, frames: stack(httpCall, own("(*Photos).List", 22)), peer: "fotos.example.com", calls: same(1)}
	}, "dependency", "clinic.(*Photos).List", ""},
	{"calls to two hosts fail, which clients see nothing of, alert on the calls", func(s *service) { callsFail(s, "") }, "dependency", "avisos.example.com", ""},
	{"calls to two hosts fail, alert on the calls to one", func(s *service) { callsFail(s, "pagos.example.com") }, "dependency", "pagos.example.com", ""},
	// Rivals.
	{"twice the traffic when a host becomes slow", func(s *service) {
		s.traffic(2)
		s.part("POST /citas", "pay").each.after = 0.6
	}, "dependency", "pagos.example.com", ""},
	{"a harmless release when a host becomes slow", func(s *service) {
		s.release()
		s.part("POST /citas", "pay").each.after = 0.6
	}, "dependency", "pagos.example.com", ""},
	{"twice the traffic to another endpoint when a host becomes slow", func(s *service) {
		s.endpoint("GET /citas").requests.after *= 2
		s.part("POST /citas", "pay").each.after = 0.6
	}, "dependency", "pagos.example.com", ""},
	{"errors of its own while requests to a host are refused as ever", func(s *service) {
		s.part("POST /citas", "pay").answers = map[string]moved{"2xx": same(0.8), "4xx": same(0.2)}
		s.endpoint("GET /citas").status["500"] = moved{0, 0.3}
		s.count("failures", moved{0, 12}, "endpoint", "/citas", "status", "500", "site", "clinic.(*API).list (api.go:66)")
		s.alert = failing(s)
	}, "errors", "clinic.(*API).list", ""},
	{"twice the traffic and errors of its own while a host fails as ever", func(s *service) {
		s.traffic(2)
		s.part("POST /citas", "pay").answers = map[string]moved{"2xx": same(0.7), "5xx": same(0.3)}
		s.endpoint("POST /citas").status["500"] = moved{0, 0.6}
		s.count("failures", moved{0, 12}, "endpoint", "/citas", "status", "500", "site", "clinic.(*API).reserve (api.go:99)")
		s.alert = failing(s)
	}, "errors", "clinic.(*API).reserve", ""},
	{"a slow host and a slower function", func(s *service) {
		s.part("POST /citas", "pay").each.after = 0.06
		s.part("GET /informes", "work").each.after = 0.9
	}, "cpu", "report.Totals", ""},
	{"a slow function and a slower host", func(s *service) {
		s.part("POST /citas", "pay").each.after = 0.5
		s.part("GET /informes", "work").each.after = 0.1
	}, "dependency", "pagos.example.com", ""},
	{"errors of its own while a host fails as ever", func(s *service) {
		s.part("POST /citas", "pay").answers = map[string]moved{"2xx": same(0.97), "5xx": same(0.03)}
		s.endpoint("POST /citas").status["500"] = moved{0, 0.6}
		s.count("failures", moved{0, 6}, "endpoint", "/citas", "status", "500", "site", "clinic.(*API).reserve (api.go:99)")
		s.alert = failing(s)
	}, "errors", "clinic.(*API).reserve", ""},
}

func TestDependency(t *testing.T) { try(t, dependencyFaults) }

// TestDatabaseThatAnswersNobody: what takes no time, as nothing has ended, is no
// figure.
func TestDatabaseThatAnswersNobody(t *testing.T) {
	try(t, []fault{
		{"the database answers no request that asks it", func(s *service) {
			s.endpoint("GET /citas").requests.after = 0
			s.waits = append(s.waits, standing{moved{0, 30}, map[string]string{"method": "GET", "endpoint": "/citas"}, stack(pgxQuery, own("(*Store).List", 41))})
			s.alert = slowAt(s, "GET /citas")
		}, "dependency", "(*Store).List", ""},
	})
}

// TestCalledMoreOftenByChance: few calls are no more often for some that come more.
func TestCalledMoreOftenByChance(t *testing.T) {
	t.Parallel()
	for rate, want := range map[float64]bool{0.2: false, 2: true} {
		s := newService(t, "en", false)
		s.noise = 0
		s.endpoint("POST /citas").requests = same(rate)
		p := s.part("POST /citas", "pay")
		p.calls.after, p.each.after = 1.6, 4
		r := cause.Explain(s.input())
		if len(r.Findings) == 0 || r.Findings[0].Kind != "dependency" || strings.Contains(r.Findings[0].Sentence, "it is called") != want {
			t.Errorf("%v a second: %s", rate, told(r))
		}
	}
}
