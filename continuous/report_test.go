package continuous_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"github.com/grafana/pyroscope-go/godeltaprof"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/stacks"
	"github.com/latido-dev/latido/internal/testkit"
)

// The workloads of a service: what the report has to find.

func salesStatistics(times int) (sum float64) {
	values := make([]float64, 2000)
	for range times {
		for i := range values {
			values[i] = float64((i * 7919) % 2003)
		}
		slices.Sort(values)
		sum += values[0]
	}
	return sum
}

var catalogue [][]byte

func exportCatalogue(n int) {
	catalogue = nil
	for range n {
		catalogue = append(catalogue, make([]byte, 64<<10))
	}
}

func callSupplier(reply <-chan struct{}) { <-reply }

// labelled runs fn as a request of an endpoint.
func labelled(endpoint string, fn func()) {
	labels := pprof.Labels(profiles.LabelEndpoint, endpoint, profiles.LabelMethod, "GET")
	pprof.Do(context.Background(), labels, func(context.Context) { fn() })
}

// TestReport burns, allocates and waits under three endpoints, and wants each
// bottleneck named, with the profiles that the runtime really writes.
func TestReport(t *testing.T) {
	p := continuous.Filled()
	start := time.Now()
	runtime.GC() // of what other tests leave: its CPU time is none of this one's

	heap := godeltaprof.NewHeapProfiler()
	var buf bytes.Buffer
	if err := heap.Profile(&buf); err != nil {
		t.Fatal(err)
	}
	buf.Reset()
	if err := pprof.StartCPUProfile(&buf); err != nil {
		t.Fatal(err)
	}
	labelled("/reportes/ventas", func() { salesStatistics(20_000) }) // some tenths of a second of CPU time, however busy the machine is
	pprof.StopCPUProfile()
	p.AddCPU(start, start.Add(10*time.Second), bytes.Clone(buf.Bytes()))

	labelled("/catalogo/exportar", func() { exportCatalogue(1000) })
	runtime.GC() // the heap profile is as of the cycle before the last one
	runtime.GC()
	buf.Reset()
	if err := heap.Profile(&buf); err != nil {
		t.Fatal(err)
	}
	p.AddHeap(start, start.Add(10*time.Second), bytes.Clone(buf.Bytes()))
	p.BindEndpoint("", "/catalogo/exportar", "github.com/latido-dev/latido/continuous_test.exportCatalogue")

	reply := make(chan struct{})
	defer close(reply)
	go labelled("/inventario/proveedor", func() { callSupplier(reply) })
	p.AddGoroutines(start, start.Add(10*time.Second), waiting(t, "callSupplier"))

	report, err := p.Report(t.Context(), continuous.ReportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for endpoint, want := range map[string]string{
		"/reportes/ventas":      "continuous_test.salesStatistics",
		"/inventario/proveedor": "wait in continuous_test.callSupplier",
		"/catalogo/exportar":    "continuous_test.exportCatalogue",
	} {
		i := slices.IndexFunc(report.Endpoints, func(u profiles.Usage) bool { return u.Name == endpoint })
		if i < 0 {
			t.Errorf("%s is not in the report", endpoint)
			continue
		}
		if advice := strings.Join(report.Endpoints[i].Advice, " "); !strings.Contains(advice, want) {
			t.Errorf("%s: advice %q, want %q in it", endpoint, advice, want)
		}
	}
	burning := report.Endpoints[0]
	if burning.Name != "/reportes/ventas" || burning.CPUShare < 0.8 || burning.CPU.Own[0].Owner != stacks.Own {
		t.Errorf("the first endpoint is %s with %.2f of the CPU, in %+v", burning.Name, burning.CPUShare, burning.CPU.Own)
	}
	if !slices.Equal(burning.Methods, []string{"GET"}) {
		t.Errorf("methods %q", burning.Methods)
	}
	if place := report.Process.Waits; place.Looks != 4 || place.Mean != 0.25 {
		t.Errorf("waits %+v, want one goroutine in four looks", place)
	}
	if len(report.Advice) < 3 {
		t.Errorf("advice %q, want CPU, waiting and memory", report.Advice)
	}

	t.Run("json", func(t *testing.T) {
		data, err := json.Marshal(report)
		if err != nil {
			t.Fatal(err)
		}
		back, err := profiles.ReadReport(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(back)
		if err != nil || !bytes.Equal(data, again) {
			t.Errorf("a report read back is another one: %v\n%s\n%s", err, data, again)
		}
	})
	t.Run("text", func(t *testing.T) {
		var text strings.Builder
		if err := report.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Look at this first", "salesStatistics", "callSupplier", "exportCatalogue", "report_test.go:"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("no %q in\n%s", want, text.String())
			}
		}
	})
}

// waiting takes a goroutine profile once the function is in it, and writes its
// labelled goroutines as the sampling does, with four looks.
func waiting(t *testing.T, function string) []byte {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); runtime.Gosched() {
		var buf bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&buf, 0); err != nil {
			t.Fatal(err)
		}
		p, err := profile.ParseData(buf.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		p.Sample = slices.DeleteFunc(p.Sample, func(s *profile.Sample) bool { return len(s.Label[profiles.LabelEndpoint]) == 0 })
		if !slices.ContainsFunc(p.Function, func(f *profile.Function) bool { return strings.HasSuffix(f.Name, function) }) || len(p.Sample) == 0 {
			continue
		}
		p.Comments = []string{"rounds=4"}
		buf.Reset()
		if err := p.Write(&buf); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	t.Fatalf("no goroutine waits in %s", function)
	return nil
}

// serving is the function of telemetry that calls a request's handler.
const serving = "github.com/latido-dev/latido/telemetry.(*boundHandler).ServeHTTP"

// cpuOf builds a CPU profile: each line is an endpoint, seconds, and functions
// from the innermost.
func cpuOf(t *testing.T, sampleType, unit string, samples ...[]string) *profile.Profile {
	t.Helper()
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: sampleType, Unit: unit}}}
	functions := map[string]*profile.Location{}
	for _, s := range samples {
		d, err := time.ParseDuration(s[1])
		if err != nil {
			t.Fatal(err)
		}
		sample := &profile.Sample{Value: []int64{int64(d)}}
		if s[0] != "" {
			sample.Label = map[string][]string{profiles.LabelEndpoint: {s[0]}}
		}
		for _, name := range s[2:] {
			location := functions[name]
			if location == nil {
				id := uint64(len(functions) + 1)
				fn := &profile.Function{ID: id, Name: name, Filename: "/src/shop/" + strings.ToLower(name[strings.LastIndexByte(name, '.')+1:]) + ".go"}
				location = &profile.Location{ID: id, Line: []profile.Line{{Function: fn, Line: int64(id * 10)}}}
				functions[name] = location
				p.Function, p.Location = append(p.Function, fn), append(p.Location, location)
			}
			sample.Location = append(sample.Location, location)
		}
		p.Sample = append(p.Sample, sample)
	}
	if err := p.CheckValid(); err != nil {
		t.Fatal(err)
	}
	return p
}

func encode(t *testing.T, p *profile.Profile) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := p.Write(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// TestReportText is what a person reads.
func TestReportText(t *testing.T) {
	p := continuous.Filled()
	start := time.Date(2026, 1, 2, 15, 4, 0, 0, time.UTC)
	end := start.Add(10 * time.Second)
	serve := []string{"net/http.HandlerFunc.ServeHTTP", "net/http.(*conn).serve"}
	p.AddCPU(start, end, encode(t, cpuOf(t, "cpu", "nanoseconds",
		append([]string{"/reportes/ventas", "3s", "slices.insertionSortOrdered[go.shape.float64]", "slices.Sort[go.shape.float64]", "main.salesStatistics", "main.reportHandler"}, serve...),
		append([]string{"/reportes/ventas", "500ms", "runtime.mallocgc", "main.reportHandler"}, serve...),
		append([]string{"/pedidos", "250ms", "encoding/json.Marshal", "main.listOrders"}, serve...),
		[]string{"", "250ms", "runtime.gcBgMarkWorker"},
	)))
	report, err := p.Report(t.Context(), continuous.ReportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := report.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	testkit.Golden(t, "testdata/report.golden.txt", text.Bytes())
}

// TestInferredEndpoint gives allocations to an endpoint that nobody bound, by a
// function that only its requests run.
func TestInferredEndpoint(t *testing.T) {
	p := continuous.Filled()
	start := time.Now()
	p.AddCPU(start, start.Add(time.Second), encode(t, cpuOf(t, "cpu", "nanoseconds",
		[]string{"/a", "1s", "main.encode", "main.handleA", "main.middleware", serving},
		[]string{"/b", "1s", "main.encode", "main.handleB", "main.middleware", serving},
	)))
	heap := cpuOf(t, "alloc_space", "bytes",
		[]string{"", "300ns", "main.encode", "main.handleA", "main.middleware", serving},
		[]string{"", "100ns", "main.encode", "main.handleB", "main.middleware", serving},
		[]string{"", "50ns", "main.encode", "main.middleware", serving},
	)
	heap.SampleType = append(heap.SampleType, &profile.ValueType{Type: "alloc_objects", Unit: "count"})
	for _, s := range heap.Sample {
		s.Value = append(s.Value, 1)
	}
	p.AddHeap(start, start.Add(time.Second), encode(t, heap))
	report, err := p.Report(t.Context(), continuous.ReportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{"process": report.Process.AllocBytes}
	for _, u := range report.Endpoints {
		got[u.Name] = u.AllocBytes
		if !u.AllocInferred {
			t.Errorf("%s: AllocInferred is false", u.Name)
		}
	}
	if want := map[string]float64{"/a": 300, "/b": 100, "process": 450}; !reflect.DeepEqual(got, want) {
		t.Errorf("bytes %v, want %v", got, want)
	}
}

// TestStartedInTheReport: a cache that a request has started is nobody's CPU
// time, and a finding of its own. A few samples are not called a share.
func TestStartedInTheReport(t *testing.T) {
	p := continuous.Filled()
	start := time.Now()
	by := func(p *profile.Profile) *profile.Profile {
		for _, s := range p.Sample {
			if e := s.Label[profiles.LabelEndpoint]; len(e) > 0 && strings.Contains(e[0], " ") {
				s.Label = map[string][]string{profiles.LabelStartedBy: e}
			}
		}
		return p
	}
	p.AddCPU(start, start.Add(10*time.Second), encode(t, by(cpuOf(t, "cpu", "nanoseconds",
		[]string{"GET /prices", "9s", "slices.Sort", "main.refresh", "sync.(*Once).Do.func1"},
		[]string{"/prices", "100ms", "main.prices", serving},
	))))
	waits := cpuOf(t, "goroutine", "count",
		[]string{"POST /signup", "4ns", "runtime.chanrecv", "main.mailer"},
		[]string{"POST /signup", "800ns", "runtime.selectgo", "net/http.(*persistConn).readLoop"},
		[]string{"/signup", "4ns", "runtime.selectgo", "main.signup", serving})
	waits.Comments = []string{"rounds=4"}
	p.AddGoroutines(start, start.Add(10*time.Second), encode(t, by(waits)))
	report, err := p.Report(t.Context(), continuous.ReportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range report.Started {
		got = append(got, fmt.Sprintf("%s %s %.2f %.0f %s", s.By, s.Function, s.CPUShare, s.Goroutines, s.Reason))
	}
	want := []string{
		"GET /prices main.refresh 0.99 0 ", "POST /signup main.mailer 0.00 1 channel receive", "POST /signup net/http.(*persistConn).readLoop 0.00 200 select",
	}
	if !slices.Equal(got, want) {
		t.Errorf("started\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, u := range report.Endpoints {
		switch {
		case u.Name == "/prices" && u.CPUShare > 0.02, u.Name == "/signup" && (u.Waits.Seen != 4 || u.Waits.Places[0].Share != 1):
			t.Errorf("%s has what it has started: CPU %v, waits %+v", u.Name, u.CPUShare, u.Waits)
		}
	}
	advice := strings.Join(report.Advice, "\n")
	for _, want := range []string{
		"started by GET /prices and still running: main.refresh", "99 % of the service's CPU",
		"started by POST /signup and still running: http.(*persistConn).readLoop", "200 such goroutines",
	} {
		if !strings.Contains(advice, want) {
			t.Errorf("advice\n%s\nwant %q in it", advice, want)
		}
	}
	var text strings.Builder
	if err := report.WriteText(&text); err != nil || !strings.Contains(text.String(), "main.mailer") || !strings.Contains(text.String(), "by 10 samples only") {
		t.Errorf("text\n%s\nwant main.mailer, and that /prices has 10 samples only (%v)", text.String(), err)
	}
}

func TestReportNothing(t *testing.T) {
	if _, err := continuous.Filled().Report(t.Context(), continuous.ReportOptions{}); !errors.Is(err, continuous.ErrNothing) {
		t.Errorf("error %v, want ErrNothing", err)
	}
	var none *continuous.Profiler
	if _, err := none.Report(t.Context(), continuous.ReportOptions{}); !errors.Is(err, continuous.ErrNothing) {
		t.Errorf("a nil Profiler: error %v, want ErrNothing", err)
	}
}

func TestDiff(t *testing.T) {
	before := cpuOf(t, "cpu", "nanoseconds", []string{"", "1s", "main.same"}, []string{"", "1s", "slices.Sort", "main.grew"}, []string{"", "2s", "main.gone"})
	after := cpuOf(t, "cpu", "nanoseconds", []string{"", "2s", "main.same"}, []string{"", "8s", "slices.Sort", "main.grew"}, []string{"", "1s", "main.new"})
	changes := profiles.Diff("cpu", before, 10, after, 20)
	var got []string
	for _, c := range changes {
		got = append(got, c.Function)
	}
	if want := []string{"main.grew", "main.gone", "main.new", "main.same"}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
	if c := changes[0]; c.Before != 0.1 || c.After != 0.4 || c.Line == 0 {
		t.Errorf("%+v, want 0.1 before and 0.4 after, with a line", c)
	}
	if len(profiles.Diff("cpu", nil, 0, after, 20)) != 3 {
		t.Error("without a profile before, everything is new")
	}
}

// BenchmarkReport reads a minute of profiles, six windows of 200 stacks.
func BenchmarkReport(b *testing.B) {
	p := continuous.Filled()
	start := time.Now()
	samples := make([][]string, 200)
	for i := range samples {
		samples[i] = []string{"/e" + string(rune('a'+i%20)), "10ms", "runtime.mallocgc", "main.f" + string(rune('a'+i%26)), "main.handler"}
	}
	var buf bytes.Buffer
	if err := cpuOf(&testing.T{}, "cpu", "nanoseconds", samples...).Write(&buf); err != nil {
		b.Fatal(err)
	}
	for i := range 6 {
		from := start.Add(time.Duration(i) * 10 * time.Second)
		p.AddCPU(from, from.Add(10*time.Second), buf.Bytes())
	}
	for b.Loop() {
		if _, err := p.Report(context.Background(), continuous.ReportOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
