package cause_test

import (
	"strings"
	"testing"

	"github.com/latido-dev/latido/internal/cause"
)

// starvedPool makes everybody wait for a connection to the database.
func starvedPool(s *service, each float64) {
	for name, line := range map[string]string{"GET /citas": "(*Store).List", "POST /citas": "(*Store).Reserve", "GET /medicos/{id}": "(*Store).Doctor"} {
		s.endpoint(name).parts["conn"] = &part{each: moved{0, each}, frames: stack(sqlPool, own(line, 39))}
	}
	s.level("pool_connections", moved{2, 10}, "pool", "main", "state", "used")
	s.level("pool_connections", moved{4, 0}, "pool", "main", "state", "idle")
	s.count("pool_wait_time", moved{0, 60 * each}, "pool", "main")
	s.count("pool_waits", moved{0, 60}, "pool", "main")
}

func nobodyGetsOne(s *service) {
	for _, e := range s.endpoints {
		if e.parts["query"] != nil {
			e.parts["query"].each.after = 0
		}
	}
}

var exhaustedFaults = []fault{
	{"rows are not closed", func(s *service) {
		starvedPool(s, 0.5)
		s.part("GET /informes", "query").each = same(0.08)
		rows := standing{moved{0, 9}, map[string]string{"started_by": "GET /informes"}, awaitDone}
		s.waits = append(s.waits, rows)
	}, "pool", "clinic.(*Store).Totals", ""},
	{"new code does not close its rows", func(s *service) {
		starvedPool(s, 0.5)
		s.endpoint("GET /informes").requests = same(8)
		s.endpoint("GET /informes").parts["conn"] = &part{each: moved{0, 0.5}, frames: stack(sqlPool, own("(*Store).Archived", 160))}
		nobodyGetsOne(s)
	}, "pool", "clinic.(*Store).Archived", ""},
	{"the same, while code that few ask for waits too", func(s *service) {
		starvedPool(s, 0.5)
		s.endpoint("GET /informes").requests = same(8)
		s.endpoint("GET /informes").parts["conn"] = &part{each: moved{0, 0.5}, frames: stack(sqlPool, own("(*Store).Archived", 160))}
		rare := s.endpoint("GET /seldom", 0.02)
		rare.parts["conn"] = &part{each: moved{0, 40}, frames: stack(sqlPool, own("(*Store).Seldom", 170))}
		nobodyGetsOne(s)
	}, "pool", "clinic.(*Store).Archived", ""},
	{"new code does not close its rows, for requests that few send", func(s *service) {
		starvedPool(s, 0.5)
		s.endpoint("GET /informes").requests = same(0.2)
		s.part("GET /informes", "query").each = same(0.3)
		s.endpoint("GET /informes").parts["conn"] = &part{each: moved{0, 9}, frames: stack(sqlPool, own("(*Store).Archived", 160))}
		nobodyGetsOne(s)
	}, "pool", "clinic.(*Store).Archived", ""},
	{"a connection of one's own is not given back", func(s *service) {
		starvedPool(s, 0.5)
		s.endpoint("GET /medicos/{id}").parts["conn"].frames = stack(sqlPool[:len(parked)+2], []string{
			"database/sql.(*DB).Conn.func1 sql.go:1990", "database/sql.(*DB).retry sql.go:1576", "database/sql.(*DB).Conn sql.go:1989"}, own("(*Store).Doctor", 44))
		nobodyGetsOne(s)
	}, "pool", "clinic.(*Store).Doctor", ""},
	{"rows without a context are not closed", func(s *service) {
		starvedPool(s, 0.5)
		s.endpoint("GET /medicos/{id}").parts["conn"].frames = stack(sqlPool, []string{"database/sql.(*DB).Query sql.go:1758"}, own("(*Store).Doctor", 44))
		nobodyGetsOne(s)
	}, "pool", "clinic.(*Store).Doctor", ""},
	{"a connection is held during a call", func(s *service) {
		starvedPool(s, 0.5)
		s.endpoint("POST /citas").parts["notify"] = &part{each: moved{0, 0.8}, frames: stack(httpCall, own("(*Store).Reserve", 95)), peer: "avisos.example.com", calls: moved{0, 1}}
		rows := standing{moved{0.1, 8}, map[string]string{"started_by": "POST /citas"}, stack(selecting, []string{"database/sql.(*Tx).awaitDone sql.go:2212"})}
		s.waits = append(s.waits, rows)
	}, "pool", "clinic.(*Store).Reserve", ""},
	{"another process has the lock of a database in a file", func(s *service) {
		starvedPool(s, 0.5)
		s.endpoint("POST /citas").parts["locked"] = &part{each: moved{0, 0.8}, frames: stack(selecting, []string{"modernc.org/sqlite.busyHandler conn.go:300",
			"modernc.org/sqlite.(*tx).exec tx.go:94", "modernc.org/sqlite.(*conn).BeginTx conn.go:1500", "database/sql.(*DB).BeginTx sql.go:1898"}, own("(*Store).Reserve", 81))}
	}, "pool", "waits for the database's lock", "en"},
	{"a transaction that was left open has the lock of a database in a file", func(s *service) {
		starvedPool(s, 0.5)
		nobodyGetsOne(s)
		begins := stack(selecting, []string{"modernc.org/sqlite.busyHandler conn.go:300", "modernc.org/sqlite.(*conn).BeginTx conn.go:1500", "database/sql.(*DB).BeginTx sql.go:1898"})
		s.endpoint("POST /citas").parts["begins"] = &part{each: moved{0, 0.8}, frames: stack(begins, own("(*Store).Reserve", 81))}
		awaitDone := stack(chanReceive, []string{"database/sql.(*Tx).awaitDone sql.go:2212"})
		s.waits = append(s.waits, standing{moved{0.02, 1}, map[string]string{"started_by": "POST /citas"}, awaitDone}, standing{same(1.2), map[string]string{"started_by": "GET /informes"}, awaitDone})
	}, "pool", "locked by a transaction that requests to POST /citas left open in clinic.(*Store).Reserve", "en"},
	{"the same, while others wait within theirs", func(s *service) {
		starvedPool(s, 0.5)
		nobodyGetsOne(s)
		writes := stack(selecting, []string{"modernc.org/sqlite.busyHandler conn.go:300", "modernc.org/sqlite.(*conn).exec conn.go:94", "database/sql.(*Tx).ExecContext sql.go:2500"})
		s.endpoint("POST /citas").parts["writes"] = &part{each: moved{0, 0.4}, frames: stack(writes, own("(*Store).Reserve", 81))}
		s.endpoint("GET /informes").parts["conn"] = &part{each: moved{0, 0.5}, frames: stack(sqlPool, own("(*Store).Archive", 160))}
		s.waits = append(s.waits,
			standing{moved{0.02, 1}, map[string]string{"started_by": "GET /informes"}, stack(chanReceive, []string{"database/sql.(*Tx).awaitDone sql.go:2212"})},
			standing{moved{0.02, 4}, map[string]string{"started_by": "POST /citas"}, stack(chanReceive, []string{"database/sql.(*Tx).awaitDone sql.go:2212"})})
	}, "pool", "locked by a transaction that requests to GET /informes left open in clinic.(*Store).Archive", "en"},
	{"a pool is too small", func(s *service) {
		starvedPool(s, 0.3)
		s.level("pool_connections", moved{2, 1}, "pool", "main", "state", "used")
		s.level("pool_connections_max", moved{10, 1}, "pool", "main")
	}, "pool", "main", ""},
	{"a limiter lets too few through", func(s *service) {
		s.endpoint("POST /citas").parts["limit"] = &part{each: moved{0.0001, 0.4}, frames: stack(rateLimit, own("(*API).reserve", 93))}
	}, "limiter", "clinic.(*API).reserve", ""},
	{"a semaphore of a library lets too few through", func(s *service) {
		s.endpoint("GET /informes").parts["limit"] = &part{each: moved{0.0001, 1.4}, frames: stack(semaphore, own("report.Totals", 15))}
	}, "limiter", "report.Totals", ""},
	{"a channel of workers is full", func(s *service) {
		s.endpoint("POST /citas").parts["hand"] = &part{each: moved{0.0001, 0.7}, frames: stack(chanSend, own("(*Mailer).Send", 52))}
		s.waits = append(s.waits, standing{moved{0.02, 1}, nil, stack(sleeping, own("(*Mailer).deliver", 71), own("(*Mailer).run", 60))})
	}, "handover", "clinic.(*Mailer).deliver", ""},
	{"a worker that took from a channel before is stuck, while others of the package wait for more", func(s *service) {
		s.endpoint("POST /citas").parts["hand"] = &part{each: moved{0.0001, 0.7}, frames: stack(chanSend, own("(*Mailer).Send", 52))}
		s.waits = append(s.waits, standing{moved{0.2, 0}, nil, stack(chanReceive, own("(*Mailer).run", 58))},
			standing{moved{0.8, 1}, nil, stack(fileSync, own("(*Mailer).store", 71), own("(*Mailer).run", 60))},
			standing{moved{2, 8}, nil, stack(httpCall, own("(*Crawler).fetch", 20))}, standing{moved{1, 0}, nil, stack(selecting, []string{"net/http.(*Client).do client.go:729"}, own("(*Crawler).fetch", 20))})
	}, "handover", "clinic.(*Mailer).store", ""},
	{"workers that take from a channel are stuck, while the sender calls a host before as ever", func(s *service) {
		s.endpoint("POST /citas").parts["hand"] = &part{each: moved{0.0001, 0.7}, frames: stack(chanSend, own("(*API).reserve", 99))}
		s.part("POST /citas", "pay").frames = stack(httpCall, own("(*Payments).Charge", 33), own("(*API).reserve", 80))
		s.waits = append(s.waits, standing{moved{0.02, 4}, nil, stack(polling, []string{"bufio.(*Reader).fill bufio.go:113"}, own("(*Mailer).deliver", 71), own("(*Mailer).run", 60))})
	}, "handover", "clinic.(*Mailer).deliver", ""},
	{"a channel gives no answer", func(s *service) {
		s.endpoint("POST /citas").parts["answer"] = &part{each: moved{0.0001, 0.7}, frames: stack(chanReceive, own("(*Prices).Ask", 22))}
	}, "handover", "clinic.(*Prices).Ask", ""},
	{"a worker that is not seen answers late, while somewhat more requests come", func(s *service) {
		s.traffic(1.4)
		s.endpoint("POST /citas").parts["answer"] = &part{each: moved{0.01, 0.7}, frames: stack(selecting, own("(*Filing).File", 100))}
	}, "handover", "clinic.(*Filing).File", ""},
	{"a pool of pgx is exhausted", func(s *service) {
		for name, frame := range map[string]string{"GET /citas": "(*Store).List", "POST /citas": "(*Store).Reserve"} {
			s.endpoint(name).parts["conn"] = &part{each: moved{0, 0.4}, frames: stack(selecting,
				[]string{"golang.org/x/sync/semaphore.(*Weighted).Acquire semaphore.go:74", "github.com/jackc/puddle/v2.(*Pool[go.shape.*uint8]).acquire pool.go:350", "github.com/jackc/puddle/v2.(*Pool[go.shape.*uint8]).Acquire pool.go:300", "github.com/jackc/pgx/v5/pgxpool.(*Pool).Acquire pool.go:550", "github.com/jackc/pgx/v5/pgxpool.(*Pool).Query pool.go:600"}, own(frame, 39))}
		}
	}, "pool", "pgxpool", ""},
	{"connections to a host are limited (MaxConnsPerHost)", func(s *service) {
		s.endpoint("POST /citas").parts["conn"] = &part{each: moved{0, 0.5}, peer: "pagos.example.com", frames: stack(httpConn, own("(*Payments).Charge", 33))}
	}, "pool", "clinic.(*Payments).Charge", ""},
	{"goroutines of a request wait for each other", func(s *service) {
		s.endpoint("GET /informes").parts["group"] = &part{each: moved{0.001, 1.2}, frames: stack(groupWait, own("report.Gather", 70))}
	}, "handover", "report.Gather", ""},
	{"the goroutines that a request waits for wait for a connection", func(s *service) {
		s.endpoint("GET /informes").parts["group"] = &part{each: moved{0.05, 1.2}, frames: stack(groupWait, own("report.Gather", 70))}
		s.waits = append(s.waits,
			standing{moved{0.1, 9}, map[string]string{"started_by": "GET /informes"}, stack(sqlPool, own("report.Gather.func1", 75))})
	}, "pool", "report.Gather", ""},
	{"the same, while the function that waits for them calls a host as ever", func(s *service) {
		s.endpoint("GET /informes").parts["group"] = &part{each: moved{0.05, 1.2}, frames: stack(groupWait, own("report.Gather", 70))}
		s.endpoint("GET /informes").parts["notify"] = &part{each: same(0.4), frames: stack(httpCall, own("report.Gather", 66)), peer: "avisos.example.com", calls: same(1)}
		s.waits = append(s.waits,
			standing{moved{0.1, 9}, map[string]string{"started_by": "GET /informes"}, stack(sqlPool, own("report.Gather.func1", 75))})
	}, "pool", "report.Gather", ""},
	// Rivals.
	{"goroutines that a request waits for call a host that became slow", func(s *service) {
		s.endpoint("GET /informes").parts["group"] = &part{each: moved{0.05, 1.2}, frames: stack(groupWait, own("report.Gather", 70))}
		s.count("client_requests", moved{10, 10}, "peer", "correo.example.com", "status", "2xx")
		s.set(series{key: "client_duration", suffix: "_count", counter: true, value: moved{10, 10}, labels: pairs([]string{"peer", "correo.example.com"})})
		s.set(series{key: "client_duration", suffix: "_sum", counter: true, value: moved{0.5, 12}, labels: pairs([]string{"peer", "correo.example.com"})})
		s.waits = append(s.waits, standing{moved{2, 5}, nil, stack(chanReceive, own("(*Mailer).run", 58))},
			standing{moved{2.2, 2.4}, map[string]string{"peer": "correo.example.com", "started_by": "GET /informes"}, stack(httpCall, own("(*Mailer).ask", 71), own("report.Gather.func1", 75))})
	}, "dependency", "correo.example.com", ""},
	{"the database is slow, and its pool is full", func(s *service) {
		starvedPool(s, 0.2)
		for _, name := range []string{"GET /citas", "POST /citas", "GET /medicos/{id}"} {
			s.part(name, "query").each.after = 0.14
		}
	}, "dependency", "", ""},
	{"a transport opens too few connections to a host", func(s *service) {
		s.endpoint("POST /citas").parts["conn"] = &part{each: moved{0, 0.6}, frames: stack(httpConn, own("(*Payments).Charge", 33)), peer: "pagos.example.com"}
	}, "pool", "http.Transport's pool of connections to pagos.example.com (MaxConnsPerHost) is exhausted; 6 requests wait", "en"},
	{"the same, while one is opened now and then", func(s *service) {
		s.endpoint("POST /citas").parts["conn"] = &part{each: moved{0, 0.6}, frames: stack(httpConn, own("(*Payments).Charge", 33)), peer: "pagos.example.com"}
		s.waits = append(s.waits, standing{moved{0, 0.15}, map[string]string{"peer": "pagos.example.com"}, dialing})
	}, "pool", "clinic.(*Payments).Charge", ""},
	{"a host is slow, and its transport opens no more connections", func(s *service) {
		s.part("POST /citas", "pay").each.after = 0.6
		s.endpoint("POST /citas").parts["conn"] = &part{each: moved{0, 0.6}, frames: stack(httpConn, own("(*Payments).Charge", 33)), peer: "pagos.example.com"}
	}, "dependency", "pagos.example.com answers slowly", "en"},
	{"each call opens a connection, for which its name is looked up", func(s *service) {
		s.endpoint("POST /citas").parts["conn"] = &part{each: moved{0, 0.3}, frames: stack(httpConn, own("(*Payments).Charge", 33)), peer: "pagos.example.com"}
		s.waits = append(s.waits, standing{moved{0, 3}, map[string]string{"peer": "pagos.example.com"}, dialing})
	}, "dependency", "The name pagos.example.com resolves slowly (DNS)", "en"},
	{"the same, while another host takes connections slowly as ever", func(s *service) {
		s.endpoint("POST /citas").parts["conn"] = &part{each: moved{0, 0.3}, frames: stack(httpConn, own("(*Payments).Charge", 33)), peer: "pagos.example.com"}
		s.waits = append(s.waits, standing{moved{0, 3}, map[string]string{"peer": "pagos.example.com"}, dialing}, standing{same(20), map[string]string{"peer": "fotos.example.com"}, connecting})
	}, "dependency", "The name pagos.example.com resolves slowly (DNS)", "en"},
	{"a host takes connections slowly, while the name of another is looked up as ever", func(s *service) {
		s.endpoint("POST /citas").parts["conn"] = &part{each: moved{0, 0.3}, frames: stack(connecting, own("(*Payments).Charge", 33)), peer: "pagos.example.com"}
		s.waits = append(s.waits, standing{same(20), map[string]string{"peer": "fotos.example.com"}, dialing})
	}, "dependency", "Connections to pagos.example.com open slowly", "en"},
	{"connections of pgx's pool are not given back, while rare code waits too", func(s *service) {
		waiting := func(call string) []string {
			return stack(selecting, []string{"github.com/jackc/puddle/v2.(*Pool[go.shape.struct {}]).acquire pool.go:360", "github.com/jackc/pgx/v5/pgxpool.(*Pool).Acquire pool.go:550"}, stack([]string{call}))
		}
		for name, line := range map[string]string{"GET /citas": "(*Store).List", "POST /citas": "(*Store).Reserve"} {
			s.endpoint(name).parts["conn"] = &part{each: moved{0, 0.5}, frames: stack(waiting("github.com/jackc/pgx/v5/pgxpool.(*Pool).Query pool.go:700"), own(line, 39))}
		}
		s.endpoint("GET /citas").parts["rare"] = &part{each: moved{0, 0.05}, frames: stack(waiting("github.com/jackc/pgx/v5/pgxpool.(*Pool).QueryRow pool.go:720"), own("(*Store).Seldom", 82))}
		s.endpoint("GET /medicos/{id}").parts["conn"] = &part{each: moved{0, 0.5}, frames: stack(waiting("github.com/jackc/pgx/v5/pgxpool.(*Pool).Acquire pool.go:540")[:5], own("(*Store).Doctor", 120))}
		nobodyGetsOne(s)
	}, "pool", "only clinic.(*Store).Doctor (store.go:120) calls pgxpool.(*Pool).Acquire", "en"},
	{"more traffic fills the pool", func(s *service) {
		s.traffic(5)
		starvedPool(s, 0.3)
	}, "traffic", "", ""},
	{"a worker waits for a host that became slow", func(s *service) {
		s.endpoint("POST /citas").parts["hand"] = &part{each: moved{0.0001, 0.7}, frames: stack(chanSend, own("(*Mailer).Send", 52))}
		s.count("client_requests", moved{10, 1.2}, "peer", "correo.example.com", "status", "2xx")
		s.set(series{key: "client_duration", suffix: "_count", counter: true, value: moved{10, 1.2}, labels: pairs([]string{"peer", "correo.example.com"})})
		s.set(series{key: "client_duration", suffix: "_sum", counter: true, value: moved{0.05, 1}, labels: pairs([]string{"peer", "correo.example.com"})})
		s.waits = append(s.waits, standing{moved{0.05, 1}, map[string]string{"peer": "correo.example.com", "started_by": "GET /citas"}, stack(httpCall, own("(*Mailer).deliver", 71), own("(*Mailer).run", 60))})
	}, "dependency", "correo.example.com", ""},
}

func TestExhausted(t *testing.T) { try(t, exhaustedFaults) }

// TestBlamesNobody: who has nothing of what others wait for is not named.
func TestBlamesNobody(t *testing.T) {
	for _, c := range []struct {
		fault
		innocent string
	}{
		// The transactions that are open are all at the database.
		{fault{name: "a long transaction after a call", tell: func(s *service) {
			starvedPool(s, 0.5)
			s.endpoint("POST /citas").parts["notify"] = &part{each: moved{0.2, 0.3}, frames: stack(httpCall, own("(*Store).Reserve", 61)), peer: "avisos.example.com", calls: same(1)}
			s.part("POST /citas", "query").each = moved{0.005, 0.2}
			s.waits = append(s.waits, standing{moved{0.03, 1}, map[string]string{"started_by": "POST /citas"}, stack(selecting, []string{"database/sql.(*Tx).awaitDone sql.go:2212"})})
		}}, "avisos.example.com"},
		// Whoever holds up all others would be at it all the time.
		{fault{name: "a channel that nobody takes from, while a job runs now and then", tell: func(s *service) {
			s.endpoint("POST /citas").parts["hand"] = &part{each: moved{0.0001, 0.7}, frames: stack(chanSend, own("(*Mailer).Send", 52))}
			s.waits = append(s.waits, standing{moved{0, 0.3}, nil, stack(sleeping, own("(*Store).CleanUp", 140), own("(*Jobs).run", 12))})
		}}, "CleanUp"},
		// More connections are open while more requests are.
		{fault{name: "what stands out while requests take longer, far from the limit of open files", tell: func(s *service) {
			s.part("POST /citas", "pay").each.after = 0.4
			s.level("process_open_fds", moved{40, 150})
			s.alert, s.lasts = cause.Alert{}, minute
		}}, "1024"},
		// Whoever has no CPU has its turns late.
		{fault{name: "another process takes the CPU", tell: func(s *service) {
			waitForCPU(s, 0.2)
			s.others = moved{0.2, 3.7}
			s.count("process_stalled_time", moved{0, 0.4})
		}}, "stalled"},
	} {
		everyway(t, c.fault, func(t *testing.T, s *service, r cause.Result) {
			for _, f := range r.Findings {
				if strings.Contains(f.Kind+" "+f.Sentence, c.innocent) {
					t.Errorf("%s blames %s: %s", f.Kind, c.innocent, f.Sentence)
				}
			}
		})
	}
}
