package cause_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/promname"
)

// explained is what Compared and Explain make of an input that may be anything.
func explained(tb testing.TB, in cause.Input) cause.Result {
	tb.Helper()
	if in.Times == (cause.Times{}) {
		in.Times = cause.Compared(in)
	}
	r := cause.Explain(in)
	if len(r.Findings) == 0 && r.None == "" {
		tb.Error("finds nothing, and does not say what was looked at")
	}
	for i, f := range r.Findings {
		if math.IsNaN(f.Score) || f.Score < 0 || f.Score > 1 {
			tb.Errorf("%s has a score of %g", f.Kind, f.Score)
		}
		if i > 0 && f.Score > r.Findings[i-1].Score {
			tb.Errorf("%s is before %s", r.Findings[i-1].Kind, f.Kind)
		}
		for _, text := range append([]string{f.Sentence, f.Next}, f.Rests...) {
			if nonsense.MatchString(text) {
				tb.Errorf("%s says %q", f.Kind, text)
			}
		}
	}
	if nonsense.MatchString(r.None) && r.None != "" {
		tb.Errorf("says %q", r.None)
	}
	return r
}

// TestMissing: what is not there proves nothing, and ends nothing.
func TestMissing(t *testing.T) {
	host := func(s *service) { s.part("POST /citas", "pay").each.after = 0.6 }
	for name, c := range map[string]struct {
		tell func(s *service)
		cut  func(in *cause.Input)
		kind string // of the first finding, "" for any or none
	}{
		"nothing at all":        {host, func(in *cause.Input) { *in = cause.Input{} }, ""},
		"no series":             {host, func(in *cause.Input) { in.Series = nil }, ""},
		"no profiles":           {host, func(in *cause.Input) { in.Profiles = cause.Profiles{} }, "dependency"},
		"no profiles of before": {func(s *service) { host(s); s.deaf = true }, func(*cause.Input) {}, "dependency"},
		"no looks":              {host, func(in *cause.Input) { in.Profiles.Waits = cause.Pair{} }, "dependency"},
		"CPU and no looks": {func(s *service) { s.part("GET /informes", "work").each.after = 0.4 },
			func(in *cause.Input) { in.Profiles.Waits = cause.Pair{} }, "cpu"},
		"no times": {host, func(in *cause.Input) { in.Times = cause.Times{} }, ""},
		"no series of before": {host, func(in *cause.Input) {
			for i := range in.Series {
				in.Series[i].Points = slices.DeleteFunc(slices.Clone(in.Series[i].Points), func(p cause.Point) bool { return p.At.Before(in.Times.After.From) })
			}
		}, ""},
		"points that are no numbers": {host, func(in *cause.Input) {
			for i := range in.Series {
				in.Series[i].Points = slices.Clone(in.Series[i].Points)
				for k := range in.Series[i].Points {
					if k%7 == i%7 {
						in.Series[i].Points[k].Value = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[k%3]
					}
				}
			}
		}, "dependency"},
		"a series without points":  {host, func(in *cause.Input) { in.Series = append(in.Series, cause.Series{Name: "citas_requests_total"}) }, "dependency"},
		"counters that begin anew": {func(s *service) { host(s); s.restart = 3 * s.step() }, func(*cause.Input) {}, "dependency"},
		"times in the future": {host, func(in *cause.Input) {
			in.Times.After.From, in.Times.After.To = in.Now.Add(time.Hour), in.Now.Add(2*time.Hour)
		}, ""},
		"times that are empty": {host, func(in *cause.Input) {
			in.Times.After.To = in.Times.After.From
			in.Times.Before.To = in.Times.Before.From
		}, ""},
		"times in no order": {host, func(in *cause.Input) { in.Times.Before, in.Times.After = in.Times.After, in.Times.Before }, ""},
		"an unknown metric": {host, func(in *cause.Input) { in.Alert.Metric = "nobody_knows"; in.Alert.Expr = "up == 0" }, ""},
	} {
		for _, fast := range []bool{false, true} {
			t.Run(name+map[bool]string{true: "/fast"}[fast], func(t *testing.T) {
				t.Parallel()
				s := newService(t, "es", fast)
				c.tell(s)
				in := s.input()
				c.cut(&in)
				r := explained(t, in)
				if c.kind != "" && (len(r.Findings) == 0 || r.Findings[0].Kind != c.kind) {
					t.Errorf("does not find %s first\n%s", c.kind, told(r))
				}
			})
		}
	}
}

// TestLarge: 20,000 series and profiles of 200,000 samples are read, in bounded
// memory.
func TestLarge(t *testing.T) {
	s := newService(t, "en", false)
	s.part("POST /citas", "pay").each.after = 0.6
	in := s.input()
	for i := range 20000 {
		one := in.Series[i%40]
		labels := map[string]string{}
		for k, v := range one.Labels {
			labels[k] = v
		}
		if labels["endpoint"] != "" {
			labels["endpoint"] = fmt.Sprintf("/never/%d", i)
		} else {
			labels["extra"] = fmt.Sprint(i)
		}
		points := slices.Clone(one.Points)
		for k := range points {
			points[k].Value = 1
		}
		in.Series = append(in.Series, cause.Series{Name: one.Name, Labels: labels, Points: points})
	}
	b := newProfile("samples/count", "cpu/nanoseconds")
	w := newProfile("goroutines/count")
	w.p.Comments = []string{"rounds=60"}
	for i := range 200000 {
		at := own(fmt.Sprintf("(*Type%d).Method%d", i%50, i%977), i%400)
		labels := map[string]string{"method": "GET", "endpoint": fmt.Sprintf("/never/%d", i%300)}
		b.add(stack([]string{"runtime.mallocgc malloc.go:1"}, at, serving), labels, 1, 1e7)
		w.add(stack([][]string{mutexLock, pgxQuery, httpCall, sqlPool}[i%4], at, serving), labels, 1)
	}
	in.Profiles.CPU.After, in.Profiles.Waits.After, in.Profiles.Goroutines.After = b.p, w.p, w.p
	in.Profiles.Goroutines.Before = w.p
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	in.Times = cause.Compared(in)
	compared := time.Since(began)
	explained(t, in)
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
	t.Logf("compared in %s, explained in %s, %d MiB allocated", compared, took-compared, allocated)
	if allocated > 2000 {
		t.Errorf("allocated %d MiB", allocated)
	}
}

// FuzzExplain: whatever samples and stacks come, something is said, and nothing ends.
func FuzzExplain(f *testing.F) {
	f.Add([]byte{}, uint8(0))
	f.Add([]byte("a seed with some bytes to make series and stacks of: 0123456789"), uint8(3))
	f.Add([]byte{255, 0, 255, 1, 128, 7, 9, 200, 31, 64, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, uint8(9))
	random := rand.New(rand.NewPCG(1, 2))
	for i := range uint8(40) { // long ones, that make whole services
		data := make([]byte, 3000)
		for k := range data {
			data[k] = byte(random.Uint32())
		}
		f.Add(data, i)
	}
	for i := range 12 {
		f.Add(fmt.Appendf(nil, "%d%d%d", i*7919, i*104729, i*1299709), uint8(i*17))
	}
	f.Fuzz(func(t *testing.T, data []byte, what uint8) {
		explained(t, inputOf(t, data, what))
	})
}

// inputOf makes an input from bytes: which series there are, how they move, what
// was seen, and what the alert is about.
func inputOf(tb testing.TB, data []byte, what uint8) cause.Input {
	next := func() byte {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return b
	}
	d := domain.Domain{Prefix: "citas", Entity: "cita", Language: []string{"es", "en"}[what%2],
		Events: []domain.Event{{Name: "reservas", Endpoint: "POST /citas", Attributes: map[string][]string{"canal": {"web"}}}}}
	metrics := d.Metrics()
	now := epoch.Add(time.Duration(next()) * 5 * time.Second)
	in := cause.Input{Domain: d, Now: now, CPUs: int(next()) - 2, Procs: int(next())}
	in.Alert = cause.Alert{Name: "A", Metric: metrics[int(what)%len(metrics)].Key, Op: []string{">", "<", ""}[what%3], Drill: what%5 == 0,
		ActiveAt: now.Add(-time.Duration(next()) * time.Second), Window: time.Duration(next()) * time.Second, Labels: map[string]string{"endpoint": []string{"", "/citas"}[what%2]}}
	value := func() float64 {
		b := next()
		switch b {
		case 255:
			return math.NaN()
		case 254:
			return math.Inf(1)
		case 253:
			return -1
		case 252:
			return 1e300
		}
		return float64(b) * math.Pow(10, float64(b%12)-3)
	}
	for len(data) > 40 {
		m := metrics[int(next())%len(metrics)]
		suffixes := []string{""}
		if m.Kind == domain.KindHistogram {
			suffixes = []string{"_sum", "_count"}
		}
		labels := map[string]string{}
		for _, a := range m.Attributes {
			labels[promname.Label(a)] = []string{"", "/citas", "GET", "500", "499", "web", "timeout", "panic", "used", "a (b.go:1)"}[next()%10]
		}
		for _, suffix := range suffixes {
			s := cause.Series{Name: m.Family + suffix, Labels: labels}
			at := epoch
			for range next() % 32 {
				at = at.Add(time.Duration(next()) * 100 * time.Millisecond)
				s.Points = append(s.Points, cause.Point{At: at, Value: value()})
			}
			in.Series = append(in.Series, s)
		}
	}
	kinds := [][]string{mutexLock, httpCall, sqlPool, pgxQuery, chanSend, chanReceive, sleeping, slogWrite, fileSync, rateLimit, awaitDone, persistConn, nil, {""}, {"."}, {"/"}, {"main"}}
	pair := func(types ...string) cause.Pair {
		build := func() *built {
			b := newProfile(types...)
			for range next() % 8 {
				frames := stack(kinds[int(next())%len(kinds)], own([]string{"(*A).B", "f.G", "(*A).C"}[next()%3], int(next())))
				values := make([]float64, len(types))
				for i := range values {
					values[i] = float64(next()) * 1e7
				}
				b.add(frames, map[string]string{"endpoint": []string{"", "/citas"}[next()%2], "peer": []string{"", "p"}[next()%2], "started_by": []string{"", "GET /citas"}[next()%2]}, values...)
			}
			return b
		}
		return cause.Pair{Before: build().p, After: build().p, BeforeFor: time.Duration(next()) * time.Second, AfterFor: time.Duration(next()) * time.Second}
	}
	in.Profiles = cause.Profiles{CPU: pair("samples/count", "cpu/nanoseconds"), Waits: pair("goroutines/count"), Mutex: pair("contentions/count", "delay/nanoseconds"),
		Heap: pair("alloc_space/bytes", "inuse_space/bytes"), Goroutines: pair("goroutines/count")}
	return in
}
