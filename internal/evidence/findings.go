package evidence

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/cause"
)

// Findings are what stands out now, though no alert need fire. Its JSON form is
// stable: fields are only added.
type Findings struct {
	Service  string    `json:"service"`
	Language string    `json:"language"`
	At       time.Time `json:"at"`
	// Window is the time that is looked at, Baseline what it is compared with.
	Window   Range `json:"window"`
	Baseline Range `json:"baseline"`
	// Findings are the causes of what changed, the one that explains the most
	// first; where nothing stands out yet, those of an alert that fires. Without
	// any, None says so.
	Findings []cause.Finding `json:"findings"`
	None     string          `json:"none,omitempty"`
	Notes    []string        `json:"notes,omitempty"` // what limits it
}

// findingsTimeout bounds how long somebody who asks waits.
const findingsTimeout = 5 * time.Second

// serveFindings says what a person should look at first. One is answered at a
// time.
func (r *Recorder) serveFindings(w http.ResponseWriter, req *http.Request) {
	select {
	case r.asking <- struct{}{}:
		defer func() { <-r.asking }()
	default:
		http.Error(w, "somebody else asks for the findings now: try again", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(req.Context(), findingsTimeout)
	defer cancel()
	asked := cause.Input{Domain: r.cfg.Domain, Now: r.cfg.Now()}
	r.machine(&asked)
	f := r.find(ctx, asked, func(found) {})
	in := &Incident{}
	f.into(in)
	// What has just begun is lost in a minute that was well; an alert knows it.
	if fires := r.fires(); len(in.Findings) == 0 && fires != nil {
		in.Findings, in.None, in.Window, in.Baseline, in.Notes = fires.Findings, "", fires.Window, fires.Baseline, fires.Notes
	}
	list := in.Findings
	if list == nil {
		list = []cause.Finding{}
	}
	writeJSON(w, http.StatusOK, Findings{Service: r.cfg.Domain.Service(), Language: r.words.Lang(), At: f.input.Now, Window: in.Window, Baseline: in.Baseline,
		Findings: list, None: in.None, Notes: in.Notes})
}

// fires is the incident of an alert that fires and has a cause: the newest page,
// or else the newest one; nil for none.
func (r *Recorder) fires() (newest *Incident) {
	for _, in := range r.kept.list() {
		if in.Kind != KindAlert || in.Drill || in.EndsAt != nil || len(in.Findings) == 0 {
			continue
		}
		if in.Severity == string(domain.SeverityPage) {
			return in
		}
		newest = cmp.Or(newest, in)
	}
	return newest
}
