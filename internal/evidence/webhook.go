package evidence

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"time"

	"github.com/latido-dev/latido/internal/alert"
)

const (
	// maxWebhook is how long a message of an Alertmanager may be, in bytes, and
	// maxWebhookAlerts how many alerts of it are looked at.
	maxWebhook       = 1 << 20
	maxWebhookAlerts = 100
)

// message is what an Alertmanager posts
// (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config).
type message struct {
	Version string `json:"version"`
	Alerts  []struct {
		Status       string            `json:"status"`
		Labels       map[string]string `json:"labels"`
		Annotations  map[string]string `json:"annotations"`
		StartsAt     time.Time         `json:"startsAt"`
		EndsAt       time.Time         `json:"endsAt"`
		GeneratorURL string            `json:"generatorURL"`
	} `json:"alerts"`
}

// serveWebhook takes alerts from an Alertmanager, which is where they are its
// business and the profiles are here: each of this service's that fires begins
// an incident, and ends it when it is resolved. It answers at once, with how
// many it took: the Alertmanager is not kept waiting, and has no use for the
// evidence. Its alerts link to /incidents/?alert=NAME.
//
// Only application/json is taken, which no page of another site can post.
func (r *Recorder) serveWebhook(w http.ResponseWriter, req *http.Request) {
	if kind, _, err := mime.ParseMediaType(req.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		http.Error(w, "post application/json, as an Alertmanager does", http.StatusUnsupportedMediaType)
		return
	}
	var m message
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxWebhook)).Decode(&m); err != nil {
		http.Error(w, "no message of an Alertmanager: "+clean(err.Error()), http.StatusBadRequest)
		return
	}
	if m.Version != "4" {
		http.Error(w, fmt.Sprintf("version %q of the message: only 4 is known", clean(m.Version)), http.StatusBadRequest)
		return
	}
	taken := []alert.Alert{}
	for _, one := range m.Alerts[:min(len(m.Alerts), maxWebhookAlerts)] {
		a := alert.Alert{Labels: maps.Clone(one.Labels), Annotations: maps.Clone(one.Annotations), StartsAt: one.StartsAt, GeneratorURL: one.GeneratorURL}
		if one.Status == "resolved" {
			a.EndsAt = one.EndsAt
		}
		if a, ours := r.Ours(a); ours {
			taken = append(taken, a)
		}
	}
	if len(taken) > 0 && !r.background(func() { r.take(taken) }) {
		http.Error(w, "the service is stopping", http.StatusServiceUnavailable)
		return
	}
	writeJSON(w, http.StatusAccepted, map[string]int{"taken": len(taken)})
}

// Ours tells whether an alert of a server is one to be explained here, and returns
// it with the time since when its condition holds: a server tells only since when
// it fires. Others' alerts may come along: one without the domain must have a rule
// here.
func (r *Recorder) Ours(a alert.Alert) (alert.Alert, bool) {
	rule, ok := r.rule(a)
	if prefix := a.Labels["domain"]; prefix != r.cfg.Domain.Prefix && (prefix != "" || !ok) || beats(a, rule) {
		return a, false
	}
	a.ActiveAt = a.StartsAt.Add(-rule.For)
	return a, true
}

// take gathers the evidence of each alert, one after the other: a storm does
// not take more of the service than one alert does.
func (r *Recorder) take(alerts []alert.Alert) {
	for _, a := range alerts {
		if r.ctx.Err() != nil {
			return
		}
		r.Enrich(r.ctx, a)
	}
}
