package cause

import (
	"cmp"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/latido-dev/latido/internal/stacks"
)

// claim is a part of the time that requests take more, and what it is due to.
type claim struct {
	kind     string
	share    float64 // of all of that time
	endpoint string  // whose requests they are, mostly
	at       stacks.Frame
	peer     string // the host that is called, "" for none
	through  string // the library that is called, "" for none
	library  string // in which it waits
	wait     string // the kind of stacks.Wait
	holder   *activity
	both     // goroutines, or cores, at a time
}

// The kinds of claims. Those of stacks.Wait are the others.
const (
	claimCPU       = "cpu"       // own code computes
	claimCollector = "collector" // the garbage collector
	claimReady     = "ready"     // could run, and has no CPU
	claimCall      = "dependency"
	claimTraffic   = "traffic"
)

// dialing is how a call waits that has no connection yet.
const dialing = "dial"

// queues are the kinds of waiting for something that others have.
func queues(kind string) bool {
	switch kind {
	case stacks.Lock, stacks.Pool, stacks.Limiter, stacks.Send, stacks.Receive, stacks.Select, stacks.Condition, stacks.Group:
		return true
	}
	return false
}

// calls are the kinds of waiting for somebody else's answer.
func calls(kind string) bool {
	switch kind {
	case claimCall, stacks.Call, stacks.DNS:
		return true
	}
	return false
}

// timeClaims divides the time that requests take more among what it is due to.
// Each share is of the whole; what is not seen in any profile is nobody's, unless
// other endpoints are slow at the same time: then it is likely what they wait for.
func (m *model) timeClaims() []claim {
	if m.slowed() <= 0 {
		return nil
	}
	all := m.timeOf(func(e *endpoint) bool { return e.about })
	left := 1.0
	for _, c := range all {
		left -= c.share
	}
	if left > unexplained {
		for _, c := range m.timeOf(func(e *endpoint) bool { return !e.about }) {
			c.share *= left * likely
			all = append(all, c)
		}
	}
	return merged(m.redistributed(merged(all)))
}

// What is made of time that no profile explains.
const (
	unexplained = 0.4 // the share from which others are asked
	likely      = 0.8 // what their answer is worth
)

// timeOf divides the time that some endpoints' requests take more.
func (m *model) timeOf(these func(*endpoint) bool) (all []claim) {
	slowed, sum := 0.0, 0.0
	for name, e := range m.endpoints {
		if e.excess <= 0 || !these(e) {
			continue
		}
		slowed += e.excess
		for _, c := range m.timeIn(name, e) {
			sum += c.share
			all = append(all, c)
		}
	}
	whole := max(slowed, sum)
	for i := range all {
		all[i].share /= whole
	}
	return all
}

// timeIn are the parts of the time that one endpoint's requests take more, in
// seconds a second.
func (m *model) timeIn(name string, e *endpoint) (all []claim) {
	more, running, computing := e.more(), both{}, both{}
	known := m.looks.before > 0 && e.requests.before > 0
	expected := func(b both) float64 {
		if !known { // only the part that is too much counts
			return b.after * max(0, 1-e.excess/max(e.open.after, e.excess))
		}
		return b.before * more
	}
	take := func(c claim) {
		if c.share = (c.after - expected(c.both)) * m.measured(c.peer); c.share > 0 {
			all = append(all, c)
		}
	}
	for _, r := range m.rows {
		if r.endpoint != name {
			continue
		}
		if r.wait.Kind == "" {
			running = running.plus(r.both)
			continue
		}
		c := claim{kind: r.wait.Kind, endpoint: name, at: r.at, peer: r.peer, through: r.through, library: r.wait.Library, wait: r.wait.Kind, both: r.both}
		if c.kind == stacks.Pool && m.dials(c) {
			c.wait, c.kind = dialing, claimCall
		}
		if calls(c.kind) || c.kind == stacks.Lock && m.throughDatabase(c.through) {
			c.kind = claimCall
		}
		if r.wait.Dials {
			c.wait = dialing
		}
		take(c)
	}
	for _, s := range m.spent {
		if s.endpoint == name {
			computing = computing.plus(s.both)
			take(claim{kind: claimCPU, endpoint: name, at: s.at, through: s.through, library: s.leaf, both: s.both})
		}
	}
	take(claim{kind: claimReady, endpoint: name, both: both{max(running.before-computing.before, 0), max(running.after-computing.after, 0)}})
	return m.whole(name, all, e.excess)
}

// enoughSeen is how many goroutines must have been seen for what they do to stand
// for those that were not.
const enoughSeen = 2

// whole scales what was seen of an endpoint's requests up to all the time that
// they take more. On a busy machine looks are rare, and CPU time is measured
// whole; so the looks stand for what is left.
func (m *model) whole(name string, claims []claim, excess float64) []claim {
	looked, computed := 0.0, 0.0
	for _, c := range claims {
		if c.kind == claimCPU {
			computed += c.share
		} else {
			looked += c.share
		}
	}
	left := excess - computed
	switch {
	case left <= looked:
		return claims
	case looked*m.looks.after >= enoughSeen:
	case m.saturated() && m.moreCPU() > 0 && m.endpoints[name].open.after == 0: // too busy to look
		return append(claims, claim{kind: claimReady, endpoint: name, share: left})
	default:
		return claims
	}
	for i := range claims {
		if claims[i].kind != claimCPU {
			claims[i].share *= left / looked
		}
	}
	return claims
}

// dials tells whether a request that waits in net/http for a connection waits for
// one to be made, and not for one to be free: then others are dialing.
func (m *model) dials(c claim) bool {
	if stacks.Package(c.library) != "net/http" {
		return false
	}
	waiting, dialing := 0.0, 0.0
	for _, s := range m.seen {
		if s.wait.Kind == stacks.Pool && stacks.Package(s.wait.Library) == "net/http" {
			waiting += s.after
		}
		for _, f := range s.frames {
			if strings.HasPrefix(f.Function, "net/http.(*Transport).dial") {
				dialing += s.after
				break
			}
		}
	}
	return dialing >= 0.5*waiting
}

// merged adds up the claims that are of one thing, the largest first.
func merged(all []claim) []claim {
	type key struct{ kind, function, peer, through string }
	sums := map[key]*claim{}
	biggest := map[key]float64{}
	for _, c := range all {
		k := key{kind: c.kind, peer: c.peer, through: c.through}
		switch {
		case c.kind == claimCall && c.peer != "":
			k.through = "" // the host says it all
		case c.kind == claimCall:
		case c.kind == stacks.Pool:
			k.peer = ""
			k.function = c.library
		default:
			k.peer, k.function = "", c.at.Function
		}
		if sums[k] == nil {
			first := c
			first.share, first.both = 0, both{}
			sums[k] = &first
		}
		sum := sums[k]
		sum.share += c.share
		sum.both = sum.plus(c.both)
		if c.share > biggest[k] {
			biggest[k] = c.share
			sum.endpoint, sum.at, sum.library, sum.wait = c.endpoint, c.at, c.library, c.wait
			if c.through != "" {
				sum.through = c.through
			}
			if c.holder != nil {
				sum.holder = c.holder
			}
		}
	}
	list := make([]claim, 0, len(sums))
	for _, c := range sums {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b claim) int {
		return cmp.Or(cmp.Compare(b.share, a.share), cmp.Compare(a.kind, b.kind), cmp.Compare(a.at.Function, b.at.Function), cmp.Compare(a.peer, b.peer), cmp.Compare(a.endpoint, b.endpoint))
	})
	return list
}

// redistributed gives the time spent in queues to what makes them long: more
// requests, or what those do who have what is waited for.
func (m *model) redistributed(all []claim) []claim {
	var list []claim
	for _, c := range all {
		switch {
		case c.kind == claimReady:
			list = append(list, m.whoHasTheCPU(c)...)
		case queues(c.kind):
			list = append(list, m.whoHolds(c)...)
		default:
			list = append(list, c)
		}
	}
	return list
}

// activity is what some goroutines do, at a time.
type activity struct {
	function stacks.Frame // by which they are known
	at       stacks.Frame
	kind     string // of stacks.Wait, "" for what computes
	peer     string
	through  string
	library  string
	endpoint string // or who started them
	both
}

// activities are what goroutines do that match, those first that do it the most.
func (m *model) activities(match func(*sighting) (stacks.Frame, bool)) []activity {
	type key struct{ function, at, kind, peer, through string }
	sums := map[key]*activity{}
	for i := range m.seen {
		s := &m.seen[i]
		f, ok := match(s)
		if !ok {
			continue
		}
		at, index := own(s.frames)
		t := through(s.frames, index)
		k := key{f.Function, at.Function, s.wait.Kind, s.peer, t}
		if sums[k] == nil {
			sums[k] = &activity{function: f, at: at, kind: s.wait.Kind, peer: s.peer, through: t, library: s.wait.Library, endpoint: cmp.Or(s.endpoint, s.startedBy)}
		}
		sums[k].both = sums[k].plus(s.both)
	}
	list := make([]activity, 0, len(sums))
	for _, a := range sums {
		list = append(list, *a)
	}
	slices.SortFunc(list, func(a, b activity) int {
		return cmp.Or(cmp.Compare(b.after, a.after), cmp.Compare(a.function.Function, b.function.Function), cmp.Compare(a.at.Function, b.at.Function), cmp.Compare(a.kind, b.kind))
	})
	return list
}

// whoHolds finds what those do that have what a claim waits for, and passes the
// claim on where that is what became slow.
func (m *model) whoHolds(c claim) []claim {
	var holders []activity
	switch c.kind {
	case stacks.Lock:
		holders = m.lockHolders(c)
	case stacks.Pool:
		holders = m.poolHolders(c)
	default:
		holders = m.othersIn(c)
	}
	if len(holders) == 0 {
		return m.lessTraffic(c, both{})
	}
	held := both{}
	for _, h := range holders {
		held = held.plus(h.both)
	}
	first := holders[0]
	c.holder = &first
	list := m.lessTraffic(c, held)
	// What the holders wait for may be what became slow.
	passed := 0.0
	for _, h := range holders {
		part := h.after / max(held.after, 1e-9)
		slower := 0.0
		switch {
		case calls(h.kind) || m.throughDatabase(h.through):
			if r := m.callRatio(h.peer, h.through); r > 1.5 {
				slower = 1 - 1/r
			}
		case h.kind == stacks.Log || h.kind == stacks.File && h.before*m.looks.before >= fewRequests:
			// A log that does not block is not seen; a file that was not written
			// before, and now is with the lock, is no slower.
			if r := ratio(h.after/max(m.requests.after, 1e-9), h.before/max(m.requests.before, 1e-9)); r > 2 && h.after > 0.05 {
				slower = 1 - 1/r
			}
		}
		if slower <= 0 || part < 0.1 {
			continue
		}
		kind := h.kind
		if calls(kind) || m.throughDatabase(h.through) {
			kind = claimCall
		}
		passed += part * slower
		list = append(list, claim{kind: kind, share: list[0].share * part * slower, endpoint: c.endpoint, at: h.at, peer: h.peer, through: h.through, library: h.library, both: h.both})
	}
	list[0].share *= 1 - min(passed, 1)
	return list
}

// lessTraffic splits a claim of a queue into what more requests make of it, at
// the same cost each, and the rest, which comes first. held is what those who
// have it hold, at a time.
func (m *model) lessTraffic(c claim, held both) []claim {
	more := ratio(m.requests.after, m.requests.before)
	if more < 1.3 || m.requests.before <= 0 {
		return []claim{c}
	}
	dearer := 1.0
	if held.after > 0 {
		dearer = max(ratio(held.after/m.requests.after, held.before/m.requests.before), 1)
	}
	part := math.Log(more) / (math.Log(more) + math.Log(dearer))
	busier := claim{kind: claimTraffic, share: c.share * part, endpoint: c.endpoint, at: c.at, library: c.kind, both: m.requests}
	c.share *= 1 - part
	return []claim{c, busier}
}

// receiver is the type that a method is of, with its package, or else the
// package: who may share a lock.
func receiver(function string) string {
	pkg := stacks.Package(function)
	rest := strings.TrimPrefix(function[len(pkg):], ".")
	if strings.HasPrefix(rest, "(") {
		if i := strings.IndexByte(rest, ')'); i > 0 {
			return pkg + "." + rest[:i+1]
		}
	}
	return pkg
}

// holdsOf are the own functions that gave contended locks back, by the seconds
// that others had waited: the growth since the time before.
func (m *model) contended() map[string]float64 {
	waited := map[string]float64{}
	p := m.in.Profiles.Mutex
	read := func(sign float64, pair Pair) {
		which, seconds := pair.After, pair.AfterFor.Seconds()
		if sign < 0 {
			which, seconds = pair.Before, pair.BeforeFor.Seconds()
		}
		if which == nil || seconds <= 0 {
			return
		}
		i := stacks.Index(which, "delay")
		if i < 0 {
			return
		}
		for _, s := range which.Sample {
			if f, ok := gaveBack(stacks.Of(s)); ok {
				waited[f.Function] += sign * float64(s.Value[i]) / 1e9 / seconds
			}
		}
	}
	read(1, p)
	read(-1, p)
	return waited
}

// lockHolders are those that hold the lock of a claim, and what they do
// meanwhile.
func (m *model) lockHolders(c claim) []activity {
	waited := m.contended()
	most, holder := 0.0, ""
	all := 0.0
	for function, seconds := range waited {
		if seconds <= 0 {
			continue
		}
		all += seconds
		weight := seconds
		if receiver(function) == receiver(c.at.Function) {
			weight *= 3 // methods of one type share its locks
		}
		if weight > most || weight == most && function < holder {
			most, holder = weight, function
		}
	}
	on := func(s *sighting, is func(string) bool) (stacks.Frame, bool) {
		if s.wait.Kind == stacks.Lock {
			return stacks.Frame{}, false
		}
		for _, f := range s.frames {
			if stacks.Owner(f.Function) == stacks.Own && is(f.Function) {
				return f, true
			}
		}
		return stacks.Frame{}, false
	}
	if holder != "" && most > 0.2*all {
		found := m.activities(func(s *sighting) (stacks.Frame, bool) { return on(s, func(f string) bool { return f == holder }) })
		if held(found) > 0 {
			return found
		}
		if found = m.computing(holder); len(found) > 0 {
			return found
		}
	}
	// Long holders may not have given it back yet.
	of := receiver(c.at.Function)
	found := m.activities(func(s *sighting) (stacks.Frame, bool) {
		return on(s, func(f string) bool { return receiver(f) == of })
	})
	if held(found) > 0 {
		return found
	}
	if holder != "" {
		at := stacks.Frame{Function: holder}
		for _, s := range m.mutexFrames() {
			if s.Function == holder {
				at = s
			}
		}
		return []activity{{function: at, at: at, kind: "", both: both{0, 1e-6}}}
	}
	return nil
}

// mutexFrames are the places where contended locks were given back.
func (m *model) mutexFrames() (frames []stacks.Frame) {
	if p := m.in.Profiles.Mutex.After; p != nil {
		for _, s := range p.Sample {
			if f, ok := gaveBack(stacks.Of(s)); ok {
				frames = append(frames, f)
			}
		}
	}
	return frames
}

// gaveBack is the own function that gave a lock back: of a defer, the one that
// it is in.
func gaveBack(frames []stacks.Frame) (stacks.Frame, bool) {
	for _, f := range frames {
		if stacks.Owner(f.Function) == stacks.Own && !strings.Contains(f.Function, ".deferwrap") {
			return f, true
		}
	}
	return stacks.Frame{}, false
}

func held(list []activity) (sum float64) {
	for _, a := range list {
		sum += a.after
	}
	return sum
}

// computing is what CPU profiles have of a function, and of what it calls.
func (m *model) computing(function string) []activity {
	a := activity{}
	read := func(pair Pair) {
		for k, p := range []struct {
			seconds float64
			of      *both
		}{{pair.BeforeFor.Seconds(), &a.both}, {pair.AfterFor.Seconds(), &a.both}} {
			which := pair.Before
			if k == 1 {
				which = pair.After
			}
			if which == nil || p.seconds <= 0 {
				continue
			}
			i := stacks.Index(which, "cpu")
			if i < 0 {
				continue
			}
			for _, s := range which.Sample {
				frames := stacks.Of(s)
				for _, f := range frames {
					if f.Function != function {
						continue
					}
					value := float64(s.Value[i]) / 1e9 / p.seconds
					if k == 0 {
						a.before += value
					} else {
						a.after += value
						at, index := own(frames)
						a.function, a.at, a.through = f, at, through(frames, index)
					}
					break
				}
			}
		}
	}
	read(m.in.Profiles.CPU)
	if a.after <= 0 {
		return nil
	}
	return []activity{a}
}

// poolHolders are the goroutines that have a connection of the pool: those in a
// call of the library, and those of requests that have a transaction or rows
// open and do something else.
func (m *model) poolHolders(c claim) []activity {
	open := map[string]both{} // who has something open that is to be closed
	for _, s := range m.seen {
		for _, f := range s.frames {
			if strings.HasSuffix(f.Function, ".awaitDone") && stacks.Package(f.Function) == "database/sql" {
				open[s.startedBy] = open[s.startedBy].plus(s.both)
			}
		}
	}
	delete(open, "")
	users := m.databaseUsers()
	return m.activities(func(s *sighting) (stacks.Frame, bool) {
		if s.wait.Kind == stacks.Pool {
			return stacks.Frame{}, false
		}
		at, index := own(s.frames)
		library := through(s.frames, index)
		uses := library == "database/sql" || library != "" && library == c.through
		// Of a request that has one open, everything that it does holds it.
		if !uses && (s.endpoint == "" || open[s.endpoint].after <= 0) {
			return stacks.Frame{}, false
		}
		if !uses {
			at = keeper(s.frames, index, users)
		}
		return at, true
	})
}

// databaseUsers are the own functions that call a database.
func (m *model) databaseUsers() map[string]bool {
	users := map[string]bool{}
	for _, s := range m.seen {
		if at, i := own(s.frames); m.throughDatabase(through(s.frames, i)) {
			users[at.Function] = true
		}
	}
	for _, s := range m.spent {
		if m.throughDatabase(s.through) {
			users[s.at.Function] = true
		}
	}
	return users
}

// keeper is the function on a stack that has a connection while it does something
// else: the innermost that uses the database itself, or what that calls within a
// transaction that it opened, or else the caller.
func keeper(frames []stacks.Frame, at int, users map[string]bool) stacks.Frame {
	inner, caller := frames[at], stacks.Frame{}
	for _, f := range frames[at+1:] {
		if stacks.Owner(f.Function) != stacks.Own {
			continue
		}
		if users[f.Function] {
			if strings.Contains(path.Base(inner.Function), ".func") {
				return inner
			}
			return f
		}
		if caller.Function == "" && f.File != frames[at].File {
			caller = f
		}
		inner = f
	}
	if caller.Function != "" {
		return caller
	}
	return frames[at]
}

// othersIn are goroutines that are further in the function that a claim waits in
// or, for what is handed on, those that work on it.
func (m *model) othersIn(c claim) []activity {
	found := m.activities(func(s *sighting) (stacks.Frame, bool) {
		if s.wait.Kind == c.kind {
			if at, _ := own(s.frames); at.Function == c.at.Function {
				return stacks.Frame{}, false
			}
		}
		for _, f := range s.frames {
			if f.Function == c.at.Function {
				return f, s.endpoint != "" || s.startedBy != ""
			}
		}
		return stacks.Frame{}, false
	})
	if held(found) > 0 {
		return found
	}
	// Workers: goroutines of own code that serve no request and are not idle. What
	// waits for work does it less when there is more to do.
	idle := func(a activity) bool {
		switch a.kind {
		case stacks.Receive, stacks.Select, stacks.Sleep, stacks.Forever, stacks.Condition, stacks.Group:
			return a.after < 1.5*a.before+0.1
		}
		return false
	}
	return slices.DeleteFunc(m.activities(func(s *sighting) (stacks.Frame, bool) {
		if s.endpoint != "" {
			return stacks.Frame{}, false
		}
		i := stacks.DeepestOwn(s.frames)
		if i < 0 || stacks.Package(s.frames[i].Function) != stacks.Package(c.at.Function) && s.startedBy != c.endpoint {
			return stacks.Frame{}, false
		}
		return s.frames[i], true
	}), idle)
}

// whoHasTheCPU gives the time in which requests could have run to what runs
// instead: the collector, own code that takes more of it, more requests, another
// process, or nobody, where a limit holds them back.
func (m *model) whoHasTheCPU(c claim) []claim {
	own := max(m.cores.growth(), 0)
	collector := max(m.garbage.growth(), 0)
	others := max(m.otherCores().growth(), 0)
	throttled := max(m.throttled().growth(), 0)
	if throttled > 0.02 && own+collector < 0.3*max(m.cores.before, 0.1) {
		others = 0
	} else {
		throttled = 0
	}
	whole := own + others + throttled
	if whole < 0.05 {
		return []claim{c}
	}
	var list []claim
	give := func(kind string, part float64, set func(*claim)) {
		if part <= 0 {
			return
		}
		one := c
		one.kind, one.share = kind, c.share*part/whole
		if set != nil {
			set(&one)
		}
		list = append(list, one)
	}
	give(claimCollector, min(collector, own), nil)
	give(claimReady, others+throttled, nil)
	left := max(own-collector, 0)
	// Own code: more requests, or more for each.
	grown, busier := 0.0, 0.0
	for _, s := range m.spent {
		if s.collects {
			continue
		}
		more := 1.0
		if s.endpoint != "" {
			more = m.endpoint(s.endpoint).more()
		}
		grown += max(s.after-s.before*more, 0)
		busier += max(s.before*(more-1), 0)
	}
	if grown+busier <= 0 {
		give(claimReady, left, nil)
		return list
	}
	for _, s := range m.spent {
		more := 1.0
		if s.endpoint != "" {
			more = m.endpoint(s.endpoint).more()
		}
		if x := s.after - s.before*more; x > 0 && !s.collects {
			give(claimCPU, left*x/(grown+busier), func(one *claim) {
				one.at, one.through, one.library, one.endpoint, one.both = s.at, s.through, s.leaf, s.endpoint, s.both
			})
		}
	}
	give(claimTraffic, left*busier/(grown+busier), func(one *claim) { one.both = m.requests })
	return list
}
