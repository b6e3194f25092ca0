package profiles

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

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
	InUse Top `json:"in_use"`
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
	CPU           Top      `json:"cpu"`
	Allocations   Top      `json:"allocations"`
	Waits         Waits    `json:"waits"`
	Advice        []string `json:"advice,omitempty"`

	cpu, alloc *byFunction
	objects    float64
	samples    float64
	wait       waitPlaces
	methods    map[string]bool
}

// Builder adds profiles up to a report. NewBuilder makes one.
type Builder struct {
	report             *Report
	process            *Usage
	endpoints, regions map[string]*Usage
	started            map[startedKey]*startedSum
	inUse              *byFunction
	looks              int
}

// NewBuilder begins the report of a service.
func NewBuilder(service string) *Builder {
	return &Builder{
		report:    &Report{Service: service},
		process:   newUsage("process"),
		endpoints: map[string]*Usage{}, regions: map[string]*Usage{},
		started: map[startedKey]*startedSum{},
		inUse:   newByFunction(),
	}
}

func newUsage(name string) *Usage {
	return &Usage{Name: name, cpu: newByFunction(), alloc: newByFunction(), methods: map[string]bool{}}
}

func usage(m map[string]*Usage, name string) *Usage {
	if m[name] == nil {
		m[name] = newUsage(name)
	}
	return m[name]
}

// Covers says that the report rests on this time, of which profiled had a CPU
// profile.
func (b *Builder) Covers(from, to time.Time, profiled time.Duration) {
	if b.report.From.IsZero() || from.Before(b.report.From) {
		b.report.From = from
	}
	if to.After(b.report.To) {
		b.report.To = to
	}
	b.report.Profiled += profiled.Seconds()
}

// Empty tells whether nothing is covered so far.
func (b *Builder) Empty() bool { return b.report.To.IsZero() }

// Profiled is how long the CPU profiles are.
func (b *Builder) Profiled() float64 { return b.report.Profiled }

// usages are whose a sample is: the process's, and its endpoint's and region's.
func (b *Builder) usages(s *profile.Sample) []*Usage {
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

// AddCPU adds a CPU profile.
func (b *Builder) AddCPU(p *profile.Profile) {
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

// AddWaits adds a profile of goroutines that were looked at.
func (b *Builder) AddWaits(p *profile.Profile) {
	b.looks += stacks.Rounds(p)
	for _, s := range p.Sample {
		frames := stacks.Of(s)
		if by := stacks.Label(s, LabelStartedBy); by != "" { // no request waits there
			b.addStartedWait(by, frames, float64(s.Value[0]))
			continue
		}
		if Unlabelled(s) {
			continue
		}
		for _, u := range b.usages(s) {
			u.wait.add(frames, float64(s.Value[0]))
		}
	}
}

// AddHeap adds a heap profile; of the last one it is also told what is in use.
func (b *Builder) AddHeap(p *profile.Profile, e Endpoints, last bool) {
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
		if by, inferred := e.OfStack(frames); by.Endpoint != "" {
			u := usage(b.endpoints, by.Endpoint)
			u.AllocInferred = inferred
			list = append(list, u)
		}
		for _, u := range list {
			u.alloc.add(frames, float64(s.Value[space]))
			u.objects += float64(s.Value[objects])
		}
	}
}

// Finish is the report, with top entries in each list. The Builder is of no use
// afterwards.
func (b *Builder) Finish(top int, missing []Missing) *Report {
	r := b.report
	r.Missing = missing
	everywhere := onEveryStack(b.endpoints)
	r.InUse = b.inUse.top(top, nil)
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

func (u *Usage) finish(b *Builder, top int, everywhere map[string]bool) Usage {
	u.CPUSamples = u.samples
	u.CPUSeconds, u.AllocBytes, u.AllocObjects = u.cpu.total, u.alloc.total, u.objects
	u.CPUShare, u.AllocShare = ratio(u.cpu.total, b.process.cpu.total), ratio(u.alloc.total, b.process.alloc.total)
	u.CPU, u.Allocations, u.Waits = u.cpu.top(top, everywhere), u.alloc.top(top, everywhere), u.wait.waits(b.looks, top)
	u.Methods = slices.Sorted(maps.Keys(u.methods))
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
