package evidence

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// Summary is an incident in a list.
type Summary struct {
	ID       string     `json:"id"`
	Kind     string     `json:"kind"`
	Name     string     `json:"name"`
	Severity string     `json:"severity,omitempty"`
	Drill    bool       `json:"drill,omitempty"`
	Endpoint string     `json:"endpoint,omitempty"`
	StartsAt time.Time  `json:"starts_at"`
	EndsAt   *time.Time `json:"ends_at,omitempty"`
	Cause    string     `json:"cause,omitempty"`
	None     string     `json:"none,omitempty"`
	URL      string     `json:"url"` // of the page
}

// Handler serves the incidents:
//
//	GET  /api/incidents                         the list, the newest first; ?alert=NAME
//	GET  /api/incidents/{id}                    one, in JSON
//	GET  /api/findings                          what stands out now, without an alert: Findings in JSON
//	GET  /incidents/                            leads to the list on the page; ?alert=NAME to the newest of that alert
//	GET  /incidents/{id}                        one, for people
//	GET  /incidents/{id}/before.pb.gz           its profiles, also after.pb.gz; trace.out if there is one
//	POST /api/evidence                          an Alertmanager's webhook: see serveWebhook
//
// Who may ask is the caller's business. It is safe for concurrent use.
func (r *Recorder) Handler() http.Handler {
	mux := http.NewServeMux()
	if r == nil {
		return mux
	}
	mux.HandleFunc("GET /api/incidents", r.serveSummaries)
	mux.HandleFunc("GET /api/incidents/{id}", r.serveFile("", fileJSON, "application/json"))
	mux.HandleFunc("GET /api/findings", r.serveFindings)
	mux.HandleFunc("GET /incidents/{$}", r.serveLatest)
	mux.HandleFunc("GET /incidents/{id}", r.serveFile("", fileHTML, "text/html; charset=utf-8"))
	mux.HandleFunc("GET /incidents/{id}/"+fileBefore, r.serveFile("before", fileBefore, "application/octet-stream"))
	mux.HandleFunc("GET /incidents/{id}/"+fileAfter, r.serveFile("after", fileAfter, "application/octet-stream"))
	mux.HandleFunc("GET /incidents/{id}/"+fileTrace, r.serveFile("trace", fileTrace, "application/octet-stream"))
	mux.HandleFunc("POST /api/evidence", r.serveWebhook)
	return mux
}

func (r *Recorder) serveSummaries(w http.ResponseWriter, req *http.Request) {
	list := []Summary{}
	for _, in := range r.named(req.FormValue("alert")) {
		list = append(list, Summary{ID: in.ID, Kind: in.Kind, Name: in.Name, Severity: in.Severity, Drill: in.Drill, Endpoint: in.Endpoint,
			StartsAt: in.StartsAt, EndsAt: in.EndsAt, Cause: in.Cause, None: in.None, URL: r.link(in.ID)})
	}
	writeJSON(w, http.StatusOK, map[string]any{"incidents": list})
}

// named are the incidents of one alert, or all, the newest first.
func (r *Recorder) named(alert string) []*Incident {
	return slices.DeleteFunc(r.kept.list(), func(in *Incident) bool { return alert != "" && in.Name != alert })
}

// serveLatest leads to the newest incident of one alert: the link that an alert
// of a server has, which does not know the incident's id. Without one it leads
// to the list, which the page has. The links are relative: the pages may be
// mounted under a path.
func (r *Recorder) serveLatest(w http.ResponseWriter, req *http.Request) {
	to := "../alerts#incidents"
	if some := r.named(req.FormValue("alert")); req.FormValue("alert") != "" && len(some) > 0 {
		to = some[0].ID
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
}

// serveFile serves one file of an incident, under a name if it is to be saved.
func (r *Recorder) serveFile(saveAs, file, contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		id := req.PathValue("id")
		if !idPattern.MatchString(id) {
			http.Error(w, "no such incident: an id looks like 20060102T150405Z-name-0a1b2c", http.StatusNotFound)
			return
		}
		e := r.kept.find(id)
		if e == nil {
			http.Error(w, "no such incident: it may have been dropped for newer ones", http.StatusNotFound)
			return
		}
		data, err := r.kept.read(e, file)
		if err != nil {
			http.Error(w, "the incident has no "+file, http.StatusNotFound)
			return
		}
		if saveAs != "" {
			w.Header().Set("Content-Disposition", `attachment; filename="`+id+"-"+file+`"`)
		}
		secured(w, contentType)
		_, _ = w.Write(data)
	}
}

// secured sets the headers without which a browser might run what is in a
// label, or keep what is out of date.
func secured(w http.ResponseWriter, contentType string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	secured(w, "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n'))
}
