package continuous

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

// ReportOptions choose what a report is about. The zero value is all that is
// kept.
type ReportOptions struct {
	From, To time.Time // a zero time leaves its side open
	Top      int       // entries in each list; 0 means 5
}

// Report says where the time and the memory of a service go. Its JSON form is
// stable: fields are only added.
type Report struct {
	Service string    `json:"service"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	// Profiled is how many seconds of the range have a CPU profile. It is less
	// than the range where another CPU profile ran.
	Profiled float64 `json:"profiled_seconds"`
	// Advice says in words what to look at first, and what is not known.
	Advice []string `json:"advice"`
	// Missing says what was not measured in that time, and why.
	Missing []Missing `json:"missing,omitempty"`
	// Endpoints are sorted by CPU time, then by waiting and allocations.
	Endpoints []Usage `json:"endpoints"`
	// Regions are the functions that Region and telemetry's Monitor name.
	Regions []Usage `json:"regions"`
	// Started are goroutines that a request or region started and that go on by
	// themselves. They are in no endpoint's figures.
	Started []Started `json:"started,omitempty"`
	// Process is all of it, samples without an endpoint too.
	Process Usage `json:"process"`
	// InUse is the heap as it was at the end: what keeps memory, in bytes.
	InUse Hot `json:"in_use"`
}

// Usage is what one endpoint, region or the process uses.
type Usage struct {
	Name         string   `json:"name"`
	Methods      []string `json:"methods,omitempty"`
	CPUSeconds   float64  `json:"cpu_seconds"`
	CPUShare     float64  `json:"cpu_share"`   // of the process, 0 to 1
	CPUSamples   float64  `json:"cpu_samples"` // what both rest on: below 20 they say little
	AllocBytes   float64  `json:"alloc_bytes"`
	AllocObjects float64  `json:"alloc_objects"`
	AllocShare   float64  `json:"alloc_share"` // of the process, 0 to 1
	// AllocInferred says that nobody bound the endpoint's handler: its
	// allocations are those under functions that only its requests run.
	AllocInferred bool     `json:"alloc_inferred,omitempty"`
	CPU           Hot      `json:"cpu"`
	Allocations   Hot      `json:"allocations"`
	Waits         Waits    `json:"waits"`
	Advice        []string `json:"advice,omitempty"`

	cpu, alloc *tally
	objects    float64
	samples    float64
	wait       waitTally
	methods    map[string]bool
}

// ErrNothing says that no window of the range is kept.
var ErrNothing = errors.New("no profile is kept for that time")

// errOff is ErrNothing of a Profiler that was not started.
var errOff = fmt.Errorf("profiling is off in this service: %w", ErrNothing)

// Report reads what the ring has. It parses it all, which takes about a
// hundredth of the time that was profiled (BenchmarkReport). It returns
// ErrNothing, wrapped, before the first window ends.
func (p *Profiler) Report(ctx context.Context, o ReportOptions) (*Report, error) {
	if !p.running() {
		return nil, errOff
	}
	if o.Top <= 0 {
		o.Top = 5
	}
	b := builder{
		report:    &Report{Service: p.cfg.Service},
		process:   newUsage("process"),
		endpoints: map[string]*Usage{}, regions: map[string]*Usage{},
		started: map[startedKey]*startedTally{},
		inUse:   newTally(),
	}
	parsed, seen := map[kind][]*profile.Profile{}, map[kind]bool{}
	for _, c := range p.ring.between(kindGap, o.From, o.To) {
		b.covers(c)
	}
	for _, k := range []kind{kindCPU, kindGoroutine, kindHeap} {
		for _, c := range p.ring.between(k, o.From, o.To) {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("report: %w", context.Cause(ctx))
			}
			one, err := c.parse()
			if err != nil {
				return nil, err
			}
			parsed[k], seen[k] = append(parsed[k], one), true
			b.covers(c)
		}
	}
	if b.report.To.IsZero() {
		return nil, fmt.Errorf("%w: the first window ends %v after the start", ErrNothing, p.cfg.Interval)
	}
	for _, one := range parsed[kindCPU] {
		b.addCPU(one)
	}
	for _, one := range parsed[kindGoroutine] {
		b.addWaits(one)
	}
	h := p.handlers()
	h.infer(slices.Concat(parsed[kindCPU], parsed[kindGoroutine]))
	for i, one := range parsed[kindHeap] {
		b.addHeap(one, h, i == len(parsed[kindHeap])-1)
	}
	b.report.Missing = p.missing(o, b.report, seen)
	return b.finish(o.Top), nil
}

// builder adds profiles up to a report.
type builder struct {
	report             *Report
	process            *Usage
	endpoints, regions map[string]*Usage
	started            map[startedKey]*startedTally
	inUse              *tally
	looks              int
}

func newUsage(name string) *Usage {
	return &Usage{Name: name, cpu: newTally(), alloc: newTally(), methods: map[string]bool{}}
}

func usage(m map[string]*Usage, name string) *Usage {
	if m[name] == nil {
		m[name] = newUsage(name)
	}
	return m[name]
}

func (b *builder) covers(c capture) {
	if b.report.From.IsZero() || c.from.Before(b.report.From) {
		b.report.From = c.from
	}
	if c.to.After(b.report.To) {
		b.report.To = c.to
	}
	if c.kind == kindCPU {
		b.report.Profiled += c.to.Sub(c.from).Seconds()
	}
}

// usages are whose a sample is: the process's, and its endpoint's and region's.
func (b *builder) usages(s *profile.Sample) []*Usage {
	list := []*Usage{b.process}
	if endpoint := stacks.Label(s, LabelEndpoint); endpoint != "" {
		u := usage(b.endpoints, endpoint)
		if method := stacks.Label(s, LabelMethod); method != "" {
			u.methods[method] = true
		}
		list = append(list, u)
	}
	if region := stacks.Label(s, LabelRegion); region != "" {
		list = append(list, usage(b.regions, region))
	}
	return list
}

func (b *builder) addCPU(p *profile.Profile) {
	i := stacks.Index(p, "cpu")
	if i < 0 {
		return
	}
	period := float64(p.Period) // of CPU time between two samples
	if period <= 0 {
		period = 1e7 // the runtime's 100 Hz
	}
	for _, s := range p.Sample {
		frames := stacks.Of(s)
		value := float64(s.Value[i])
		for _, u := range b.usages(s) {
			u.cpu.add(frames, value/1e9)
			u.samples += value / period
		}
		if by := stacks.Label(s, LabelStartedBy); by != "" {
			b.addStartedCPU(by, frames, value/1e9)
		}
	}
}

func (b *builder) addWaits(p *profile.Profile) {
	b.looks += stacks.Rounds(p)
	for _, s := range p.Sample {
		frames := stacks.Of(s)
		if by := stacks.Label(s, LabelStartedBy); by != "" { // no request waits there
			b.addStartedWait(by, frames, float64(s.Value[0]))
			continue
		}
		if unlabelled(s) {
			continue
		}
		for _, u := range b.usages(s) {
			u.wait.add(frames, float64(s.Value[0]))
		}
	}
}

func (b *builder) addHeap(p *profile.Profile, h handlers, last bool) {
	space, objects, inUse := stacks.Index(p, "alloc_space"), stacks.Index(p, "alloc_objects"), stacks.Index(p, "inuse_space")
	for _, s := range p.Sample {
		frames := stacks.Of(s)
		if last && inUse >= 0 {
			b.inUse.add(frames, float64(s.Value[inUse]))
		}
		if space < 0 || objects < 0 || s.Value[space] == 0 {
			continue
		}
		list := []*Usage{b.process}
		if by, inferred := h.endpoint(frames); by.endpoint != "" {
			u := usage(b.endpoints, by.endpoint)
			u.AllocInferred = inferred
			list = append(list, u)
		}
		for _, u := range list {
			u.alloc.add(frames, float64(s.Value[space]))
			u.objects += float64(s.Value[objects])
		}
	}
}

func (b *builder) finish(top int) *Report {
	r := b.report
	everywhere := plumbing(b.endpoints)
	r.InUse = b.inUse.hot(top, nil)
	r.Process = b.process.finish(b, top, nil)
	for _, u := range b.endpoints {
		r.Endpoints = append(r.Endpoints, u.finish(b, top, everywhere))
	}
	for _, u := range b.regions {
		r.Regions = append(r.Regions, u.finish(b, top, everywhere))
	}
	order := func(a, b Usage) int {
		return cmp.Or(cmp.Compare(b.CPUSeconds, a.CPUSeconds), cmp.Compare(b.Waits.Mean, a.Waits.Mean),
			cmp.Compare(b.AllocBytes, a.AllocBytes), cmp.Compare(a.Name, b.Name))
	}
	slices.SortFunc(r.Endpoints, order)
	slices.SortFunc(r.Regions, order)
	r.Started = b.finishStarted(top)
	r.advise()
	return r
}

func (u *Usage) finish(b *builder, top int, plumbing map[string]bool) Usage {
	u.CPUSamples = u.samples
	u.CPUSeconds, u.AllocBytes, u.AllocObjects = u.cpu.total, u.alloc.total, u.objects
	u.CPUShare, u.AllocShare = ratio(u.cpu.total, b.process.cpu.total), ratio(u.alloc.total, b.process.alloc.total)
	u.CPU, u.Allocations, u.Waits = u.cpu.hot(top, plumbing), u.alloc.hot(top, plumbing), u.wait.waits(b.looks, top)
	for method := range u.methods {
		u.Methods = append(u.Methods, method)
	}
	slices.Sort(u.Methods)
	return *u
}

func ratio(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return part / whole
}

// maxReport is how long a report may be that ReadReport reads, in bytes.
const maxReport = 16 << 20

// ReadReport reads the JSON form of a report, as /debug/report?format=json
// serves it. It returns an error for anything else, or more than 16 MiB.
func ReadReport(r io.Reader) (*Report, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxReport+1))
	if err != nil {
		return nil, fmt.Errorf("read the report: %w", err)
	}
	if len(data) > maxReport {
		return nil, fmt.Errorf("read the report: longer than %d MiB", maxReport>>20)
	}
	var report Report
	if err := json.Unmarshal(data, &report); err != nil {
		return nil, fmt.Errorf("read the report: %w", err)
	}
	return &report, nil
}
