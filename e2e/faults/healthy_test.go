package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/e2e/servers"
)

// shortHealthy is the healthy time that runs with the other tests.
const shortHealthy = 70 * time.Second

// nothing is how a cause says that there is none.
var nothing = regexp.MustCompile(`(?i)nothing explains`)

// noCPU is how a cause says that the machine has none left for the service.
var noCPU = regexp.MustCompile(`Other processes on the machine use the CPU|and have no CPU`)

// TestHealthy has half the traffic and half as much again, two releases, and a
// garbage collector that is kept busy below the limit of its memory. No alert
// may fire. Drills of every rule are told that nothing explains them.
func TestHealthy(t *testing.T) {
	length, fast, long := shortHealthy, pace != "normal", false
	if text := os.Getenv("HEALTHY"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		length, long = d, true
	}
	w := newWorld(t, fast, setting{env: []string{"GOGC=30", "GOMEMLIMIT=400MiB"}})
	w.warmUp()
	start, releases := time.Now(), 0
	drill := w.drills()
	var causes []string // of drills, which have none
	steps := 24
	for step := range steps {
		end := start.Add(length * time.Duration(step+1) / time.Duration(steps))
		tr := usual()
		tr.rate *= []float64{1, 1.5, 1, 0.5, 1.5, 0.5}[step%6]
		w.load.change(tr)
		if step == steps/3 || step == 2*steps/3 {
			releases++
			w.release(fmt.Sprintf("1.%d.0", releases), "")
		}
		for time.Now().Before(end) {
			time.Sleep(100 * time.Millisecond)
		}
		switch said := drill(); {
		case said == "":
		case !long && noCPU.MatchString(said) && w.starved(time.Now()):
			t.Logf("a drill has a cause, while the machine has no CPU left: %s", said)
		default:
			causes = append(causes, said)
			t.Errorf("a drill has a cause: %s", said)
		}
	}
	alerts := 0
	for _, n := range w.hook.firing(start) {
		if n.Labels["drill"] != "" {
			continue
		}
		if !long && w.starved(n.StartsAt) {
			t.Logf("%s fired while the machine had no CPU left", n.Labels["alertname"])
			continue
		}
		alerts++
		t.Errorf("%s %s fired in a healthy time: %v", n.Labels["alertname"], n.Labels["endpoint"], n.Annotations)
	}
	if long {
		update(t, func(r *results) {
			if r.Healthy == nil {
				r.Healthy = map[string]healthy{}
			}
			p := "fast"
			if !fast {
				p = "normal"
			}
			r.Healthy[p] = healthy{length.Minutes(), alerts, w.drilled, len(causes), time.Now().UTC().Format(time.DateOnly)}
		})
	}
}

// drills returns a function that fires the next rule by hand, and returns the
// cause that it was given, "" for none.
func (w *world) drills() func() string {
	var rules []string
	servers.WaitFor(w, servers.Patience, "the rules", func() error {
		data, err := w.get("/api/v1/rules?type=alert")
		if err != nil {
			return err
		}
		var answer struct {
			Data struct {
				Groups []struct {
					Rules []struct{ Name string }
				}
			}
		}
		if err := json.Unmarshal(data, &answer); err != nil {
			return err
		}
		rules = nil
		for _, g := range answer.Data.Groups {
			for _, r := range g.Rules {
				rules = append(rules, r.Name)
			}
		}
		if len(rules) == 0 {
			return fmt.Errorf("none in %s", data)
		}
		return nil
	})
	next := 0
	return func() string {
		rule := rules[next%len(rules)]
		next++
		r, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.service.URL()+"/api/drills?rule="+url.QueryEscape(rule), nil)
		if err != nil {
			w.Fatal(err)
		}
		r.Header.Set("Latido-Confirm", "yes")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			w.Errorf("drill of %s: %v", rule, err)
			return ""
		}
		defer response.Body.Close()
		if response.StatusCode == http.StatusNotFound { // it is being restarted, and the page comes a moment later
			w.Logf("drill of %s: the service is being restarted", rule)
			return ""
		}
		var answer struct {
			Alerts []struct{ Annotations map[string]string }
		}
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || len(answer.Alerts) == 0 {
			w.Errorf("drill of %s: %s, %v", rule, response.Status, err)
			return ""
		}
		w.drilled++
		a := answer.Alerts[0].Annotations
		var incident struct {
			Findings []json.RawMessage `json:"findings"`
		}
		servers.WaitFor(w, servers.Patience, "the incident of the drill of "+rule, func() error {
			data, err := w.incident(rule)
			if err == nil {
				err = json.Unmarshal(data, &incident)
			}
			return err
		})
		if cause := a["cause"]; cause != "" && !nothing.MatchString(cause) || len(incident.Findings) > 0 {
			return fmt.Sprintf("%s: %s %s", rule, cause, incident.Findings)
		}
		w.Logf("drill of %s: %s", rule, strings.TrimSpace(a["cause"]))
		return ""
	}
}

// starved tells whether the machine had no CPU left at a time.
func (w *world) starved(at time.Time) bool {
	values, err := w.query(fmt.Sprintf("max_over_time(parcels_cpu_usage_percent[30s] @ %d) > 90", at.Unix()))
	return err == nil && len(values) > 0
}
