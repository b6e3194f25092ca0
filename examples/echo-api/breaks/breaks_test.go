package breaks

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// enter runs f as a goroutine of a break, if it may.
func enter(s *Switch, f func(healed <-chan struct{})) bool {
	healed, leave, ok := s.Enter()
	if ok {
		go func() {
			defer leave()
			f(healed)
		}()
	}
	return ok
}

func TestSwitch(t *testing.T) {
	var none *Switch
	if none.On() {
		t.Error("no switch is on")
	}
	var s Switch
	if s.On() || !s.Until().IsZero() || s.Heal() || enter(&s, nil) {
		t.Error("a switch begins as off")
	}
	if !s.Break() || !s.On() {
		t.Fatal("it is off after Break")
	}
	ended := make(chan bool)
	if !enter(&s, func(healed <-chan struct{}) { <-healed; close(ended) }) {
		t.Error("nobody may enter although the switch is on")
	}
	s.Break() // again: what runs goes on
	select {
	case <-ended:
		t.Error("breaking it again ended what ran")
	default:
	}
	if !s.Heal() || s.On() {
		t.Error("it is on after Heal")
	}
	<-ended
}

// A forgotten break ends by itself, and each Break counts from its own time.
func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Switch
		s.Break()
		time.Sleep(Limit - time.Minute)
		s.Break()
		if until := time.Until(s.Until()); until != Limit {
			t.Errorf("it lasts %s, want %s", until, Limit)
		}
		ended := make(chan bool)
		enter(&s, func(healed <-chan struct{}) { <-healed; close(ended) })
		time.Sleep(Limit - time.Second)
		if !s.On() {
			t.Error("it ended too early")
		}
		time.Sleep(2 * time.Second)
		if s.On() {
			t.Error("it goes on for ever")
		}
		<-ended
		s.Break()
		s.close()
	})
}

func TestClose(t *testing.T) {
	var s Set
	running := make(chan bool, 5)
	for _, b := range s.all() {
		b.Break()
		enter(b.Switch, func(healed <-chan struct{}) { running <- true; <-healed; <-running })
	}
	s.Close()
	if len(running) != 0 {
		t.Error("Close did not wait for who had entered")
	}
	for _, b := range s.all() {
		if b.On() || b.Break() || enter(b.Switch, nil) {
			t.Errorf("%s can be broken after Close", b.Name)
		}
	}
	s.Close()
}

func ask(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:9464"+path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHandler(t *testing.T) {
	var s Set
	defer s.Close()
	h := s.Handler()
	for _, c := range []struct {
		method, path, confirm string
		status                int
		part                  string
	}{
		{"POST", "/break/slow", "", 428, "curl -X POST -H 'Latido-Confirm: yes' http://127.0.0.1:9464/break/slow"},
		{"POST", "/break/slow", "no", 428, "send the header Latido-Confirm: yes"},
		{"DELETE", "/break/slow", "", 428, "curl -X DELETE"},
		{"POST", "/break/fast", "yes", 404, "write one of slow, cpu, errors, leak, silence"},
		{"POST", "/break/", "yes", 405, ""},
		{"PUT", "/break/slow", "yes", 405, ""},
	} {
		w := ask(h, c.method, c.path, confirmHeader, c.confirm)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.part) {
			t.Errorf("%s %s with %q answers %d %s, want %d with %s", c.method, c.path, c.confirm, w.Code, w.Body, c.status, c.part)
		}
	}
	for _, b := range s.all() {
		if b.On() {
			t.Errorf("%s was broken by a request that was refused", b.Name)
		}
		for _, method := range []string{http.MethodPost, http.MethodDelete} {
			w := ask(h, method, "/break/"+b.Name, confirmHeader, "yes")
			var state State
			if err := json.Unmarshal(w.Body.Bytes(), &state); err != nil || w.Code != 200 {
				t.Errorf("%s %s answers %d %s, %v", method, b.Name, w.Code, w.Body, err)
			}
			if state.Name != b.Name || (method == http.MethodPost) != state.Broken || state.Broken != (state.Until != nil) {
				t.Errorf("%s %s answers %s", method, b.Name, w.Body)
			}
		}
	}
	s.Close()
	if w := ask(h, "POST", "/break/slow", confirmHeader, "yes"); w.Code != 503 || s.Slow.On() {
		t.Errorf("after Close it answers %d %s", w.Code, w.Body)
	}
}

func TestList(t *testing.T) {
	var s Set
	defer s.Close()
	s.Leak.Break()
	var states []State
	if err := json.Unmarshal(ask(s.Handler(), "GET", "/break/").Body.Bytes(), &states); err != nil || len(states) != 5 {
		t.Fatalf("%d states, %v", len(states), err)
	}
	for _, state := range states {
		if state.Broken != (state.Name == "leak") || state.Alert == "" || state.Does == "" {
			t.Errorf("the list has %+v", state)
		}
	}
	page := ask(s.Handler(), "GET", "/break/", "Accept", "text/html,application/xhtml+xml").Body.String()
	for _, want := range []string{"<b>broken</b> until", "-X DELETE -H &#39;Latido-Confirm: yes&#39; http://127.0.0.1:9464/break/leak", "-X POST -H &#39;Latido-Confirm: yes&#39; http://127.0.0.1:9464/break/slow"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s:\n%s", want, page)
		}
	}
}

// The table of the package's documentation is that of the pages.
func TestDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var s Set
	for _, b := range s.all() {
		found := false
		for line := range strings.Lines(string(doc)) {
			found = found || strings.HasPrefix(line, "//\t"+b.Name+" ") && strings.Contains(line, b.Alert)
		}
		if !found {
			t.Errorf("doc.go has no line for %s and %s", b.Name, b.Alert)
		}
	}
}
