package evidence

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// judged compares two releases, without a store or profiles.
func judged(before, after measure) *Incident {
	r := &Recorder{cfg: Config{Domain: shop}, words: wordsOf("en")}
	return r.judge(before, after)
}

// figure finds one of a verdict's figures.
func figure(t *testing.T, v *Verdict, name string) Figure {
	t.Helper()
	i := slices.IndexFunc(v.Figures, func(f Figure) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("no %s in %+v", name, v.Figures)
	}
	return v.Figures[i]
}

// TestWorseThanChance: a figure that rose just as much as chance may is not worse, and
// one that rose by the least that counts is.
func TestWorseThanChance(t *testing.T) {
	for name, c := range map[string]struct {
		figure        string
		before, after measure
		worse         bool
	}{
		"CPU at the limit":          {"cpu_per_request", measure{CPU: 1}, measure{CPU: worseCost}, false},
		"CPU beyond it":             {"cpu_per_request", measure{CPU: 1}, measure{CPU: 1.21}, true},
		"CPU that was not measured": {"cpu_per_request", measure{}, measure{CPU: 1}, false},
		"an event at the limit":     {"event_cpu", ofEvent(cost{CPU: 1}), ofEvent(cost{CPU: worseCost}), false},
		"an event beyond it":        {"event_cpu", ofEvent(cost{CPU: 1}), ofEvent(cost{CPU: 1.21}), true},
		"memory at the limit":       {"event_allocated", ofEvent(cost{Allocated: 1}), ofEvent(cost{Allocated: worseCost}), false},
		"memory beyond it":          {"event_allocated", ofEvent(cost{Allocated: 1}), ofEvent(cost{Allocated: 1.21}), true},
		"p95 at the limit":          {"p95", ofEndpoint(red{P95: 1}), ofEndpoint(red{P95: worseP95}), false},
		"p95 beyond it":             {"p95", ofEndpoint(red{P95: 1}), ofEndpoint(red{P95: 1.26}), true},
		"p95 by the least":          {"p95", ofEndpoint(red{}), ofEndpoint(red{P95: leastP95}), true},
		"p95 by less than that":     {"p95", ofEndpoint(red{P95: leastP95}), ofEndpoint(red{P95: 1.9 * leastP95}), false},
		"p95 by less":               {"p95", ofEndpoint(red{}), ofEndpoint(red{P95: 0.0099}), false},
		"p95 fell":                  {"p95", ofEndpoint(red{P95: 1}), ofEndpoint(red{P95: 0.5}), false},
		"errors at the limit":       {"error_ratio", ofEndpoint(red{ErrorRatio: 0.25}), ofEndpoint(red{ErrorRatio: 0.5}), false},
		"errors beyond it":          {"error_ratio", ofEndpoint(red{ErrorRatio: 0.25}), ofEndpoint(red{ErrorRatio: 0.51}), true},
		"errors by the least":       {"error_ratio", ofEndpoint(red{}), ofEndpoint(red{ErrorRatio: leastErrors}), true},
		"errors by less than that":  {"error_ratio", ofEndpoint(red{ErrorRatio: 0.4 * leastErrors}), ofEndpoint(red{ErrorRatio: 1.3 * leastErrors}), false},
		"errors by less":            {"error_ratio", ofEndpoint(red{}), ofEndpoint(red{ErrorRatio: 0.0099}), false},
		"traffic":                   {"rate", ofEndpoint(red{Rate: 1}), ofEndpoint(red{Rate: 100}), false},
	} {
		t.Run(name, func(t *testing.T) {
			v := judged(c.before, c.after).Verdict
			if f := figure(t, v, c.figure); f.Worse != c.worse || v.Worse != c.worse {
				t.Errorf("worse: the figure %v, the release %v", f.Worse, v.Worse)
			}
		})
	}
}

func ofEvent(c cost) measure   { return measure{Events: map[string]cost{"pedidos": c}} }
func ofEndpoint(r red) measure { return measure{Endpoints: map[string]red{"/pedidos": r}} }

// TestComparedWithItself: what is new in a release has nothing to be compared with,
// and hides nothing of the rest.
func TestComparedWithItself(t *testing.T) {
	before := measure{Endpoints: map[string]red{"/old": {Rate: 4, P95: 0.1, ErrorRatio: 0.001}}, Events: map[string]cost{"old": {CPU: 1, Allocated: 1024}}}
	after := measure{Endpoints: map[string]red{"/old": {Rate: 5, P95: 0.1, ErrorRatio: 0.25}}, Events: map[string]cost{"old": {CPU: 1, Allocated: 2048}}}
	for i := range 7 {
		after.Endpoints[fmt.Sprint("/new", i)], after.Events[fmt.Sprint("new", i)] = red{Rate: 1}, cost{CPU: 1}
	}
	for range 20 { // in any order
		v := judged(before, after).Verdict
		var rows []string
		for _, f := range v.Figures {
			rows = append(rows, strings.Join([]string{f.Name, f.Endpoint + f.Event, f.BeforeText, f.AfterText}, " "))
		}
		want := []string{"event_allocated old 1 KiB 2 KiB", "error_ratio /old 0.1 % 25 %", "event_cpu old 1 s 1 s", "p95 /old 100 ms 100 ms", "cpu_per_request  0 ms 0 ms", "rate /old 4 5"}
		if !slices.Equal(rows, want) {
			t.Fatalf("compared are\n%q, want\n%q", rows, want)
		}
	}
}

// TestFiguresInOrder: of figures of a kind the one that rose most is first, one with
// nothing before last, and of those that rose alike it is the name that decides.
func TestFiguresInOrder(t *testing.T) {
	before := measure{Endpoints: map[string]red{"/a": {Rate: 1}, "/b": {Rate: 1}, "/c": {}, "/d": {Rate: 1}}}
	after := measure{Endpoints: map[string]red{"/a": {Rate: 2}, "/b": {Rate: 3}, "/c": {Rate: 9}, "/d": {Rate: 2}}}
	var rates []string
	for _, f := range judged(before, after).Verdict.Figures {
		if f.Name == "rate" {
			rates = append(rates, f.Endpoint)
		}
	}
	if got := strings.Join(rates, " "); got != "/b /a /d /c" {
		t.Errorf("in order %s", got)
	}
}

// TestVerdictNamesThree: a sentence names three figures at most, and an event's as what
// one costs.
func TestVerdictNamesThree(t *testing.T) {
	before := measure{Release: Release{"1", ""}, Endpoints: map[string]red{}, Events: map[string]cost{"pedidos": {CPU: 0.001}}}
	after := measure{Release: Release{"2", ""}, Endpoints: map[string]red{}, Events: map[string]cost{"pedidos": {CPU: 0.002}}}
	for i, endpoint := range []string{"/a", "/b", "/c"} {
		before.Endpoints[endpoint], after.Endpoints[endpoint] = red{P95: 0.1}, red{P95: 0.4 - 0.1*float64(i)}
	}
	if got, want := judged(before, after).Cause, "Since 2 (before: 1): one pedidos costs 100 % more CPU time (1 ms → 2 ms); p95 of /a 100 ms → 400 ms; p95 of /b 100 ms → 300 ms."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestVerdictNamesFunction: the function that grew the most is named, where the
// profiles of both releases can be told by request.
func TestVerdictNamesFunction(t *testing.T) {
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	of := func(cpu, p95 float64, profile ...string) measure { // half of its 6,000 requests are in the profile
		return measure{From: at, To: at.Add(10 * time.Minute), Requests: 6000, Profiled: 300, CPU: cpu, Endpoints: map[string]red{"/a": {P95: p95}}, profile: cpuProfile(profile...)}
	}
	for name, c := range map[string]struct {
		before, after measure
		want          string // what follows the figures, "" for nothing
	}{
		"one of two that grew": {of(0.002, 0.1, "3000 main.a", "3000 main.b"), of(0.002, 0.9, "6000 main.a", "9000 main.b"),
			"; main.b (b.go:20) grew the most, from 1 ms to 3 ms a request"},
		"not one that fell": {of(0.002, 0.1, "9000 main.a", "3000 main.b"), of(0.002, 0.9, "3000 main.a", "6000 main.b"),
			"; main.b (b.go:20) grew the most, from 1 ms to 2 ms a request"},
		"one that is new":             {of(0.002, 0.1, "3000 main.a"), of(0.002, 0.9, "3000 main.a", "6000 main.b"), "; main.b (b.go:20) grew the most, from 0 ms to 2 ms a request"},
		"none that stayed":            {of(0.002, 0.1, "3000 main.a"), of(0.002, 0.9, "3000 main.a"), ""},
		"a tenth of the rise, barely": {of(0.1, 0.1, "3000 main.a"), of(0.109, 0.9, "6000 main.a"), "; main.a (a.go:10) grew the most, from 1 ms to 2 ms a request"},
		"less than a tenth":           {of(0.1, 0.1, "3000 main.a"), of(0.111, 0.9, "6000 main.a"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			for lacks, cut := range map[string]func(before, after *measure){
				"nothing":             func(*measure, *measure) {},
				"requests before":     func(before, _ *measure) { before.Requests = 0 },
				"requests now":        func(_, after *measure) { after.Requests = 0 },
				"profile before":      func(before, _ *measure) { before.profile = nil },
				"profile of this one": func(_, after *measure) { after.profile = nil },
			} {
				before, after := c.before, c.after
				cut(&before, &after)
				want := c.want + "."
				if lacks != "nothing" {
					want = "."
				}
				_, got, _ := strings.Cut(judged(before, after).Cause, "900 ms")
				if got != want {
					t.Errorf("lacks %s: %q, want %q", lacks, got, want)
				}
			}
		})
	}
}

// TestVerdictShowsProfile: the page of a release has its CPU profile where there is one,
// in cores.
func TestVerdictShowsProfile(t *testing.T) {
	before := measure{Profiled: 100, profile: cpuProfile("1000 main.list")}
	after := measure{Profiled: 50, profile: cpuProfile("1000 main.list")}
	in := judged(before, after)
	if len(in.Profiles) != 1 || in.Flame != "cpu" || in.Profiles[0].Before != 0.01 || in.Profiles[0].After != 0.02 {
		t.Errorf("%q, %+v", in.Flame, in.Profiles)
	}
	after.profile = nil
	if in := judged(before, after); in.Profiles != nil || in.Flame != "" {
		t.Errorf("without a profile %q, %+v", in.Flame, in.Profiles)
	}
}
