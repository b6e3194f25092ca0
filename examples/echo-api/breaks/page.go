package breaks

import (
	"encoding/json"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// Path is where the pages are on the admin listener.
const Path = "/break/"

// Nobody breaks a shop by a link or a slip: who means it sends this header.
const (
	confirmHeader = "Latido-Confirm"
	confirmValue  = "yes"
)

// State is one switch as the pages have it in JSON.
type State struct {
	Name   string     `json:"name"`
	Does   string     `json:"does"`
	Alert  string     `json:"alert"` // the one that sees it
	Broken bool       `json:"broken"`
	Until  *time.Time `json:"until,omitempty"` // when it ends by itself
}

func (b named) state() State {
	s := State{Name: b.Name, Does: b.Does, Alert: b.Alert}
	if until := b.Until(); !until.IsZero() {
		s.Broken, s.Until = true, &until
	}
	return s
}

// Handler serves the switches under [Path]: GET lists them, POST /break/NAME
// breaks and DELETE /break/NAME heals. The last two need the header
// Latido-Confirm: yes. It belongs on the admin listener only.
func (s *Set) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path+"{$}", s.list)
	mux.HandleFunc("POST "+Path+"{name}", s.change(func(b named) bool {
		if !b.Break() {
			return false
		}
		slog.Warn("the shop is broken on purpose", "break", b.Name, "until", b.Until().Format(time.TimeOnly), "alert", b.Alert)
		return true
	}))
	mux.HandleFunc("DELETE "+Path+"{name}", s.change(func(b named) bool {
		if b.Heal() {
			slog.Info("the shop is healed", "break", b.Name)
		}
		return true
	}))
	return mux
}

// change answers with what a switch is after do, which reports false if the
// shop is closing.
func (s *Set) change(do func(named) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b, ok := s.find(r.PathValue("name"))
		switch {
		case !ok:
			http.Error(w, "there is no such break: write one of "+s.names(), http.StatusNotFound)
		case r.Header.Get(confirmHeader) != confirmValue:
			http.Error(w, fmt.Sprintf("this changes how the shop works: send the header %s: %s to say that you mean it, as in\n  %s",
				confirmHeader, confirmValue, command(r, r.Method, b.Name)), http.StatusPreconditionRequired)
		case !do(b):
			http.Error(w, "the shop is closing", http.StatusServiceUnavailable)
		default:
			writeJSON(w, b.state())
		}
	}
}

func (s *Set) names() string {
	var names []string
	for _, b := range s.all() {
		names = append(names, b.Name)
	}
	return strings.Join(names, ", ")
}

// command is how to break or heal something on the listener that r came to.
func command(r *http.Request, method, name string) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return Curl(method, scheme+"://"+r.Host, name)
}

// Curl is the command that breaks (POST) or heals (DELETE) something, where
// adminURL is that of the admin listener.
func Curl(method, adminURL, name string) string {
	return fmt.Sprintf("curl -X %s -H '%s: %s' %s%s%s", method, confirmHeader, confirmValue, adminURL, Path, name)
}

var listPage = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Break it</title>
<h1>Break it</h1>
<table border="1" cellpadding="5">
<tr><th>break<th>what happens<th>alert<th>now<th>command
{{range .}}<tr><td>{{.Name}}<td>{{.Does}}<td>{{.Alert}}<td>{{if .Broken}}<b>broken</b> until {{.Until.Format "15:04:05"}}{{else}}works{{end}}<td><code>{{.Command}}</code>
{{end}}</table>
`))

// list shows the switches: as a page to a browser, in JSON to anybody else.
func (s *Set) list(w http.ResponseWriter, r *http.Request) {
	type row struct {
		State
		Command string `json:"command"` // that changes it
	}
	var rows []row
	for _, b := range s.all() {
		method := http.MethodPost
		if b.On() {
			method = http.MethodDelete
		}
		rows = append(rows, row{b.state(), command(r, method, b.Name)})
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		writeJSON(w, rows)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = listPage.Execute(w, rows)
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(value)
}
