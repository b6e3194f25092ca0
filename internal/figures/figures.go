// Package figures has the JSON of /metrics-dashboard: how a service is, as the
// service writes it and the page and the command read it.
package figures

import (
	"time"

	"github.com/latido-dev/latido/internal/profiles"
)

// Dashboard is the whole answer. Names in JSON are stable: they are only added.
// A figure that there is no data for is null, a list without entries is empty.
// Durations are in seconds. What is said of a window is about the last
// WindowSeconds, a minute or two while somebody looks regularly.
type Dashboard struct {
	Domain        string     `json:"domain"` // the prefix
	App           string     `json:"app"`
	Entity        string     `json:"entity"`
	Version       string     `json:"version"`
	Revision      string     `json:"revision"`
	UptimeSeconds float64    `json:"uptime_seconds"`
	SystemStatus  string     `json:"system_status"` // healthy, degraded or unhealthy
	Reasons       []string   `json:"reasons"`       // why it is not healthy, in English
	WindowSeconds float64    `json:"window_seconds"`
	System        System     `json:"system"`
	Endpoints     []Route    `json:"endpoints"` // by the time spent in them
	Functions     []Function `json:"functions"` // of Monitor, by the time spent in them
	Events        []Event    `json:"events"`    // one entry a series
	Errors        []Event    `json:"errors"`    // of APIError, those that happened
	Advice        []string   `json:"advice"`    // of the profile, what to look at first
	Problems      []string   `json:"problems"`  // what telemetry itself could not do
	History       History    `json:"history,omitzero"`
}

// History is there on request, by ?history=1: the last minutes, as far back as
// somebody asked for metrics or the dashboard.
type History struct {
	At     []float64             `json:"at"` // seconds since 1970, the oldest first
	All    *Lines                `json:"all"`
	Events map[string][]*float64 `json:"events"` // a minute, or the level of what has one
}

// Lines are the figures of the last minutes, one for each time of History.At. A
// figure that there is no data for is null.
type Lines struct {
	PerSecond  []*float64 `json:"per_second"`
	ErrorRatio []*float64 `json:"error_ratio"`
	P95        []*float64 `json:"p95_seconds"`
}

// System is the machine's, and what the service has in hand.
type System struct {
	CPUPercent        *float64 `json:"cpu_percent"`
	MemoryBytes       *float64 `json:"memory_bytes"`
	DiskPercent       *float64 `json:"disk_percent"`
	ActiveRequests    int64    `json:"active_requests"`
	ActiveConnections int64    `json:"active_connections"`
}

// Route is one endpoint and method.
type Route struct {
	Endpoint string `json:"endpoint"`
	Method   string `json:"method"`
	Requests int64  `json:"requests"` // since the start
	Errors   int64  `json:"errors"`   // status 5xx, since the start

	PerSecond      float64 `json:"requests_per_second"`
	PerSecondStart float64 `json:"requests_per_second_since_start"`
	Rate
	Profile  *Top             `json:"profile"`  // of the endpoint, all its methods
	Statuses map[string]int64 `json:"statuses"` // since the start
	Failures []Failure        `json:"failures"` // of the endpoint, all its methods, since the start; the most frequent first
	Slowest  *Traced          `json:"slowest"`  // the slowest request that left a trace
	History  Lines            `json:"history,omitzero"`
}

// Failure is a function that answered with a status of 400 or more.
type Failure struct {
	Site   string `json:"site"`
	Status string `json:"status"`
	Count  int64  `json:"count"`
}

// Traced is a request that left a trace.
type Traced struct {
	TraceID string    `json:"trace_id"`
	Seconds float64   `json:"seconds"`
	At      time.Time `json:"at"`
}

// Function is one monitored function.
type Function struct {
	Function string `json:"function"`
	Calls    int64  `json:"calls"`  // since the start
	Errors   int64  `json:"errors"` // since the start

	PerSecond      float64 `json:"calls_per_second"`
	PerSecondStart float64 `json:"calls_per_second_since_start"`
	Rate
}

// Rate is over the window.
type Rate struct {
	ErrorRatio  *float64 `json:"error_ratio"`
	P50         *float64 `json:"p50_seconds"`
	P95         *float64 `json:"p95_seconds"`
	P99         *float64 `json:"p99_seconds"`
	TimeSeconds float64  `json:"time_seconds"` // spent in them
}

// Top is what the last minutes' profile says of an endpoint. Shares are of the
// process, 0 to 1.
type Top struct {
	CPUShare       float64              `json:"cpu_share"`
	AllocShare     float64              `json:"alloc_share"`
	Functions      []profiles.Function  `json:"functions"`       // own code by CPU seconds
	AllocFunctions []profiles.Function  `json:"alloc_functions"` // own code by bytes allocated
	Waits          []profiles.WaitPlace `json:"waits"`
	Advice         []string             `json:"advice"`
}

// Event is one series of an event, or of a type of error.
type Event struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
	Value  float64           `json:"value"`           // a histogram's is its sum
	Count  *float64          `json:"count,omitempty"` // of a histogram
}
