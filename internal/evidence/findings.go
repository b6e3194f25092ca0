package evidence

import (
	"context"
	"net/http"
	"time"

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
	// first. Without any, None says so.
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
	list := in.Findings
	if list == nil {
		list = []cause.Finding{}
	}
	writeJSON(w, http.StatusOK, Findings{Service: r.cfg.Domain.Service(), Language: r.words.Lang(), At: f.input.Now, Window: in.Window, Baseline: in.Baseline,
		Findings: list, None: in.None, Notes: in.Notes})
}
