package profiles

import (
	"cmp"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

// A goroutine inherits the labels of the one that starts it, and keeps them for
// as long as it runs (https://github.com/golang/go/issues/50032): the mailer
// that the first request starts, a cache that refreshes itself, net/http's
// loops of an outgoing connection. So a label alone does not say whose a sample
// is. It counts only with a function on the stack that has set it.

// boundaries are the functions of telemetry that label a request and then call
// its handler. Closures in them count too. A test in telemetry holds these
// names against real stacks.
var boundaries = map[string]bool{
	stacks.SDK + "telemetry.(*boundHandler).ServeHTTP": true,
	stacks.SDK + "telemetry.(*ServeMux).serve":         true,
	stacks.SDK + "telemetry.(*Telemetry).Middleware":   true,
}

// Serves tells whether a function is one of telemetry's that call a request's
// handler: what stands above it on a stack does not answer the request.
func Serves(function string) bool { return placeOf(function) == boundaryPlace }

// setsLabels is what Region, Monitor and users label their code with. What it
// sets was handed to it in a context, and is not inherited.
const setsLabels = "runtime/pprof.Do"

// oneRequest is the goroutine of http.TimeoutHandler, which is there for one
// request alone.
const oneRequest = "net/http.(*timeoutHandler).ServeHTTP"

// place is what a function on a stack says about whose the stack is.
type place uint8

const (
	anyPlace      place = iota
	runtimePlace        // the scheduler and the garbage collector are everybody's
	labelPlace          // the labels were set here, for what is called from here
	boundaryPlace       // the same, and the request's handler is called from here
)

func placeOf(function string) place {
	switch function {
	case setsLabels:
		return labelPlace
	case OtherSamples: // of the same labels as those that are told apart
		return runtimePlace
	}
	outer := function
	if i := strings.Index(function, ".func"); i > 0 {
		outer = function[:i]
	}
	switch pkg := stacks.Package(function); {
	case boundaries[outer]:
		return boundaryPlace
	case outer == oneRequest && outer != function: // the closure alone: ServeHTTP itself may be anybody's
		return labelPlace
	case pkg == "runtime", strings.HasPrefix(pkg, "runtime/internal/"), strings.HasPrefix(pkg, "internal/runtime/"):
		return runtimePlace
	}
	return anyPlace
}

// The depths at which the runtime cuts stacks, in frames. It drops the outermost
// ones: maxCPUProfStack and the default of profstackdepth in Go 1.26.
const (
	CPUDepth       = 64
	GoroutineDepth = 128
)

// Settle decides whose each labelled sample is. One that nothing on its stack
// has labelled loses the labels of requests and regions, and has
// LabelStartedBy instead. A stack that the runtime has cut keeps its labels:
// what has set them may be among the frames that are missing. Stacks of the
// runtime alone (the scheduler, mostly) go where most of the samples with the
// same labels go.
//
// It reports whether it changed anything.
func Settle(p *profile.Profile, depth int) (changed bool) {
	type labels struct{ endpoint, method, region string }
	of := func(s *profile.Sample) labels {
		return labels{stacks.Label(s, LabelEndpoint), stacks.Label(s, LabelMethod), stacks.Label(s, LabelRegion)}
	}
	places := make(map[*profile.Function]place, len(p.Function))
	for _, f := range p.Function {
		places[f] = placeOf(f.Name)
	}
	served, started := map[labels]int64{}, map[labels]int64{}
	var unsure []*profile.Sample
	for _, s := range p.Sample {
		l := of(s)
		if l == (labels{}) {
			continue
		}
		switch known, runtimeOnly := judge(s, places, depth); {
		case known:
			served[l] += s.Value[0]
		case runtimeOnly:
			unsure = append(unsure, s)
		default:
			started[l] += s.Value[0]
			disown(s)
			changed = true
		}
	}
	for _, s := range unsure {
		if l := of(s); started[l] >= served[l] {
			disown(s)
			changed = true
		}
	}
	return changed
}

// judge reports whether the labels of a sample are known to be its own, and
// whether its stack has nothing but the runtime's functions.
func judge(s *profile.Sample, places map[*profile.Function]place, depth int) (known, runtimeOnly bool) {
	frames := 0
	runtimeOnly = true
	for _, location := range s.Location {
		for _, line := range location.Line {
			frames++
			switch places[line.Function] {
			case labelPlace, boundaryPlace:
				return true, false
			case runtimePlace:
			default:
				runtimeOnly = false
			}
		}
	}
	return frames >= depth, runtimeOnly
}

// disown turns the labels of a sample into the one that says where its
// goroutine was started.
func disown(s *profile.Sample) {
	method, region := stacks.Label(s, LabelMethod), stacks.Label(s, LabelRegion)
	by := cmp.Or(region, method) // of a request whose route was not known yet
	if endpoint := stacks.Label(s, LabelEndpoint); endpoint != "" {
		by = strings.TrimSpace(method + " " + endpoint)
	}
	for _, name := range []string{LabelEndpoint, LabelMethod, LabelRegion, LabelSpanID} {
		delete(s.Label, name)
	}
	s.Label[LabelStartedBy] = []string{by}
}

// OtherSamples is the function of the samples that were too many.
const OtherSamples = "_other"
