package cause

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

// model is the input, added up for both times.
type model struct {
	in   Input
	w    words
	f    figures
	t    Times
	kind symptom
	bad  func(status string) bool // which answers the alert holds against the service

	endpoints map[string]*endpoint // by "GET /orders"
	requests  both                 // a second, all endpoints
	concerned both                 // those of them that the alert may be about
	unnamed   string               // the endpoint of requests that have none in the profiles

	rows  map[string][]row // what goroutines of requests are seen to do, by endpoint
	doers map[deed]both    // requests to the endpoints that do something; nil until it is asked for
	looks both             // how often they were looked at
	seen  []sighting       // every goroutine of own code, requests or not
	all   []sighting       // all goroutines, once in each time; nil until they are read

	spent   []spent // CPU time, by endpoint and function
	cores   both    // CPU seconds a second, of the process
	garbage both    // of them for the collector

	reach  [symptoms]float64 // how much of the alert each symptom stands for
	strict float64           // 1, or more where nothing need be wrong: a drill, or a service that warms up

	// What is read from the figures once it is asked for.
	claims  []claim
	byPeer  map[string]called
	byStmt  []called
	dialing *bool // whether requests that wait in net/http do so for a connection to be made
}

// endpoint is what one endpoint answers: a second, and in seconds.
type endpoint struct {
	name     string
	requests both
	byStatus map[string]both
	duration both    // of a request, mean
	open     both    // requests at a time, as the looks saw them
	about    bool    // the alert may be about it
	excess   float64 // what they take more than the same requests took before, in seconds a second
}

// row is where the goroutines of an endpoint's requests are seen, at a time.
type row struct {
	endpoint string
	wait     stacks.Wait
	at       stacks.Frame // own code, or else the library's
	peer     string
	through  string // the library that was called from there, "" for none
	both
}

// sighting is one stack of a goroutine, with its labels.
type sighting struct {
	frames    []stacks.Frame
	wait      stacks.Wait
	endpoint  string // "" for one that serves nobody
	startedBy string
	peer      string
	both      // at a time
}

// spent is CPU time by what it is for.
type spent struct {
	endpoint string // "" for none
	at       stacks.Frame
	through  string // a library that was called from there
	leaf     string
	collects bool // it is the collector's
	both          // cores
}

func newModel(in Input) *model {
	m := &model{in: in, w: wordsOf(in.Domain.Language), f: newFigures(in.Series), t: in.Times, strict: 1, kind: symptomOf(in.Domain, in.Alert), endpoints: map[string]*endpoint{}}
	if in.Alert.Drill || in.Alert.Name == "" && m.t.Before.Length() < beforeOf*m.t.After.Length() {
		m.strict = 2
	}
	m.bad = badFor(in.Domain, in.Alert)
	m.w.figures = !m.f.first.IsZero() && m.f.first.Before(m.t.Before.To)
	m.w.looks = in.Profiles.Waits.Before != nil
	m.w.cpu = in.Profiles.CPU.Before != nil
	m.readRequests()
	m.concerned, _ = m.requestsAbout()
	m.unnamed = m.nameUnnamed()
	m.readWaits()
	m.readCPU()
	m.readExcess()
	m.stand()
	return m
}

// family is the name in Prometheus of a metric of the contract.
func (m *model) family(key string) string {
	metric, _ := m.in.Domain.Metric(key)
	return metric.Family
}

func nameOf(method, endpoint string) string { return strings.TrimSpace(method + " " + endpoint) }

// split is a name's method, "" for none, and its endpoint.
func split(name string) (method, path string) {
	if method, path, ok := strings.Cut(name, " "); ok {
		return method, path
	}
	return "", name
}

// endpoint finds an endpoint, or makes it.
func (m *model) endpoint(name string) *endpoint {
	e := m.endpoints[name]
	if e == nil {
		e = &endpoint{name: name, byStatus: map[string]both{}}
		m.endpoints[name] = e
	}
	return e
}

func (m *model) readRequests() {
	for _, s := range m.f.byName[m.family("requests")] {
		e := m.endpoint(nameOf(s.Labels["method"], s.Labels["endpoint"]))
		rate := both{m.f.rate(s, m.t.Before), m.f.rate(s, m.t.After)}
		e.byStatus[s.Labels["status"]] = e.byStatus[s.Labels["status"]].plus(rate)
		e.requests = e.requests.plus(rate)
		m.requests = m.requests.plus(rate)
	}
	of := func(l map[string]string) (string, bool) { return nameOf(l["method"], l["endpoint"]), true }
	sums := m.f.rates(m.family("response_duration")+"_sum", m.t, of)
	for name, count := range inOrder(m.f.rates(m.family("response_duration")+"_count", m.t, of)) {
		m.endpoint(name).duration = both{per(sums[name].before, count.before), per(sums[name].after, count.after)}
	}
}

func per(sum, count float64) float64 {
	if count <= 0 {
		return 0
	}
	return sum / count
}

// own is the frame to point at: own code's innermost, or else a library's.
func own(frames []stacks.Frame) (at stacks.Frame, index int) {
	if i := stacks.DeepestOwn(frames); i >= 0 {
		return frames[i], i
	}
	for i, f := range frames {
		if stacks.Owner(f.Function) == stacks.Dependency {
			return f, i
		}
	}
	if len(frames) == 0 {
		return stacks.Frame{}, 0
	}
	return frames[len(frames)-1], len(frames) - 1
}

// own is the same of a sighting, whose innermost own frame is known.
func (s *sighting) own() (at stacks.Frame, index int) {
	if i := s.wait.Own; i >= 0 {
		return s.frames[i], i
	}
	return own(s.frames)
}

// through is the library that own code called on the way to where it is: the
// first one outside of Go's, or database/sql.
func through(frames []stacks.Frame, index int) string {
	for i := index - 1; i >= 0; i-- {
		pkg := stacks.Package(frames[i].Function)
		if strings.HasPrefix(pkg, stacks.SDK) {
			continue // it stands between, and answers nobody
		}
		if pkg == "database/sql" || stacks.Owner(frames[i].Function) == stacks.Dependency {
			return pkg
		}
	}
	return ""
}

// sightings are the goroutines of both profiles of a pair.
func (m *model) sightings(p Pair) (all []sighting) {
	for s, n := range p.samples("") {
		all = append(all, sighting{
			frames: s.frames, wait: stacks.WaitOf(s.frames), peer: stacks.Label(s.Sample, "peer"), startedBy: stacks.Label(s.Sample, "started_by"),
			endpoint: m.nameIn(s.Sample, s.frames), both: n,
		})
	}
	return all
}

func (m *model) readWaits() {
	m.seen = m.sightings(m.in.Profiles.Waits)
	m.looks = both{rounds(m.in.Profiles.Waits.Before), rounds(m.in.Profiles.Waits.After)}
	m.nameBodies()

	type key struct {
		endpoint, kind, function, peer, through string
		dials                                   bool
		line                                    int64
	}
	var rows byKey[key, row]
	for _, s := range m.ofRequests() {
		at, i := s.own()
		k := key{s.endpoint, s.wait.Kind, at.Function, s.peer, through(s.frames, i), s.wait.Dials, at.Line}
		sum := rows.of(k, row{endpoint: s.endpoint, wait: s.wait, at: at, peer: s.peer, through: k.through})
		sum.both = sum.plus(s.both)
		e := m.endpoint(s.endpoint)
		e.open = e.open.plus(s.both)
	}
	m.rows = map[string][]row{}
	for _, r := range rows.list {
		m.rows[r.endpoint] = append(m.rows[r.endpoint], r)
	}
}

// mostSamples is how many samples of a profile are read. A profile with more of
// them has thousands of stacks that were seen once: no share of an excess.
const mostSamples = 30_000

// heaviest are the samples of a profile with the largest values of a type.
func heaviest(p *profile.Profile, i int) []*profile.Sample {
	if len(p.Sample) <= mostSamples {
		return p.Sample
	}
	all := slices.Clone(p.Sample)
	slices.SortStableFunc(all, func(a, b *profile.Sample) int { return cmp.Compare(b.Value[i], a.Value[i]) })
	return all[:mostSamples]
}

// sample is one of a profile's, with the functions on its stack.
type sample struct {
	*profile.Sample
	frames []stacks.Frame
}

// samples yields the largest samples of both profiles, each with what it adds to
// the time that it is of: CPU and waiting in seconds a second, allocations in
// bytes a second, memory in use in bytes, and for the type "" goroutines at a time.
func (p Pair) samples(sampleType string) iter.Seq2[sample, both] {
	return func(yield func(sample, both) bool) {
		for _, of := range []struct {
			p       *profile.Profile
			seconds float64
			one     both
		}{{p.Before, p.BeforeFor.Seconds(), both{before: 1}}, {p.After, p.AfterFor.Seconds(), both{after: 1}}} {
			if of.p == nil {
				continue
			}
			i, by := stacks.Index(of.p, sampleType), of.seconds
			switch sampleType {
			case "":
				i, by = 0, rounds(of.p)
			case "inuse_space":
				by = 1
			case "alloc_space":
				by = cmp.Or(by, 1)
			default:
				by *= 1e9
			}
			if i < 0 || by <= 0 {
				continue
			}
			for _, s := range heaviest(of.p, i) {
				value := float64(s.Value[i]) / by
				if frames := stacks.Of(s); len(frames) > 0 && !yield(sample{s, frames}, both{value * of.one.before, value * of.one.after}) {
					return
				}
			}
		}
	}
}

// rounds is how often the goroutines of a profile were looked at, 0 for no profile.
func rounds(p *profile.Profile) float64 {
	if p == nil {
		return 0
	}
	return float64(max(stacks.Rounds(p), 1))
}

// collects tells whether a function is the collector's own.
func collects(function string) bool {
	for _, prefix := range []string{"runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.bgsweep", "runtime.bgscavenge", "runtime.gcDrain", "runtime.sweepone"} {
		if strings.HasPrefix(function, prefix) {
			return true
		}
	}
	return false
}

func (m *model) readCPU() {
	type key struct{ endpoint, function, through string }
	var sums byKey[key, spent]
	collector := spent{collects: true}
	for s, value := range m.in.Profiles.CPU.samples("cpu") {
		m.cores = m.cores.plus(value)
		if slices.ContainsFunc(s.frames, func(f stacks.Frame) bool { return collects(f.Function) }) {
			m.garbage, collector.both = m.garbage.plus(value), collector.plus(value)
			continue
		}
		at, index := own(s.frames)
		k := key{m.nameIn(s.Sample, s.frames), at.Function, through(s.frames, index)}
		sum := sums.of(k, spent{endpoint: k.endpoint, at: at, through: k.through, leaf: s.frames[0].Function})
		sum.both = sum.plus(value)
	}
	m.spent = append(sums.list, collector)
	// The figures know the whole, also where no profile was taken.
	if used := m.f.total(m.family("process_cpu_time"), m.t); used.after > 0 {
		m.cores = used
	}
	if m.w.cpu {
		return
	}
	// Without a profile of before, each is taken to have had the part that it has now.
	was := min(m.cores.before/max(m.cores.after, 1e-9), 1)
	m.garbage.before = m.garbage.after * was
	for i := range m.spent {
		m.spent[i].before = m.spent[i].after * was
	}
}

// more is how many more requests there are to an endpoint than before: what a
// time of before would be now at the same cost each.
func (e *endpoint) more() float64 {
	if e.requests.before <= 0 || e.requests.after <= 0 {
		return 1
	}
	return e.requests.after / e.requests.before
}

// What makes a change more than chance.
const (
	longer      = 1.25  // times the duration, and
	leastLonger = 0.003 // seconds
	fewRequests = 3.0   // in the time

	// An alert that fires for long durations says itself that something is.
	longerAlert = 1.08
)

// about tells whether the alert may be about an endpoint.
func (m *model) about(name string) bool {
	l := m.in.Alert.Labels
	method, path := split(name)
	return (l["endpoint"] == "" || l["endpoint"] == path) && (l["method"] == "" || method == "" || l["method"] == method)
}
