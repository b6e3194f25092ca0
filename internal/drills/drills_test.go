package drills

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/internal/alert"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var rules = []alerting.Rule{{Alert: "TooHigh"}, {Record: "a:b"}, {Alert: "Broken"}}

// fire is that of TooHigh; Broken cannot fire.
func fire(_ context.Context, rule alerting.Rule) ([]alert.Alert, []string, error) {
	if rule.Alert != "TooHigh" {
		return nil, nil, errors.New("does not fire")
	}
	return []alert.Alert{{
		Labels: map[string]string{"alertname": rule.Alert, alert.DrillLabel: "true"}, Annotations: map[string]string{"incident": "/incidents/1"}, StartsAt: time.Now(),
	}}, []string{"mail"}, nil
}

// asked is a request for a drill.
func asked(s *Server, rule, confirm string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, Path+"?rule="+rule, nil)
	r.Header.Set("Latido-Confirm", confirm)
	s.ServeHTTP(w, r)
	return w
}

// TestLength: the alerts of a drill fire for their time, or until Stop, and are
// resolved then; none begins after Stop.
func TestLength(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			resolved := make(chan alert.Alert, 1)
			s := New(rules, time.Minute, fire, func(all []alert.Alert) { resolved <- all[0] })
			begin := time.Now()
			w := asked(s, "TooHigh", "yes")
			var got Answer
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Alerts) != 1 || got.Alerts[0].Labels["drill"] != "true" ||
				len(got.Receivers) != 1 || got.Incident != "/incidents/1" || !got.Alerts[0].StartsAt.Equal(begin) {
				t.Errorf("%s: %+v, %v", w.Body, got, err)
			}
			want := time.Minute
			if stopped {
				want = 20 * time.Second
				<-time.After(want)
				s.Stop()
			}
			if a := <-resolved; a.EndsAt.Sub(begin) != want || a.Name() != "TooHigh" {
				t.Errorf("stopped %v: resolved %v after its begin, want %v", stopped, a.EndsAt.Sub(begin), want)
			}
			s.Stop() // again
			if w := asked(s, "TooHigh", "yes"); w.Code != http.StatusTooManyRequests {
				t.Errorf("after Stop: %d %s", w.Code, w.Body)
			}
		})
	}
}

// TestUnknownReceivers: what fires is resolved, also where that is all that is known.
func TestUnknownReceivers(t *testing.T) {
	resolved := 0
	s := New(rules, time.Minute, func(ctx context.Context, rule alerting.Rule) ([]alert.Alert, []string, error) {
		fired, _, _ := fire(ctx, rule)
		return fired, nil, errors.New("nobody knows who hears")
	}, func(all []alert.Alert) { resolved += len(all) })
	if w := asked(s, "TooHigh", "yes"); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "nobody knows who hears") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if s.Stop(); resolved != 1 {
		t.Errorf("%d alerts were resolved", resolved)
	}
}

// TestRefused: what is asked wrongly is told with what is right, and nobody hears.
func TestRefused(t *testing.T) {
	s := New(rules, time.Minute, fire, func([]alert.Alert) { t.Error("something fired") })
	defer s.Stop()
	for _, c := range []struct {
		rule, confirm string
		status        int
		says          string
	}{
		{"TooHigh", "", http.StatusPreconditionRequired, "Latido-Confirm: yes"},
		{"", "yes", http.StatusBadRequest, "/api/drills?rule=NAME"},
		{"TooHihg", "yes", http.StatusNotFound, `did you mean "TooHigh"`},
		{"Other", "yes", http.StatusNotFound, "the rules are TooHigh, Broken\n"},
		{"Broken", "yes", http.StatusInternalServerError, "does not fire"},
	} {
		if w := asked(s, c.rule, c.confirm); w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("rule %q, confirmed %q: %d %s, want %d and %s", c.rule, c.confirm, w.Code, w.Body, c.status, c.says)
		}
	}
}

// TestStarting: so many drills start at once, and no more; those that have started
// do not count.
func TestStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		s := New(rules, time.Minute, func(ctx context.Context, rule alerting.Rule) ([]alert.Alert, []string, error) {
			<-hold
			return fire(ctx, rule)
		}, func([]alert.Alert) {})
		codes := make(chan int, 2*maxStarting)
		for range maxStarting {
			go func() { codes <- asked(s, "TooHigh", "yes").Code }()
		}
		synctest.Wait()
		if w := asked(s, "TooHigh", "yes"); w.Code != http.StatusTooManyRequests {
			t.Errorf("one more: %d %s", w.Code, w.Body)
		}
		close(hold)
		for range maxStarting {
			if code := <-codes; code != http.StatusOK {
				t.Errorf("one of the first: %d", code)
			}
		}
		if w := asked(s, "TooHigh", "yes"); w.Code != http.StatusOK {
			t.Errorf("afterwards: %d %s", w.Code, w.Body)
		}
		s.Stop()
	})
}
