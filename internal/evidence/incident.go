package evidence

import (
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/profiles"
)

// The kinds of an incident.
const (
	KindAlert   = "alert"   // an alert that fired
	KindRelease = "release" // a release, compared with the one before
)

// Incident is what is known about one episode of an alert, or about a release.
// Its JSON form is stable: fields are only added.
type Incident struct {
	ID       string `json:"id"`   // sorts by time
	Kind     string `json:"kind"` // KindAlert or KindRelease
	Name     string `json:"name"` // the alert's
	Severity string `json:"severity,omitempty"`
	Service  string `json:"service"`
	Language string `json:"language"`
	Drill    bool   `json:"drill,omitempty"`
	// Labels and Annotations are the alert's, as it came.
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Value       float64           `json:"value"`
	// ActiveAt is since when the condition holds, StartsAt since when the alert
	// fires, EndsAt when it was resolved.
	ActiveAt time.Time  `json:"active_at,omitzero"`
	StartsAt time.Time  `json:"starts_at"`
	EndsAt   *time.Time `json:"ends_at,omitempty"`
	// Version and Revision are what was running.
	Version  string `json:"version,omitempty"`
	Revision string `json:"revision,omitempty"`

	// Evidence is what was looked for, None why there is none of it.
	Evidence alerting.Evidence `json:"evidence"`
	None     string            `json:"none,omitempty"`
	// Cause is one sentence that names the likely cause: that of the first
	// finding, or of a release's verdict.
	Cause string `json:"cause,omitempty"`
	// Findings are the causes that explain the most, the best one first.
	Findings []cause.Finding `json:"findings,omitempty"`
	// Notes are what limits it: no baseline, a store that did not answer.
	Notes []string `json:"notes,omitempty"`
	// Endpoint is the one that it is about, "" for the whole service.
	Endpoint string `json:"endpoint,omitempty"`
	// Instances are those of a fleet that it is about, the worst first: the findings
	// are about that one. Empty is for all of them alike.
	Instances []string `json:"instances,omitempty"`
	// Window is the time since the alert's figure changed, Baseline what that is
	// compared with: a time that ended before.
	Window   Range `json:"window"`
	Baseline Range `json:"baseline"`

	Profiles   []Section   `json:"profiles,omitempty"` // the first one has the rows hot_1 ...
	Waits      *Waiting    `json:"waits,omitempty"`
	Goroutines *Goroutines `json:"goroutines,omitempty"`
	Errors     []Move      `json:"errors,omitempty"`
	Moved      []Move      `json:"moved,omitempty"` // at the same time
	Slowest    *Slowest    `json:"slowest,omitempty"`
	Deployed   *Deployment `json:"deployed,omitempty"`
	Verdict    *Verdict    `json:"verdict,omitempty"` // of a release
	Files      []string    `json:"files,omitempty"`   // kept beside it
	Flame      string      `json:"flame,omitempty"`   // the sample type of the flame graph
}

// Range is a time that is looked at.
type Range struct {
	From     time.Time `json:"from,omitzero"`
	To       time.Time `json:"to,omitzero"`
	Profiled float64   `json:"profiled_seconds"` // of CPU profile
}

// Section is what one sample type of a profile says about the two times.
type Section struct {
	// Type is "cpu", in seconds; "alloc_space" or "inuse_space", in bytes; or
	// "mutex" or "block", in seconds of waiting.
	Type string `json:"type"`
	// Before and After are all of it: a second, except for inuse_space.
	Before float64 `json:"before"`
	After  float64 `json:"after"`
	// Hot are the functions of the window, Diff what changed since the time
	// before; it is empty without a baseline.
	Hot  profiles.Top      `json:"hot"`
	Diff []profiles.Change `json:"diff,omitempty"`
}

// Waiting says where the requests of an endpoint waited.
type Waiting struct {
	Share  float64        `json:"share"`           // of the goroutines seen, 0 to 1, that waited
	Busy   float64        `json:"busy"`            // CPU seconds for each second that a goroutine was there
	Before float64        `json:"before_mean"`     // waiting at a time, in the baseline
	After  float64        `json:"after_mean"`      // and in the window
	Seen   float64        `json:"seen"`            // goroutines, all looks together
	Looks  int            `json:"looks"`           // how often they were looked at
	Places []WaitingPlace `json:"places,omitzero"` // the most frequent first
}

// WaitingPlace is one place in which requests waited.
type WaitingPlace struct {
	profiles.WaitPlace
	Before float64 `json:"before_mean"` // waiting there at a time
	After  float64 `json:"after_mean"`
}

// Goroutines says which goroutines there are more of.
type Goroutines struct {
	Before     int64                     `json:"before"`
	After      int64                     `json:"after"`
	BeforeTime time.Time                 `json:"before_time,omitzero"`
	Groups     []profiles.GoroutineGroup `json:"groups"` // grown the most first
}

// Move is a figure of the store that moved: how many in the window, and how many
// there would be in as much of the baseline.
type Move struct {
	Name     string  `json:"name"` // an event, or a metric by its short name
	Endpoint string  `json:"endpoint,omitempty"`
	Label    string  `json:"label,omitempty"` // a status, or a type of error
	Before   float64 `json:"before"`
	After    float64 `json:"after"`
}

// Slowest is the slowest request that left a trace.
type Slowest struct {
	TraceID  string    `json:"trace_id"`
	Endpoint string    `json:"endpoint,omitempty"`
	Seconds  float64   `json:"seconds"`
	At       time.Time `json:"at"`
}

// Deployment is a version that took the place of another.
type Deployment struct {
	Before Release   `json:"before"`
	After  Release   `json:"after"`
	At     time.Time `json:"at,omitzero"`
}

// Release is what runs.
type Release struct {
	Version  string `json:"version,omitempty"`
	Revision string `json:"revision,omitempty"`
}

// String is the version, with the start of the revision; "" where neither is
// known.
func (r Release) String() string {
	known := func(s string) string {
		if s == "unknown" || s == "(devel)" {
			return ""
		}
		return s
	}
	version, revision := known(r.Version), known(r.Revision)
	revision = revision[:min(7, len(revision))]
	switch {
	case version == "":
		return revision
	case revision == "":
		return version
	}
	return version + " (" + revision + ")"
}

// leaks tells whether it is about goroutines that are never done.
func (in *Incident) leaks() bool {
	return len(in.Findings) > 0 && in.Findings[0].Kind == "leak"
}
