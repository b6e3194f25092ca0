package page

import (
	"cmp"
	"math"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/stacks"
)

// profileKind is what a flame graph may be of.
type profileKind struct {
	Key, Kind, Sample string // in the address, continuous' kind, pprof's sample type
	English, Spanish  string
	Level             bool // a stand, not a sum: it is not divided by the time
}

var profileKinds = []profileKind{
	{"cpu", continuous.ProfileCPU, "cpu", "CPU time", "Tiempo de CPU", false},
	{"allocations", continuous.ProfileHeap, "alloc_space", "Allocations", "Memoria asignada", false},
	{"memory", continuous.ProfileHeap, "inuse_space", "Memory in use", "Memoria en uso", true},
	{"goroutines", continuous.ProfileWaits, "goroutine", "Goroutines", "Goroutines", false},
	{"locks", continuous.ProfileMutex, "delay", "Waiting for locks", "Espera por locks", false},
}

// selection is the profile that an address asks for.
type selection struct {
	Kind                 profileKind
	Endpoint, Region     string
	Last, Before         time.Duration // Before is 0 where nothing is compared
	LastText, BeforeText string
}

func selected(r *http.Request) selection {
	s := selection{Kind: profileKinds[0], Endpoint: r.FormValue("endpoint"), Region: r.FormValue("region"),
		LastText: cmp.Or(r.FormValue("last"), "5m"), BeforeText: r.FormValue("before")}
	for _, k := range profileKinds {
		if k.Key == r.FormValue("type") {
			s.Kind = k
		}
	}
	var err error
	if s.Last, err = time.ParseDuration(s.LastText); err != nil || s.Last <= 0 {
		s.Last, s.LastText = 5*time.Minute, "5m"
	}
	if s.Before, err = time.ParseDuration(s.BeforeText); err != nil || s.Before <= 0 {
		s.Before, s.BeforeText = 0, ""
	}
	return s
}

// profile is what is kept of a selection, then for the range before. A sum in it
// is divided by seconds, which is 1 for a level.
func (p *Page) profile(s selection, then bool) (found *profile.Profile, seconds float64, err error) {
	to := time.Now()
	if then {
		to = to.Add(-max(s.Before, s.Last)) // the two ranges share nothing
	}
	all, profiled, err := p.Profiler.Profile(s.Kind.Kind, to.Add(-s.Last), to)
	if err != nil {
		return nil, 0, err
	}
	if seconds = max(profiled.Seconds(), 1); s.Kind.Level {
		seconds = 1
	}
	if s.Endpoint != "" {
		all = p.Profiler.OfEndpoint(all, s.Endpoint)
	}
	if s.Region != "" {
		all.Sample = slices.DeleteFunc(all.Sample, func(one *profile.Sample) bool { return !slices.Contains(one.Label[profiles.LabelRegion], s.Region) })
	}
	return all, seconds, nil
}

type flameView struct {
	head
	selection
	Kinds              []profileKind
	Endpoints, Regions []string
	Rows               []flameRow
	Total, TotalBefore float64 // a second, or as it stands
	Compared, Unknown  bool    // Unknown: nothing is kept of the time before
	Empty              string
	Now, Then          string // where speedscope finds the profiles
	Lasts, Befores     []string
}

// flameRow is what one function costs, and cost before.
type flameRow struct {
	Function, Place      string
	Value, Before, Share float64
}

// What costs less than leastShare of all is left out.
const (
	mostFunctions = 15
	leastShare    = 0.005
)

func (p *Page) flame(r *http.Request) view {
	s := selected(r)
	v := flameView{head: p.head(r.Context(), "flame", p.T("Flame graph", "Gráfico de llamas")), selection: s, Kinds: profileKinds, Compared: s.Before > 0,
		Lasts: []string{"30s", "1m", "2m", "5m", "15m", "1h"}, Befores: []string{"1m", "5m", "10m", "30m", "1h"}}
	unfiltered := s
	unfiltered.Endpoint, unfiltered.Region = "", ""
	if all, _, err := p.profile(unfiltered, false); err == nil {
		v.Endpoints, v.Regions = p.named(s.Kind.Sample, all)
	}
	now, seconds, err := p.profile(s, false)
	if err != nil || len(now.Sample) == 0 {
		v.Empty = p.T("No profile of that is kept for this time. The first one is there some seconds after the start.", "No hay perfil de eso para este tiempo. El primero llega unos segundos después de arrancar.")
		return v
	}
	v.Now, v.Total = s.address(false), profiles.Total(s.Kind.Sample, now)/seconds
	if v.Compared {
		then, before, err := p.profile(s, true)
		if err == nil {
			v.Then, v.TotalBefore = s.address(true), profiles.Total(s.Kind.Sample, then)/before
			for _, c := range profiles.Diff(s.Kind.Sample, then, before, now, seconds) {
				if part := c.Growth / max(v.Total, v.TotalBefore, 1e-12); len(v.Rows) < mostFunctions && math.Abs(part) >= leastShare {
					v.Rows = append(v.Rows, flameRow{c.Function, p.Place(c.File, c.Line), c.After, c.Before, part})
				}
			}
			return v
		}
		v.Compared, v.Unknown = false, true // compared with nothing, all of it would look new
	}
	for _, f := range profiles.TopOf(s.Kind.Sample, now, mostFunctions).Own {
		if f.Share >= leastShare {
			v.Rows = append(v.Rows, flameRow{f.Function, p.Place(f.File, f.Line), f.Self / seconds, 0, f.Share})
		}
	}
	return v
}

// named are the endpoints and regions of a profile, the endpoints that cost the
// most first.
func (p *Page) named(sample string, all *profile.Profile) (endpoints, regions []string) {
	by := p.Profiler.ByEndpoint(sample, all)
	for name := range by {
		if name != "" {
			endpoints = append(endpoints, name)
		}
	}
	slices.SortFunc(endpoints, func(a, b string) int { return cmp.Or(cmp.Compare(by[b], by[a]), cmp.Compare(a, b)) })
	for _, s := range all.Sample {
		for _, name := range s.Label[profiles.LabelRegion] {
			if !slices.Contains(regions, name) && len(regions) < mostListed {
				regions = append(regions, name)
			}
		}
	}
	return endpoints[:min(len(endpoints), mostListed)], regions
}

func (s selection) address(then bool) string {
	q := url.Values{"type": {s.Kind.Key}, "last": {s.LastText}}
	for name, value := range map[string]string{"endpoint": s.Endpoint, "region": s.Region, "before": s.BeforeText} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if then {
		q.Set("then", "1")
	}
	return "../profile?" + q.Encode()
}

// serveProfile serves what a flame graph shows, for speedscope and for go tool
// pprof: a profile with one sample type.
func (p *Page) serveProfile(w http.ResponseWriter, r *http.Request) {
	s := selected(r)
	found, _, err := p.profile(s, r.FormValue("then") != "")
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	i := stacks.Index(found, s.Kind.Sample)
	if i < 0 {
		http.Error(w, "the profile has no "+s.Kind.Sample, http.StatusNotFound)
		return
	}
	found.SampleType, found.DefaultSampleType = found.SampleType[i:i+1], ""
	for _, one := range found.Sample {
		one.Value = one.Value[i : i+1]
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+s.Kind.Key+`.pb.gz"`)
	w.Header().Set("Cache-Control", "no-store")
	_ = found.Write(w)
}

// Amount writes a figure of the selected kind.
func (v flameView) Amount(n float64) string {
	switch v.Kind.Key {
	case "cpu":
		if math.Abs(n) < 0.1 {
			return v.Number(math.Round(n*1e4)/10) + " ms/s"
		}
		return v.Number(n) + v.T(" cores", " núcleos")
	case "allocations":
		return v.Bytes(n) + "/s"
	case "memory":
		return v.Bytes(n)
	case "locks":
		return v.Seconds(n) + v.T(" a second", " por segundo")
	}
	return v.Number(n) + v.T(" a second seen", " vistas por segundo")
}

// Length writes a length of time, as an address has it, for people.
func (v flameView) Length(text string) string {
	return strings.NewReplacer("s", " s", "m", " min", "h", " h").Replace(text)
}

// Short is a function's name without its package's path.
func (w words) Short(function string) string { return stacks.Short(function) }

// Place is a file's name and a line.
func (w words) Place(file string, line int64) string {
	if file == "" {
		return ""
	}
	return path.Base(file) + ":" + strconv.FormatInt(line, 10)
}
