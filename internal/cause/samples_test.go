package cause_test

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/latido-dev/latido/internal/cause"
)

// input is all that the engine gets of the service.
func (s *service) input() cause.Input {
	_, active, now := s.times()
	in := cause.Input{Domain: s.domain, Alert: s.alert, Now: now, CPUs: s.cpus, Procs: s.cpus, Series: s.series(), Grown: s.grown, Opened: s.opened}
	if in.Alert.Name != "" {
		in.Alert.ActiveAt = active
		if in.Alert.Window == 0 {
			in.Alert.Window = time.Minute
		}
		if s.fast {
			in.Alert.Window = max(in.Alert.Window/60, 4*time.Second)
		}
	}
	in.Times = cause.Compared(in)
	if !s.blind {
		in.Profiles = s.profiles(in.Times)
	}
	return in
}

// series are the samples of all.
func (s *service) series() (list []cause.Series) {
	all := slices.Clone(s.more)
	add := func(key, suffix string, value moved, labels ...string) {
		all = append(all, series{key: key, suffix: suffix, labels: pairs(labels), value: value, counter: true})
	}
	type call struct{ peer, query string }
	called, spent := map[call]moved{}, map[call]moved{}
	answers := map[[2]string]moved{}
	cores := s.garbage
	for _, k := range s.cpu {
		cores = cores.plus(k.seen)
	}
	for _, name := range slices.Sorted(maps.Keys(s.endpoints)) {
		e := s.endpoints[name]
		method, path, _ := strings.Cut(name, " ")
		rest := same(1)
		for _, status := range slices.Sorted(maps.Keys(e.status)) {
			share := e.status[status]
			rest = moved{rest.before - share.before, rest.after - share.after}
			add("requests", "", e.requests.times(share), "method", method, "endpoint", path, "status", status)
		}
		add("requests", "", e.requests.times(rest), "method", method, "endpoint", path, "status", "200")
		d := e.duration()
		add("response_duration", "_count", e.requests, "method", method, "endpoint", path)
		add("response_duration", "_sum", e.requests.times(d), "method", method, "endpoint", path)
		for _, le := range []float64{0.005, 0.025, 0.1, 0.5, 2.5, math.Inf(1)} {
			under := moved{1 - math.Exp(-le/d.before), 1 - math.Exp(-le/d.after)}
			add("response_duration", "_bucket", e.requests.times(under), "method", method, "endpoint", path, "le", fmt.Sprint(le))
		}
		for _, part := range slices.Sorted(maps.Keys(e.parts)) {
			p := e.parts[part]
			if p.computes {
				cores = cores.plus(e.requests.times(p.each))
			}
			if p.calls == (moved{}) || p.peer == "" && p.query == "" {
				continue
			}
			k := call{p.peer, p.query}
			called[k] = called[k].plus(e.requests.times(p.calls))
			spent[k] = spent[k].plus(e.requests.times(p.each))
			if p.peer == "" {
				continue
			}
			shares := p.answers
			if shares == nil {
				shares = map[string]moved{"2xx": same(1)}
			}
			for status, share := range shares {
				answers[[2]string{p.peer, status}] = answers[[2]string{p.peer, status}].plus(e.requests.times(p.calls).times(share))
			}
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(called), func(a, b call) int { return cmp.Or(cmp.Compare(a.peer, b.peer), cmp.Compare(a.query, b.query)) }) {
		rate := called[k]
		if k.peer != "" {
			add("client_duration", "_count", rate, "peer", k.peer)
			add("client_duration", "_sum", spent[k], "peer", k.peer)
			continue
		}
		add(":db_client_operation_duration_seconds", "_count", rate, "db_query_summary", k.query)
		add(":db_client_operation_duration_seconds", "_sum", spent[k], "db_query_summary", k.query)
	}
	for _, k := range slices.SortedFunc(maps.Keys(answers), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		add("client_requests", "", answers[k], "peer", k[0], "status", k[1])
	}
	add("process_cpu_time", "", cores)
	usage := cores.plus(s.others).times(same(100 / float64(s.cpus)))
	all = append(all, series{key: "cpu_usage", value: moved{min(usage.before, 100), min(usage.after, 100)}})
	for _, one := range all {
		list = append(list, s.samples(one))
	}
	return list
}

// samples are the points of a series: with noise, and whole where things are counted.
func (s *service) samples(one series) cause.Series {
	var name string
	if own, ok := strings.CutPrefix(one.key, ":"); ok {
		name = s.domain.Prefix + "_" + own + one.suffix
	} else {
		name = s.family(one.key) + one.suffix
	}
	labels := maps.Clone(one.labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels["job"], labels["instance"] = s.domain.Service(), "127.0.0.1:9464"
	change, _, now := s.times()
	seed := fnv.New64a()
	fmt.Fprint(seed, s.seed, one.key, one.suffix, one.labels) // maps are written in order
	random := rand.New(rand.NewPCG(seed.Sum64(), 7))
	step := s.step()
	sum := 1000.0
	whole := one.counter && one.suffix != "_sum" && !strings.Contains(name, "seconds_total")
	out := cause.Series{Name: name, Labels: labels, Points: make([]cause.Point, 0, now.Sub(epoch)/step+1)}
	begun := s.restart == 0
	for at := epoch; !at.After(now); at = at.Add(step) {
		if again := change.Add(s.restart); !begun && !at.Before(again) {
			if at.Before(again.Add(2 * step)) { // nobody answers meanwhile
				continue
			}
			begun, sum = true, 0
		}
		value := one.value.before
		if at.After(change.Add(one.delay)) {
			value = one.value.after
			if one.ramp {
				value = one.value.before + (one.value.after-one.value.before)*at.Sub(change).Seconds()/now.Sub(change).Seconds()
			}
		}
		if one.step {
			value = map[bool]float64{true: 1}[at.After(change)]
			out.Points = append(out.Points, cause.Point{At: at, Value: value})
			continue
		}
		noise := s.noise
		if one.key == "disk_usage" { // nothing else stays so still
			noise /= 50
		}
		noisy := value * (1 + noise*random.NormFloat64())
		if one.counter {
			sum += max(noisy, 0) * step.Seconds()
			noisy = sum
			if whole {
				noisy = math.Floor(sum)
			}
		} else if one.key == "build_info" || one.key == "go_processor_limit" || strings.Contains(one.key, "max") || strings.Contains(one.key, "limit") {
			if noisy = value; value == 0 {
				continue
			}
		}
		out.Points = append(out.Points, cause.Point{At: at, Value: noisy})
	}
	return out
}
