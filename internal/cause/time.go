package cause

import (
	"cmp"
	"slices"
	"strings"

	"github.com/latido-dev/latido/internal/stacks"
)

// claim is a part of the time that requests take more, and what it is due to.
type claim struct {
	kind     string
	share    float64 // of all of that time
	endpoint string  // whose requests most of them are
	spread   bool    // over endpoints of which none has most
	at       stacks.Frame
	peer     string // the host that is called, "" for none
	through  string // the library that is called, "" for none
	library  string // in which it waits
	wait     string // the kind of stacks.Wait
	holder   *activity
	both     // goroutines, or cores, at a time
}

// ofFile tells of a lock that it is a file's, and no mutex.
func (c claim) ofFile() bool {
	return c.kind == stacks.Lock && strings.HasSuffix(strings.ToLower(c.library), "flock")
}

// ofHTTP tells of a pool that it is a transport's.
func (c claim) ofHTTP() bool { return c.kind == stacks.Pool && stacks.Package(c.library) == "net/http" }

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
	about := func(e *endpoint) bool { return e.about }
	others := func(e *endpoint) bool { return !e.about }
	all := m.timeOf(about)
	if m.looks.after == 0 {
		all = append(all, m.measuredCalls()...)
	}
	left := 1.0
	for _, c := range all {
		left -= c.share
	}
	if left > unexplained {
		// A moment of theirs is no hour of these.
		alike := min(1, m.excessOf(others)/m.slowed())
		for _, c := range m.timeOf(others) {
			c.share *= left * likely * alike
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

// excessOf is the time that some endpoints' requests take more, in seconds a second.
func (m *model) excessOf(these func(*endpoint) bool) (sum float64) {
	for _, e := range inOrder(m.endpoints) {
		if these(e) {
			sum += max(e.excess, 0)
		}
	}
	return sum
}

// timeOf divides the time that some endpoints' requests take more.
func (m *model) timeOf(these func(*endpoint) bool) (all []claim) {
	slowed, sum := 0.0, 0.0
	for name, e := range inOrder(m.endpoints) {
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
	more, running, computing := m.endpointMore(name), both{}, both{}
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
	for _, r := range m.rows[name] {
		if r.wait.Kind == "" {
			running = running.plus(r.both)
			continue
		}
		c := claim{kind: r.wait.Kind, endpoint: name, at: r.at, peer: r.peer, through: r.through, library: r.wait.Library, wait: r.wait.Kind, both: r.both}
		if c.kind == stacks.Pool && m.dials(c) {
			c.wait, c.kind = dialing, claimCall
		}
		if calls(c.kind) || c.kind == stacks.Lock && isDatabase(c.through) {
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
	e := m.endpoints[name]
	switch {
	case left <= looked:
		return claims
	case looked*m.looks.after >= enoughSeen:
	case (m.outOfCPU() && m.moreCPU() > 0 || m.throttledMuch()) && e.open.after == 0 && e.requests.after*e.duration.after*m.looks.after < enoughSeen: // too busy to look
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
	if !c.ofHTTP() {
		return false
	}
	if m.dialing != nil {
		return *m.dialing
	}
	waiting, dialing := 0.0, 0.0
	for _, s := range m.seen {
		if (claim{kind: s.wait.Kind, library: s.wait.Library}).ofHTTP() {
			waiting += s.after
		}
		if slices.ContainsFunc(s.frames, func(f stacks.Frame) bool { return f.Function == stacks.DialsHTTP }) {
			dialing += s.after
		}
	}
	m.dialing = new(dialing >= 0.5*waiting)
	return *m.dialing
}

// merged adds up the claims that are of one thing, the largest first.
func merged(all []claim) []claim {
	type key struct{ kind, function, peer, through string }
	type whole struct {
		claim
		biggest float64
	}
	var sums byKey[key, whole]
	for _, c := range all {
		k := key{kind: c.kind, peer: c.peer, through: c.through}
		switch {
		case c.kind == claimCall && c.peer != "":
			k.through = "" // the host says it all
		case c.kind == claimCall:
		case c.kind == stacks.Pool:
			k.function = c.library
			if !c.ofHTTP() { // which has one for each host
				k.peer = ""
			}
		default:
			k.peer, k.function = "", c.at.Function
		}
		none := c
		none.share, none.both = 0, both{}
		sum := sums.of(k, whole{claim: none})
		sum.share += c.share
		sum.both = sum.plus(c.both)
		if c.share > sum.biggest || c.share == sum.biggest && c.at.Line < sum.at.Line {
			sum.biggest = c.share
			sum.endpoint, sum.spread, sum.at, sum.library, sum.wait = c.endpoint, c.spread, c.at, c.library, c.wait
			if c.through != "" {
				sum.through = c.through
			}
			if c.holder != nil {
				sum.holder = c.holder
			}
		}
	}
	list := make([]claim, 0, len(sums.list))
	for _, c := range sums.list {
		c.spread = c.spread || c.biggest < 0.5*c.share
		list = append(list, c.claim)
	}
	slices.SortFunc(list, func(a, b claim) int {
		return cmp.Or(cmp.Compare(b.share, a.share), cmp.Compare(a.kind, b.kind), cmp.Compare(a.at.Function, b.at.Function), cmp.Compare(a.peer, b.peer), cmp.Compare(a.endpoint, b.endpoint))
	})
	return list
}
