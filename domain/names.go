package domain

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/latido-dev/latido/internal/promname"
)

// Other is the attribute value that stands for every value that the domain
// does not list. MethodOther stands likewise for an HTTP method or status
// outside the standard, Unmatched for a request that no route matched.
const (
	Other       = "_other"
	MethodOther = "_OTHER"
	Unmatched   = "unmatched"
)

// MaxCombinations is how many combinations of attribute values one event may
// have, Other included in each attribute. InitialSeries is up to how many of
// them exist at 0 from the start, so that increase() sees the first event; the
// series of an event with more appear when they are first counted. MaxSeries is
// how many series in Prometheus all events together may have; see Metric.Series.
const (
	MaxCombinations = 10_000
	InitialSeries   = 1_000
	MaxSeries       = 100_000
)

// BuiltinErrors are the error types that every service counts by name.
func BuiltinErrors() []string { return slices.Clone(builtinErrors) }

var builtinErrors = []string{"panic", "aborted", "timeout", "canceled", "validation", "not_found", "conflict", "internal",
	"disk_full", "too_many_files", "connection_refused"}

// ClientStatuses are the values of the label status of client.requests: the
// class of an answer, or why there was none. Four answers are by themselves and
// not in 4xx, as what they ask for differs: credentials, rights, an address, and
// fewer calls.
func ClientStatuses() []string { return slices.Clone(clientStatuses) }

var clientStatuses = []string{"1xx", "2xx", "3xx", "4xx", "5xx", "timeout", "canceled", "dial", "tls", "error", "401", "403", "404", "429"}

// MaxPeers is how many hosts requests are counted for by name.
const MaxPeers = 50

// Metric is one metric family of the contract, with its name on both sides.
type Metric struct {
	// Key is how the domain file calls it: response_duration.
	Key string
	// Name and Unit are the OpenTelemetry instrument's: tienda.response.duration, s.
	Name, Unit string
	// Family is the name in Prometheus: tienda_response_duration_seconds. The
	// series of a histogram add _bucket, _sum and _count to it.
	Family string
	// Kind is counter, updown, histogram or gauge.
	Kind Kind
	// Description is the help text.
	Description string
	// Attributes are the attributes' OpenTelemetry names: error.type, which
	// is error_type in Prometheus.
	Attributes []string
	// Buckets are a histogram's upper bounds: those declared, and every limit
	// that the domain has on one of its quantiles, or as a latency objective.
	Buckets []float64
	// Event is the event that the metric counts, nil for all others.
	Event *Event
	// Was are the same under an event's former names, without an Event. They are
	// served until Until, the zero time for never.
	Was []Metric
	// Until is when a former name is no longer served.
	Until time.Time
	// Optional says that a process may do without: a limit that is not set, the
	// figures of embedded/ in a service that does not start it.
	Optional bool
}

// contract are the metrics that every service has, without the prefix. The
// names of the last group are those of OpenTelemetry's instrumentation of the
// Go runtime, which records them.
var contract = keyed([]Metric{
	{Name: "requests", Kind: KindCounter, Unit: "{request}", Attributes: []string{"method", "endpoint", "status"},
		Description: "Requests answered, by route pattern and the status that the client got: 499 is a client that left, 500 an answer broken off, 101 a connection taken over."},
	{Name: "response.duration", Kind: KindHistogram, Unit: "s", Attributes: []string{"method", "endpoint"}, Buckets: durationBuckets,
		Description: "Time from the request's arrival at its handler to the handler's return, or to the first flush of an answer that is flushed (a stream)."},
	{Name: "active_connections", Kind: KindUpDown, Unit: "{connection}", Description: "TCP connections open to the service."},
	{Name: "active_requests", Kind: KindUpDown, Unit: "{request}", Description: "Requests being handled: until the handler returns, the first flush of an answer that is flushed (a stream), or a connection is taken over."},
	{Name: "cpu.usage", Kind: KindGauge, Unit: "%", Description: "CPU time in use on the host, of all its cores, since the sample before."},
	{Name: "memory.usage", Kind: KindGauge, Unit: "By", Description: "Memory in use on the host."},
	{Name: "disk.usage", Kind: KindGauge, Unit: "%", Description: "Space in use on the file system of the configured path."},
	{Name: "entities.created", Kind: KindCounter, Unit: "{entity}", Description: "Entities of the domain created."},
	{Name: "entities.updated", Kind: KindCounter, Unit: "{entity}", Description: "Entities of the domain updated."},
	{Name: "api.errors", Kind: KindCounter, Unit: "{error}", Attributes: []string{"error.type"}, Description: "Errors by type."},
	{Name: "client.requests", Kind: KindCounter, Unit: "{request}", Attributes: []string{"peer", "status"}, Optional: true,
		Description: "Requests sent, by host and by class of status. Without an answer: timeout, canceled, dial, or error."},
	{Name: "client.duration", Kind: KindHistogram, Unit: "s", Attributes: []string{"peer"}, Buckets: durationBuckets, Optional: true,
		Description: "Time from sending a request to the header of its answer, or until there was none."},
	{Name: "requests.gone.time", Kind: KindCounter, Unit: "s", Attributes: []string{"endpoint"}, Optional: true,
		Description: "Time after which clients left before their answer, added up; requests with status 499 counts them."},
	{Name: "failures", Kind: KindCounter, Unit: "{failure}", Attributes: []string{"endpoint", "status", "site"}, Optional: true,
		Description: "Requests answered with 400 or more, without clients that left and paths that no route has, by the function that answered or panicked."},
	{Name: "changes", Kind: KindCounter, Unit: "{change}", Attributes: []string{"change"}, Optional: true,
		Description: "Changes of the service's settings, by setting."},
	{Name: "pool.connections", Kind: KindGauge, Unit: "{connection}", Attributes: []string{"pool", "state"}, Optional: true,
		Description: "Connections to a database: used, or idle."},
	{Name: "pool.connections.max", Kind: KindGauge, Unit: "{connection}", Attributes: []string{"pool"}, Optional: true,
		Description: "Connections to a database that may be open at a time, if there is a limit."},
	{Name: "pool.waits", Kind: KindCounter, Unit: "{wait}", Attributes: []string{"pool"}, Optional: true,
		Description: "Times that somebody had to wait for a connection to a database."},
	{Name: "pool.wait.time", Kind: KindCounter, Unit: "s", Attributes: []string{"pool"}, Optional: true,
		Description: "Time waited for connections to a database. A wait counts when it ends: while no connection is given back, it stands still and pool_waits grows."},
	{Name: "function.calls", Kind: KindCounter, Unit: "{call}", Attributes: []string{"function", "error.type"},
		Description: "Calls of monitored functions; error_type is empty for those that succeeded."},
	{Name: "function.duration", Kind: KindHistogram, Unit: "s", Attributes: []string{"function"}, Buckets: durationBuckets,
		Description: "Duration of the calls of monitored functions."},
	{Name: "build.info", Kind: KindGauge, Attributes: []string{"version", "revision", "goversion", "service.instance.id"}, Description: "Always 1; what is running is in its labels, and the name that its profiles have."},

	{Name: "process.cpu.time", Kind: KindCounter, Unit: "s", Optional: true, Description: "CPU time that the process has used."},
	{Name: "process.memory.usage", Kind: KindGauge, Unit: "By", Optional: true, Description: "Resident memory of the process."},
	{Name: "process.open_fds", Kind: KindGauge, Unit: "{file_descriptor}", Optional: true, Description: "File descriptors that the process has open."},
	{Name: "process.max_fds", Kind: KindGauge, Unit: "{file_descriptor}", Optional: true, Description: "File descriptors that the process may have open."},
	{Name: "process.threads", Kind: KindGauge, Unit: "{thread}", Optional: true, Description: "Threads of the process, of the operating system."},
	{Name: "process.stalled.time", Kind: KindCounter, Unit: "s", Optional: true,
		Description: "Time that the process did not run: ticks of its profiler that came more than 0.1 s late, added up. It or its machine was stopped, or it had no CPU."},
	{Name: "process.start.time", Kind: KindGauge, Unit: "s", Optional: true, Description: "When the process started, in seconds since 1970."},
	{Name: "container.cpu.time", Kind: KindCounter, Unit: "s", Optional: true, Description: "CPU time that the container (control group) has used."},
	{Name: "container.cpu.limit", Kind: KindGauge, Unit: "{cpu}", Optional: true, Description: "CPUs that the container may use at a time, if there is a limit."},
	{Name: "container.cpu.periods", Kind: KindCounter, Unit: "{period}", Optional: true, Description: "Periods in which the CPU limit was enforced; the container ran in each."},
	{Name: "container.cpu.throttled.periods", Kind: KindCounter, Unit: "{period}", Optional: true,
		Description: "Periods in which the container had to wait, as its CPU limit was used up."},
	{Name: "container.cpu.throttled.time", Kind: KindCounter, Unit: "s", Optional: true, Description: "Time that the container's threads have waited as its CPU limit was used up."},
	{Name: "container.memory.working_set", Kind: KindGauge, Unit: "By", Optional: true,
		Description: "Memory of the container that cannot be freed at once: in use, less inactive file cache."},
	{Name: "container.memory.limit", Kind: KindGauge, Unit: "By", Optional: true, Description: "Memory that the container may use, if there is a limit."},
	{Name: "container.memory.oom_kills", Kind: KindCounter, Unit: "{kill}", Optional: true, Description: "Processes of the container that the kernel killed for lack of memory."},

	{Name: "telemetry.refused", Kind: KindCounter, Unit: "{value}", Attributes: []string{"reason"},
		Description: "Recordings that were not taken as given: an undeclared event or attribute value, a number that cannot be counted."},
	{Name: "telemetry.exports", Kind: KindCounter, Unit: "{export}", Attributes: []string{"signal", "outcome"},
		Description: "Uploads of metrics, profiles and spans by their outcome."},
	{Name: "telemetry.profiles.dropped", Kind: KindCounter, Unit: "{profile}", Description: "Profiles dropped because the queue of uploads was full."},
	{Name: "telemetry.spans.lost", Kind: KindCounter, Unit: "{span}", Attributes: []string{"reason"},
		Description: "Sampled spans that were lost: the queue was full, an export failed, or the server rejected them."},
	{Name: "telemetry.profiles.buffered", Kind: KindGauge, Unit: "By", Description: "Size of the profiles kept in the process."},
	{Name: "telemetry.profiles.gaps", Kind: KindCounter, Unit: "{window}",
		Description: "Windows without a CPU profile, because another one ran in the process: their CPU time is in no figure."},
	{Name: "telemetry.collect.errors", Kind: KindCounter, Unit: "{error}", Attributes: []string{"reason"},
		Description: "Series of others that could not be read: a callback or gatherer that panicked or hung, names that clash, text that is not UTF-8."},

	{Name: "telemetry.alert.deliveries", Kind: KindCounter, Unit: "{delivery}", Attributes: []string{"receiver", "outcome"}, Optional: true,
		Description: "Tries to deliver alerts, by receiver and outcome."},
	{Name: "telemetry.incidents", Kind: KindCounter, Unit: "{incident}", Attributes: []string{"outcome"}, Optional: true,
		Description: "Incidents by outcome: saved with evidence, saved without it, dropped to stay within the bounds, or failed."},
	{Name: "telemetry.store.series", Kind: KindGauge, Unit: "{series}", Optional: true, Description: "Series in the embedded store's head."},
	{Name: "telemetry.store.size", Kind: KindGauge, Unit: "By", Optional: true, Description: "Size of the embedded store on disk; 0 while it keeps to memory."},
	{Name: "telemetry.store.faults", Kind: KindCounter, Unit: "{fault}", Attributes: []string{"reason"}, Optional: true,
		Description: "What the embedded store survived: a full disk, a corrupt file, a clock that jumped, series beyond the limit, a rule that failed."},

	{Name: "event.cpu", Kind: KindGauge, Unit: "s", Attributes: []string{"event"}, Optional: true,
		Description: "CPU time that one event costs: what the profile has of its endpoint and method over the event's count."},
	{Name: "event.allocated", Kind: KindGauge, Unit: "By", Attributes: []string{"event"}, Optional: true,
		Description: "Bytes allocated that one event costs: what the profile has of its endpoint and method over the event's count."},

	{Name: "go.cpu.time", Kind: KindCounter, Unit: "s", Attributes: []string{"go.cpu.state"},
		Description: "CPU time of the Go runtime's processors by what they did, an estimate: compare the states with each other only. It moves at the end of each garbage collection."},
	{Name: "go.mutex.wait.time", Kind: KindCounter, Unit: "s", Description: "Time that goroutines have waited for a sync.Mutex, a sync.RWMutex or a lock of the runtime, an estimate."},
	{Name: "go.goroutine.states", Kind: KindGauge, Unit: "{goroutine}", Attributes: []string{"go.goroutine.state"},
		Description: "Goroutines by state: running, runnable (without a processor), waiting, or not_in_go (in a system call or in C)."},
	{Name: "go.memory.live", Kind: KindGauge, Unit: "By", Description: "Heap memory that the last garbage collection found in use."},

	{Name: "go.memory.used", Kind: KindUpDown, Unit: "By", Attributes: []string{"go.memory.type"}, Description: "Memory used by the Go runtime."},
	{Name: "go.memory.limit", Kind: KindUpDown, Unit: "By", Optional: true, Description: "Go runtime memory limit configured by the user, if a limit exists."},
	{Name: "go.memory.allocated", Kind: KindCounter, Unit: "By", Description: "Memory allocated to the heap by the application."},
	{Name: "go.memory.allocations", Kind: KindCounter, Unit: "{allocation}", Description: "Count of allocations to the heap by the application."},
	{Name: "go.memory.gc.goal", Kind: KindUpDown, Unit: "By", Description: "Heap size target for the end of the GC cycle."},
	{Name: "go.goroutine.count", Kind: KindUpDown, Unit: "{goroutine}", Description: "Count of live goroutines."},
	{Name: "go.processor.limit", Kind: KindUpDown, Unit: "{thread}", Description: "The number of OS threads that can execute user-level Go code simultaneously."},
	{Name: "go.config.gogc", Kind: KindUpDown, Unit: "%", Description: "Heap size target percentage configured by the user, otherwise 100."},
	{Name: "go.schedule.duration", Kind: KindHistogram, Unit: "s", Buckets: schedulerBuckets, Description: "The time goroutines have spent in the scheduler in a runnable state before actually running."},
})

// Metrics lists every metric of the domain: the contract's, then the events'
// in the order of the domain. It is meant for a domain that is valid.
func (d Domain) Metrics() []Metric {
	all := make([]Metric, 0, len(contract)+len(d.Events))
	for _, m := range contract {
		all = append(all, d.contractMetric(m))
	}
	for i := range d.Events {
		all = append(all, d.eventMetric(&d.Events[i]))
	}
	return all
}

// contractMetric is a metric of the contract as the domain has it.
func (d Domain) contractMetric(m Metric) Metric { return d.named(d.bounded(m)) }

// keyed gives metrics their short names, which are asked for often.
func keyed(all []Metric) []Metric {
	for i, m := range all {
		all[i].Key = strings.ReplaceAll(m.Name, ".", "_")
	}
	return all
}

// eventMetric is the metric that counts an event.
func (d Domain) eventMetric(e *Event) Metric {
	m := Metric{Key: e.Name, Name: e.Name, Unit: e.Unit, Kind: e.kind(), Description: e.Description, Attributes: e.AttributeNames(), Event: e}
	if m.Kind == KindHistogram {
		m.Buckets = e.Buckets
		if len(m.Buckets) == 0 {
			m.Buckets = defaultBuckets
		}
	}
	m.Description = cmp.Or(m.Description, "Business event "+e.Name+".")
	m = d.named(d.bounded(m))
	last, _ := time.Parse(time.DateOnly, e.WasUntil) // a valid domain has one
	for _, name := range e.Was {
		was := m
		was.Key, was.Name, was.Event, was.Until = name, name, nil, last.AddDate(0, 0, 1)
		was.Description = "Former name of " + e.Name + ", until " + e.WasUntil + "."
		m.Was = append(m.Was, d.named(was))
	}
	return m
}

// costed are the events whose cost is known: the values of the label event.
func (d Domain) costed() (names []string) {
	for _, e := range d.Events {
		if e.Endpoint != "" && e.kind() == KindCounter {
			names = append(names, e.Name)
		}
	}
	return names
}

// kind is the event's kind, with the default.
func (e *Event) kind() Kind { return cmp.Or(e.Kind, KindCounter) }

// named puts the prefix on a metric, and with it makes its name in Prometheus.
func (d Domain) named(m Metric) Metric {
	m.Name = d.Prefix + "." + m.Name
	m.Family = promname.Family(m.Name, m.Unit, string(m.Kind))
	return m
}

// Metric finds a metric of the contract, or of an event, by its short name. It
// reports whether there is one.
func (d Domain) Metric(key string) (Metric, bool) {
	for _, m := range contract {
		if m.Key == key {
			return d.contractMetric(m), true
		}
	}
	for i := range d.Events {
		if d.Events[i].Name == key {
			return d.eventMetric(&d.Events[i]), true
		}
	}
	return Metric{}, false
}

// AttributeNames lists the event's attributes in the order in which Latido
// writes them: by name.
func (e Event) AttributeNames() []string {
	return slices.Sorted(maps.Keys(e.Attributes))
}

// Service is the name under which the service reports: App, or else one made
// from the prefix.
func (d Domain) Service() string {
	if d.App != "" {
		return d.App
	}
	return d.Prefix + "-api"
}
