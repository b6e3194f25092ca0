package cause_test

import (
	"cmp"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/cause"
)

// moved is a figure as it was, and as it is from the change on.
type moved struct{ before, after float64 }

func same(v float64) moved { return moved{v, v} }

func (m moved) times(o moved) moved { return moved{m.before * o.before, m.after * o.after} }
func (m moved) plus(o moved) moved  { return moved{m.before + o.before, m.after + o.after} }

// part is what each request to an endpoint spends time on: it computes, or it
// waits. Figures and profiles are both made from it, so that they agree.
type part struct {
	each     moved // seconds for each request
	computes bool
	frames   []string // innermost first, up to own code
	peer     string
	calls    moved            // of the peer or the database, for each request
	answers  map[string]moved // shares of the peer's answers; nil: all 2xx
	query    string           // the statement, for a database that is measured
}

type endpoint struct {
	requests moved            // a second
	status   map[string]moved // shares; what is left is 200
	parts    map[string]*part
}

// standing is a stack that is seen so often, in a profile.
type standing struct {
	seen   moved
	labels map[string]string
	frames []string
}

// series is one more series, as it moves.
type series struct {
	key     string
	labels  map[string]string
	value   moved
	counter bool
	suffix  string
	ramp    bool          // it goes from before to after in the time since the change
	step    bool          // a counter that grew by one, at the change
	delay   time.Duration // after the change
}

// service is what a test tells of a service: how each figure was, and how it is
// from a change on.
type service struct {
	tb        testing.TB
	domain    domain.Domain
	fast      bool
	noise     float64
	seed      int // of the noise
	endpoints map[string]*endpoint
	more      []series
	waits     []standing // goroutines at a time, of no request
	cpu       []standing // cores
	mutex     []standing // seconds a second that others waited
	allocated []standing // bytes a second
	kept      []standing // bytes
	all       []standing // all goroutines
	garbage   moved      // cores, of the collector
	others    moved      // cores, of other processes
	cpus      int
	alert     cause.Alert
	lasts     time.Duration // since the change; 0 for what the alert makes of it
	history   time.Duration // before the change
	lag       time.Duration // from the change to the alert's condition; 0 for the usual
	pending   time.Duration // from there until now; 0 for the usual
	restart   time.Duration // from the change to a restart of the process; 0 for none
	blind     bool          // nothing is profiled
	deaf      bool          // nothing is profiled of the time before
	nameless  bool          // profiles know no endpoints
	creeping  bool          // what is kept, and all goroutines, grow since the change
	grown     cause.Folder  // what fills the disk
	opened    cause.Opened  // what most files are that are open
}

// newService is one that is well: a clinic's appointments, in a language.
func newService(tb testing.TB, language string, fast bool) *service {
	prefix := map[string]string{"en": "clinic", "es": "citas"}[language]
	s := &service{
		tb: tb, fast: fast, noise: 0.05, endpoints: map[string]*endpoint{}, cpus: 4, history: 18 * time.Minute,
		domain: domain.Domain{
			Prefix: prefix, Entity: "cita", Language: language,
			Events: []domain.Event{
				{Name: "reservas", Endpoint: "POST /citas", Attributes: map[string][]string{"canal": {"web", "app", "telefono"}}},
				{Name: "informes", Endpoint: "GET /informes", Attributes: map[string][]string{"clinica": {"norte", "sur", "centro"}}},
			},
			SLOs: []domain.SLO{{Name: "disponible", Objective: 99.9, Good: domain.Good{Status: "!~5.."}}},
		},
	}
	s.endpoint("GET /citas", 40).parts = map[string]*part{
		"query": {each: same(0.006), frames: stack(pgxQuery, own("(*Store).List", 41)), calls: same(1), query: "SELECT citas"},
		"work":  {each: same(0.002), computes: true, frames: stack([]string{"encoding/json.Marshal encode.go:171"}, own("(*API).list", 60))},
	}
	s.endpoint("POST /citas", 10).parts = map[string]*part{
		"pay":   {each: same(0.02), frames: stack(httpCall, own("(*Payments).Charge", 33)), peer: "pagos.example.com", calls: same(1)},
		"query": {each: same(0.008), frames: stack(pgxQuery, own("(*Store).Reserve", 88)), calls: same(1), query: "INSERT citas"},
		"work":  {each: same(0.002), computes: true, frames: stack(own("(*API).reserve", 97))},
	}
	s.endpoint("GET /medicos/{id}", 20).parts = map[string]*part{
		"query": {each: same(0.004), frames: stack(pgxQuery, own("(*Store).Doctor", 120)), calls: same(1), query: "SELECT medicos"},
		"work":  {each: same(0.001), computes: true, frames: stack(own("(*API).doctor", 130))},
	}
	s.endpoint("GET /informes", 2).parts = map[string]*part{
		"query": {each: same(0.01), frames: stack(pgxQuery, own("(*Store).Totals", 150)), calls: same(1), query: "SELECT totales"},
		"work":  {each: same(0.02), computes: true, frames: stack([]string{"sort.Slice slice.go:29"}, own("report.Totals", 19))},
	}
	for canal, rate := range map[string]float64{"web": 5, "app": 4, "telefono": 1} {
		s.count("reservas", same(rate), "canal", canal)
	}
	for clinic, rate := range map[string]float64{"norte": 0.8, "sur": 0.7, "centro": 0.5} {
		s.count("informes", same(rate), "clinica", clinic)
	}
	s.level("build_info", same(1), "version", "v1.4.0", "revision", "3f2a91c77d", "goversion", "go1.26.8")
	s.level("go_memory_used", same(60<<20), "go_memory_type", "other")
	s.level("go_memory_used", same(2<<20), "go_memory_type", "stack")
	s.level("go_memory_live", same(30<<20))
	s.level("process_memory_usage", same(90<<20))
	s.level("process_open_fds", same(40))
	s.level("process_max_fds", same(1024))
	s.level("go_goroutine_count", same(60))
	s.level("go_processor_limit", same(4))
	s.level("disk_usage", same(55))
	s.level("pool_connections", same(2), "pool", "main", "state", "used")
	s.level("pool_connections", same(4), "pool", "main", "state", "idle")
	s.level("pool_connections_max", same(10), "pool", "main")
	s.count("pool_wait_time", same(0), "pool", "main")
	s.kept = []standing{{same(20 << 20), nil, stack(own("(*Cache).Put", 12))}, {same(8 << 20), nil, stack(own("(*Store).List", 41))}}
	s.allocated = []standing{{same(4 << 20), nil, stack([]string{"encoding/json.Marshal encode.go:171"}, own("(*API).list", 60))}, {same(1 << 20), nil, stack(own("report.Totals", 19))}}
	s.all = []standing{
		{same(20), nil, idleConn}, {same(6), nil, stack(chanReceive, own("(*Mailer).run", 30))},
		{same(8), map[string]string{"started_by": "POST /citas"}, persistConn},
	}
	s.garbage = same(0.01)
	s.others = same(0.2)
	s.alert = slow(s)
	if fast {
		s.history = 3 * time.Minute
	}
	return s
}

// endpoint finds an endpoint, or adds one with so many requests a second.
func (s *service) endpoint(name string, rate ...float64) *endpoint {
	if s.endpoints[name] == nil {
		s.endpoints[name] = &endpoint{requests: same(rate[0]), status: map[string]moved{}, parts: map[string]*part{}}
	}
	return s.endpoints[name]
}

func (s *service) part(endpoint, name string) *part { return s.endpoints[endpoint].parts[name] }

// traffic makes all requests so many times as many, from the change on.
func (s *service) traffic(times float64) {
	for _, e := range s.endpoints {
		e.requests.after *= times
	}
	for i := range s.more {
		if slices.Contains([]string{"reservas", "informes", "failures", "api_errors", "requests_gone_time"}, s.more[i].key) {
			s.more[i].value.after *= times
		}
	}
}

func pairs(labels []string) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(labels); i += 2 {
		m[labels[i]] = labels[i+1]
	}
	return m
}

// count adds a counter that grows so much a second; level sets a gauge.
func (s *service) count(key string, rate moved, labels ...string) {
	s.set(series{key: key, labels: pairs(labels), value: rate, counter: true})
}
func (s *service) level(key string, value moved, labels ...string) {
	s.set(series{key: key, labels: pairs(labels), value: value})
}

// creeps is a gauge that goes from one value to the other since the change.
func (s *service) creeps(key string, value moved, labels ...string) {
	s.set(series{key: key, labels: pairs(labels), value: value, ramp: true})
}

func (s *service) set(one series) {
	for i, o := range s.more {
		if o.key == one.key && o.suffix == one.suffix && maps.Equal(o.labels, one.labels) {
			s.more[i] = one
			return
		}
	}
	s.more = append(s.more, one)
}

// duration is how long a request takes.
func (e *endpoint) duration() (d moved) {
	for _, name := range slices.Sorted(maps.Keys(e.parts)) {
		d = d.plus(e.parts[name].each)
	}
	return d
}

func (s *service) step() time.Duration {
	if s.fast {
		return time.Second
	}
	return 5 * time.Second
}

var epoch = time.Date(2026, 3, 2, 2, 40, 0, 0, time.UTC)

// times are those of the change, of the alert's condition, and now.
func (s *service) times() (change, active, now time.Time) {
	change = epoch.Add(s.history)
	lag, pending := 35*time.Second, 65*time.Second
	if s.fast {
		lag, pending = 4*time.Second, 4*time.Second
	}
	if s.lasts > 0 {
		lag, pending = s.lasts/2, s.lasts/2
	}
	lag, pending = cmp.Or(s.lag, lag), cmp.Or(s.pending, pending)
	return change, change.Add(lag), change.Add(lag + pending)
}

// family is the name in Prometheus of a metric.
func (s *service) family(key string) string {
	m, ok := s.domain.Metric(key)
	if !ok {
		s.tb.Fatalf("the contract has no metric %q", key)
	}
	return m.Family
}

// release puts another version in the place of the one that runs.
func (s *service) release() {
	s.level("build_info", moved{1, 0}, "version", "v1.4.0", "revision", "3f2a91c77d", "goversion", "go1.26.8")
	s.level("build_info", moved{0, 1}, "version", "v1.5.0", "revision", "9d01bb2c1e", "goversion", "go1.26.8")
}

// scale makes the service so many times as busy, before and after.
func (s *service) scale(times float64) {
	for _, e := range s.endpoints {
		e.requests = e.requests.times(same(times))
	}
	for i := range s.more {
		if s.more[i].key == "reservas" || s.more[i].key == "informes" {
			s.more[i].value = s.more[i].value.times(same(times))
		}
	}
}

// changes counts one change of a setting, at the change.
func (s *service) changes(setting string) {
	s.set(series{key: "changes", labels: pairs([]string{"change", setting}), step: true})
}

// delayed moves the releases to another time than the change.
func (s *service) delayed(by time.Duration) {
	for i := range s.more {
		if s.more[i].key == "build_info" {
			s.more[i].delay = by
		}
	}
}
