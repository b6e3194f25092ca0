package evidence

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/latido-dev/latido/internal/alert"
)

// maxEpisodes is how many are remembered. One that is forgotten while its alert
// still fires is gathered for anew at its next resend.
const maxEpisodes = 1000

// restartSlack is how far apart an alert's times may be for it to be the same
// episode: after a restart the rules take up a firing alert about where it was.
const restartSlack = 2 * time.Minute

// episode is one time that an alert fires, from its start until it is resolved.
type episode struct {
	id               string
	activeAt, starts time.Time
	found            chan struct{} // closed once annotations stands
	mu               sync.Mutex
	annotations      map[string]string // guarded by mu once found is closed
	looking          bool              // a resend has it looked for again
	looks            int               // by resends
	saved            chan struct{}     // closed once the incident is kept, or never will be
	restored         bool              // from the incidents of the process before
}

// episodes are those that are known, by the alert's labels: each has evidence
// gathered once, and its resends carry the same.
type episodes struct {
	mu    sync.Mutex
	known map[string]*episode
	order []string // oldest first
}

func newEpisodes() *episodes { return &episodes{known: map[string]*episode{}} }

// of returns the episode that an alert belongs to, and whether it is new: then
// the caller gathers, and closes found and saved.
func (es *episodes) of(a alert.Alert) (e *episode, first bool) {
	key := identity(a.Labels)
	es.mu.Lock()
	defer es.mu.Unlock()
	if e := es.known[key]; e != nil && e.same(a) {
		return e, false
	}
	if a.Resolved() {
		return nil, false
	}
	e = &episode{id: newID(a.StartsAt, a.Name()), activeAt: a.ActiveAt, starts: a.StartsAt, found: make(chan struct{}), saved: make(chan struct{})}
	es.put(key, e)
	return e, true
}

// same tells whether an alert is of this episode. Of one from before a restart
// the times need not be exact.
func (e *episode) same(a alert.Alert) bool {
	if e.restored {
		return within(a.ActiveAt, e.activeAt, restartSlack) || within(a.StartsAt, e.starts, restartSlack)
	}
	return within(a.StartsAt, e.starts, time.Second)
}

func within(a, b time.Time, slack time.Duration) bool { return a.Sub(b).Abs() <= slack }

// restore remembers an episode of the process before, whose alert may still fire.
func (es *episodes) restore(in *Incident, annotations map[string]string) {
	e := &episode{id: in.ID, activeAt: in.ActiveAt, starts: in.StartsAt, found: make(chan struct{}), saved: make(chan struct{}),
		annotations: annotations, restored: true}
	close(e.found)
	close(e.saved)
	es.mu.Lock()
	defer es.mu.Unlock()
	es.put(identity(in.Labels), e)
}

func (es *episodes) put(key string, e *episode) {
	if es.known[key] == nil {
		es.order = append(es.order, key)
	}
	es.known[key] = e
	for len(es.order) > maxEpisodes {
		delete(es.known, es.order[0])
		es.order = slices.Delete(es.order, 0, 1)
	}
}

// identity is what makes an alert the same one: its labels.
func identity(labels map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		b.WriteString(name + "\x00" + labels[name] + "\x00")
	}
	return b.String()
}
