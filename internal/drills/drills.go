// Package drills is POST /api/drills, which `latido fire` asks: a rule fires on
// purpose, and whoever would hear of it does. How a rule is made to fire is for
// whoever serves it: the process evaluates it, a fleet's server tells Alertmanager.
package drills

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/internal/alert"
	"github.com/latido-dev/latido/internal/evidence"
	"github.com/latido-dev/latido/internal/spelling"
)

const (
	// Path is where drills are served.
	Path = "/api/drills"
	// DeliveriesPath is where a server that counts no deliveries in its own metrics
	// answers with the [Deliveries] that were tried.
	DeliveriesPath = "/api/deliveries"
)

// How a delivery ended.
const (
	OutcomeSuccess = "success"
	OutcomeFailed  = "failed"
)

// Deliveries are how many there were, by receiver and outcome.
type Deliveries map[string]map[string]float64

// Add counts n more.
func (d Deliveries) Add(receiver, outcome string, n float64) {
	if d[receiver] == nil {
		d[receiver] = map[string]float64{}
	}
	d[receiver][outcome] += n
}

// Answer is what is answered to a drill, as JSON.
type Answer struct {
	Alerts    []Alert  `json:"alerts"`
	Receivers []string `json:"receivers"`          // those that hear of them
	Incident  string   `json:"incident,omitempty"` // the address of its page, "" for none
}

// Alert is one of a drill, as it is sent.
type Alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	StartsAt    time.Time         `json:"startsAt"`
}

// Fire has a rule fire as a drill, and returns its alerts as they were sent, with
// [alert.DrillLabel] and their evidence, and the names of the receivers. Alerts that
// come with an error were sent, too.
type Fire func(ctx context.Context, rule alerting.Rule) (fired []alert.Alert, receivers []string, err error)

// maxStarting is how many drills may be started at once.
const maxStarting = 10

// Server serves drills. It is safe for concurrent use.
type Server struct {
	rules   []alerting.Rule
	length  time.Duration
	fire    Fire
	resolve func([]alert.Alert)

	mu       sync.Mutex
	starting int
	stopped  bool
	stop     chan struct{}
	wg       sync.WaitGroup // drills that are started, and those whose alerts fire; added to under mu
}

// New is a server of the drills of some rules. Their alerts fire for length, and
// then resolve is called with them.
func New(rules []alerting.Rule, length time.Duration, fire Fire, resolve func([]alert.Alert)) *Server {
	return &Server{rules: rules, length: length, fire: fire, resolve: resolve, stop: make(chan struct{})}
}

// Stop resolves the alerts of all drills, and returns when that is done. None
// begins after it. A nil Server has nothing to stop.
func (s *Server) Stop() {
	if s == nil {
		return
	}
	s.mu.Lock()
	if !s.stopped {
		s.stopped = true
		close(s.stop)
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// ServeHTTP has the rule that is asked for fire, and answers with an [Answer] as
// soon as its alerts are sent.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Latido-Confirm") != "yes" {
		http.Error(w, "a drill tells the receivers of an alert: send the header Latido-Confirm: yes", http.StatusPreconditionRequired)
		return
	}
	name := r.FormValue("rule")
	if name == "" {
		http.Error(w, "say which rule, as in "+Path+"?rule=NAME", http.StatusBadRequest)
		return
	}
	i := slices.IndexFunc(s.rules, func(r alerting.Rule) bool { return r.Alert == name })
	if i < 0 {
		http.Error(w, s.unknown(name), http.StatusNotFound)
		return
	}
	if !s.begin() {
		http.Error(w, fmt.Sprintf("%d drills are under way, or the service is stopping: try again", maxStarting), http.StatusTooManyRequests)
		return
	}
	defer s.began()
	fired, receivers, err := s.fire(r.Context(), s.rules[i])
	if len(fired) > 0 {
		defer s.wg.Go(func() { s.end(fired) })
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer := Answer{Receivers: append([]string{}, receivers...)}
	for _, a := range fired {
		answer.Alerts = append(answer.Alerts, Alert{a.Labels, a.Annotations, a.StartsAt})
		if page := a.Annotations[evidence.AnnotationIncident]; page != "" {
			answer.Incident = page
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// begin tells whether one more drill may be started.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.starting >= maxStarting || s.stopped {
		return false
	}
	s.starting++
	s.wg.Add(1)
	return true
}

func (s *Server) began() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starting--
	s.wg.Done()
}

// end resolves the alerts of a drill after their time, or at Stop.
func (s *Server) end(fired []alert.Alert) {
	timer := time.NewTimer(s.length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.stop:
	}
	for i := range fired {
		fired[i] = fired[i].Clone() // the answer has the maps
		fired[i].EndsAt = time.Now()
	}
	s.resolve(fired)
}

// unknown says that there is no such rule, and which there are.
func (s *Server) unknown(name string) string {
	var names []string
	for _, r := range s.rules {
		if r.Alert != "" {
			names = append(names, r.Alert)
		}
	}
	if near := spelling.Nearest(name, names); near != "" {
		return fmt.Sprintf("there is no such rule as %q (did you mean %q?)", name, near)
	}
	return fmt.Sprintf("there is no such rule as %q: the rules are %s", name, strings.Join(names, ", "))
}
