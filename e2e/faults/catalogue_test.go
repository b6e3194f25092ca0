package faults

import (
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// scenario is a fault, how it is made, and what it is.
type scenario struct {
	name string
	what string // for the document: what is done
	// elsewhere is where it shows, if it is not where it is.
	elsewhere string
	// distractor is what happens at the same moment and is harmless.
	distractor string
	setting    setting
	inject     func(*world)
	truth      truth
	// able tells whether this machine can do it; nil means every one can.
	able func() bool
	// cheap ones are run with the other tests.
	cheap bool
	// busy ones take all CPUs, and are run alone; those of the host are about
	// other processes.
	busy, host bool
}

// service breaks the service itself.
func service(faults string) func(*world) {
	return func(w *world) { w.breaks("parcel-api", faults) }
}

// peer breaks one of the programs that it depends on.
func peer(name, faults string) func(*world) {
	return func(w *world) { w.breaks(name, faults) }
}

// clients change what the clients do.
func clients(change func(*traffic)) func(*world) {
	return func(w *world) {
		tr := usual()
		change(&tr)
		w.load.change(tr)
	}
}

// both does two things, one right after the other.
func both(first, second func(*world)) func(*world) {
	return func(w *world) { first(w); second(w) }
}

// The distractors.
var (
	twice    = clients(func(tr *traffic) { tr.rate *= 2 })
	released = func(w *world) { w.release("1.1.0", "") }
	flagged  = func(w *world) { w.set("receipt_footer", "Thank you") }
)

const (
	twiceTheTraffic = "twice the traffic"
	aRelease        = "a release"
	aFlag           = "a setting is changed"
)

// harmless is a sentence that begins with the distractor.
var harmless = []string{`^(the )?(version|release|deploy|receipt_footer|setting)`}

// scenarios are all faults.
func scenarios() []scenario { return slices.Concat(ofPeers(), ofDatabase(), ofCode(), ofAround()) }

// ofPeers are those of what the service depends on, and of how it asks.
func ofPeers() []scenario {
	return []scenario{{
		name: "slow_downstream", what: "rates.internal takes 900 ms for each answer, instead of 20 to 120 ms", cheap: true,
		inject: peer("rates", "latency=900ms"),
		truth:  truth{thing: []string{`rates\.internal`, `slow|takes|took|latency|longer|wait`}, place: []string{`rates\.internal`}},
	}, {
		name: "slow_downstream_release", what: "the same, while a release without changes is rolled out", distractor: aRelease,
		inject: both(peer("rates", "latency=900ms"), released),
		truth:  truth{thing: []string{`rates\.internal`, `slow|takes|took|latency|longer|wait`}, place: []string{`rates\.internal`}, not: harmless},
	}, {
		name: "failing_downstream", what: "geo.internal answers 503 to whatever is asked", cheap: true,
		inject: peer("geo", "fail"),
		truth:  truth{thing: []string{`geo\.internal`, `fail|503|5xx|error`}, place: []string{`geo\.internal`}},
	}, {
		name: "failing_downstream_traffic", what: "rates.internal answers 503, while there is twice the traffic", distractor: twiceTheTraffic,
		inject: both(peer("rates", "fail"), twice),
		truth:  truth{thing: []string{`rates\.internal`, `fail|503|5xx|error`}, place: []string{`rates\.internal`}},
	}, {
		name: "refused_downstream", what: "the process of rates.internal is gone: connections are refused",
		inject: func(w *world) { w.rates.Signal(w, syscall.SIGKILL) },
		truth:  truth{thing: []string{`rates\.internal`, `refused|connect|fail|unreachable|error|no answer`}, place: []string{`rates\.internal`}},
	}, {
		name: "retry_storm", what: "rates.internal fails nine times in ten, and the service tries again up to 100 times without a pause",
		inject: both(peer("rates", "flaky latency=80ms"), service("retry_storm")),
		truth: truth{thing: []string{`rates\.internal`, `retr|calls|requests|times|503|fail`},
			place: []string{`rates\.internal`, `rates\.go`}},
	}, {
		name: "cache_ttl", what: "the cache of places forgets at once: each tracking asks geo.internal twelve times instead of once in a while",
		inject: service("cache_ttl"), cheap: true,
		truth: truth{thing: []string{`geo\.internal|geo\.go`, `more often|calls|more requests|per request|cache|×|times`}, place: []string{`geo\.internal`, `geo\.go`}},
	}, {
		name: "cache_ttl_traffic", what: "the same, while there is twice the traffic", distractor: twiceTheTraffic,
		inject: both(service("cache_ttl"), twice),
		truth:  truth{thing: []string{`geo\.internal|geo\.go`, `more often|calls|more requests|per request|cache|×|times`}, place: []string{`geo\.internal`, `geo\.go`}},
	}, {
		name: "slow_dns", what: "the DNS server takes 700 ms, and rates.internal closes its connections, as while it is replaced",
		inject: both(peer("dns", "latency=700ms"), peer("rates", "close")),
		truth:  truth{thing: []string{`dns|look|resol|dial|connect`}, place: []string{`rates\.internal`, `client\.go`, `rates\.go`}},
	}, {
		name: "bodies_open", what: "the bodies of the rates' answers are not closed: each quote leaves three connections behind, with two goroutines each",
		elsewhere: "goroutines of net/http, which belong to no request",
		inject:    service("bodies_open"),
		truth:     truth{thing: []string{`connection|goroutine|body|bodies|persistConn|files`}, place: []string{`rates\.go`, `rates\.internal`, `GET /quotes`, ` /quotes`}},
	}}
}

// ofDatabase are those of SQLite and its pools.
func ofDatabase() []scenario {
	sql := func(statement string) func(*world) {
		return func(w *world) {
			base, _ := built()
			if out, err := exec.Command(filepath.Join(base, "parcels"), "sql", "-data", w.dir, statement).CombinedOutput(); err != nil {
				w.Fatalf("%s: %v\n%s", statement, err, out)
			}
		}
	}
	drop := sql("DROP INDEX scans_by_shipment")
	return []scenario{{
		name: "n_plus_one", what: "a list of 200 shipments asks the database 1,001 times instead of once",
		inject: service("n_plus_one"),
		truth: truth{thing: []string{`more often|calls for each|(queries|statements|calls) (per|a) request|times for each`},
			place: []string{`list\.go`, `SELECT count\(\*\) FROM scans`, `/customers/\{customer\}/shipments`}},
	}, {
		name: "missing_index", what: "the index of the scans by shipment is dropped: each tracking reads the whole table", busy: true,
		elsewhere: "every endpoint that reads waits for the pool",
		inject:    drop,
		truth:     truth{thing: []string{`SELECT|query|statement|database|\.history|\.recent`}, place: []string{`track\.go`, `list\.go`, `FROM scans`}},
	}, {
		name: "missing_index_release", what: "the same, while a release without changes is rolled out", distractor: aRelease, busy: true,
		elsewhere: "every endpoint that reads waits for the pool",
		inject:    both(released, drop),
		truth:     truth{thing: []string{`SELECT|query|statement|database|\.history|\.recent`}, place: []string{`track\.go`, `list\.go`, `FROM scans`}, not: harmless},
	}, {
		name: "rows_open", what: "the load of a depot leaves its rows open: after four requests the pool of four is empty",
		elsewhere: "lists and trackings wait for a connection for ever",
		inject:    service("rows_open"),
		truth:     truth{thing: []string{`pool|connections`, `in use|exhausted|free|given back|returned|wait`}, place: []string{`depot\.go`, `/depots/\{depot\}/load`}},
	}, {
		name: "tx_held", what: "a booking holds its transaction, and the one connection that writes, while it asks rates.internal",
		elsewhere: "scans wait for the connection",
		inject:    service("tx_held"),
		truth:     truth{thing: []string{`pool|connection|transaction`}, place: []string{`book\.go`, `POST /shipments`, `confirmAndStore`}},
	}, {
		name: "tx_held_traffic", what: "the same, while there is twice the traffic", distractor: twiceTheTraffic,
		elsewhere: "scans wait for the connection",
		inject:    both(service("tx_held"), twice),
		truth:     truth{thing: []string{`pool|connection|transaction`}, place: []string{`book\.go`, `POST /shipments`, `confirmAndStore`}},
	}, {
		name: "large_tenant", what: "one customer of five books shipments of 20,000 pieces, each of which is a row",
		elsewhere: "scans wait for the connection that writes",
		inject:    clients(func(tr *traffic) { tr.pieces = map[string]int{"delphi": 20_000} }),
		truth:     truth{thing: []string{`delphi`}, place: []string{`delphi`}},
	}}
}

// ofCode are those of the service's own code and of its locks.
func ofCode() []scenario {
	return []scenario{{
		name: "regexps", what: "each booking compiles 12,000 regular expressions", busy: true,
		inject: service("regexps"),
		truth:  truth{thing: []string{`CPU|comput`}, place: []string{`address\.go`}},
	}, {
		name: "regexps_traffic", what: "the same, while there is twice the traffic", distractor: twiceTheTraffic, busy: true,
		inject: both(service("regexps"), twice),
		truth:  truth{thing: []string{`CPU|comput`}, place: []string{`address\.go`}},
	}, {
		name: "concatenation", what: "a manifest is put together by += : 1.2 GB of short-lived text each", busy: true,
		inject: service("concatenation"),
		truth:  truth{thing: []string{`alloc|garbage|GC|concat`}, place: []string{`manifest\.go`}},
	}, {
		name: "grows", what: "the audit trail keeps 300 kB of each request in a map; GOMEMLIMIT is 160 MiB", setting: setting{env: []string{"GOMEMLIMIT=160MiB"}},
		inject: service("grows"),
		truth:  truth{thing: []string{`memory|heap|held|holds|kept|keeps`}, place: []string{`audit\.go`}},
	}, {
		name: "grows_traffic", what: "the same, while there is twice the traffic", distractor: twiceTheTraffic, setting: setting{env: []string{"GOMEMLIMIT=160MiB"}},
		inject: both(service("grows"), twice),
		truth:  truth{thing: []string{`memory|heap|held|holds|kept|keeps`}, place: []string{`audit\.go`}},
	}, {
		name: "lock_io", what: "the refresher of tariffs holds its lock while it fetches them from rates.internal, for 800 ms",
		elsewhere: "quotes and bookings wait for the lock",
		inject:    service("lock_io"),
		truth:     truth{thing: []string{`lock|mutex|held|holds`}, place: []string{`tariffs\.go:[3-6]\d`, `Tariffs\)?\.Refresh`}},
	}, {
		name: "lock_io_release", what: "the same, begun by nothing in the release that is rolled out a moment before", distractor: aRelease,
		elsewhere: "quotes and bookings wait for the lock",
		inject:    both(released, service("lock_io")),
		truth:     truth{thing: []string{`lock|mutex|held|holds`}, place: []string{`tariffs\.go:[3-6]\d`, `Tariffs\)?\.Refresh`}, not: harmless},
	}, {
		name: "write_lock", what: "the compaction of the places holds the write lock for 700 ms of each second, while it encodes and syncs a file",
		elsewhere: "trackings wait for the lock",
		inject:    service("write_lock"),
		truth:     truth{thing: []string{`lock|mutex|held|holds`}, place: []string{`Geocoder\)?\.(compact|Snapshot)`, `geo\.go:1[0-4]\d`}},
	}, {
		name: "sorts_locked", what: "each request sorts 450,000 numbers under the one lock of the usage", busy: true,
		inject: service("sorts_locked"),
		truth:  truth{thing: []string{`lock|mutex|CPU|comput`}, place: []string{`usage\.go`}},
	}, {
		name: "limiter", what: "the limiter of the printers lets one label a second through, instead of 100",
		inject: service("limiter"), cheap: true,
		truth: truth{thing: []string{`limit|wait|rate`}, place: []string{`label\.go`}},
	}, {
		name: "limiter_flag", what: "the same, while the footer of receipts is changed", distractor: aFlag,
		inject: both(flagged, service("limiter")),
		truth:  truth{thing: []string{`limit|wait|rate`}, place: []string{`label\.go`}, not: harmless},
	}, {
		name: "slots", what: "a label in a format that is refused keeps its slot: after four the printers are all taken",
		inject: service("slots"),
		truth:  truth{thing: []string{`wait|semaphore|channel|select|slot|exhausted`}, place: []string{`label\.go`}},
	}, {
		name: "nobody_receives", what: "each tracking starts eight goroutines that send to a channel from which nobody receives",
		inject: service("nobody_receives"),
		truth:  truth{thing: []string{`goroutine`}, place: []string{`notify\.go`}},
	}, {
		name: "refuse_all_flag", what: "the validation refuses each zone, while the footer of receipts is changed", distractor: aFlag,
		inject: both(flagged, service("refuse_all")),
		truth:  truth{thing: []string{`422|4xx`}, place: []string{`POST /shipments`, `book\.go`}, not: harmless},
	}, {
		name: "panic", what: "the list of a customer without shipments reads past the end of a slice",
		inject: both(clients(func(tr *traffic) { tr.empty = true }), service("panic")), cheap: true,
		truth: truth{thing: []string{`panic|index out of range`}, place: []string{`list\.go`}},
	}, {
		name: "refuse_all", what: "the validation refuses each zone: every booking is answered 422",
		inject: service("refuse_all"),
		truth:  truth{thing: []string{`422|4xx`}, place: []string{`POST /shipments`, `book\.go`}},
	}, {
		name: "event_lost", what: "bookings succeed, and are no longer counted",
		inject: service("event_lost"),
		truth: truth{thing: []string{`shipments_booked`, `requests?.*(as before|as usual|succeed|unchanged|same|steady|go on|still)|not (counted|recorded)|without`},
			place: []string{`POST /shipments`, `shipments_booked`}},
	}, {
		name: "bad_release", what: "version 2.0.0 is rolled out, which computes the time of arrival of each parcel", busy: true,
		inject: func(w *world) { w.release("2.0.0", "arrival") },
		truth:  truth{thing: []string{`2\.0\.0`, `CPU|comput`}, place: []string{`arrival\.go`}},
	}}
}

// ofAround are those of the machine, and of the clients.
func ofAround() []scenario {
	return []scenario{{
		name: "burner", what: "four other processes with 32 threads use all CPUs", busy: true, host: true,
		elsewhere: "every endpoint",
		inject: func(w *world) {
			base, _ := built()
			for range 4 {
				cmd := exec.Command(filepath.Join(base, "parcels"), "burn", "-threads", "8")
				if err := cmd.Start(); err != nil {
					w.Fatal(err)
				}
				w.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
				beside(w, cmd.Process.Pid)
			}
		},
		truth: truth{thing: []string{`another process|other process|outside (of )?this process|elsewhere|beside`}, place: []string{`host|machine|process`}},
	}, {
		name: "quota", what: "the container's limit on CPU time is lowered from two CPUs to a tenth of one", setting: setting{limit: true}, able: quotas,
		elsewhere: "every endpoint",
		inject:    func(w *world) { setLimit(w, w.service.PID(), 10) },
		truth:     truth{thing: []string{`throttl|quota|limit`}, place: []string{`CPU`}},
	}, {
		name: "disk_full", what: "printed labels are archived instead of deleted, until the disk of 24 MiB is full", able: smallDisk,
		inject: service("no_purge"),
		truth:  truth{thing: []string{`no space|ENOSPC|disk|full`}, place: []string{`label\.go`, `/labels`, `archive\.tar`}},
	}, {
		name: "log_blocks", what: "what reads the log, a pipe, stops reading", setting: setting{pipe: true}, able: pipes,
		elsewhere: "every endpoint",
		inject:    func(*world) { stalled.Store(true) },
		truth:     truth{thing: []string{`log|slog|write`}, place: []string{`log\.go`, `logRequest`}},
	}, {
		name: "log_blocks_traffic", what: "the same, while there is twice the traffic", distractor: twiceTheTraffic, setting: setting{pipe: true}, able: pipes,
		elsewhere: "every endpoint",
		inject:    both(func(*world) { stalled.Store(true) }, twice),
		truth:     truth{thing: []string{`log|slog|write`}, place: []string{`log\.go`, `logRequest`}},
	}, {
		name: "traffic", what: "forty times the requests, in the same mix", busy: true,
		inject: clients(func(tr *traffic) { tr.rate *= 40 }),
		truth:  truth{thing: []string{`more requests|traffic|requests (grew|rose|went)`}, place: []string{`traffic|requests`}},
	}, {
		name: "traffic_stops", what: "no booking comes any more; all else goes on",
		inject: clients(func(tr *traffic) { tr.weights["book"] = 0 }),
		truth:  truth{thing: []string{`(no|fewer) (more )?requests|requests (stopped|fell)|traffic`}, place: []string{`POST /shipments`, `shipments_booked`}},
	}, {
		name: "clients_give_up", what: "the clients wait 100 ms instead of 5 s, which is less than a booking takes",
		inject: clients(func(tr *traffic) { tr.timeout = 100 * time.Millisecond }),
		truth:  truth{thing: []string{`client`, `499|give up|gave up|left|cancel`}, place: []string{`POST /shipments`}},
	}}
}
