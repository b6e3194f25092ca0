package embedded

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A drill goes the whole way, marked as one, and ends by itself.
func TestDrill(t *testing.T) {
	t.Parallel()
	told := make(chan Alert, 10)
	tel, _ := started(t, levelDomain(), Config{drillTime: time.Second, Actions: map[string]Action{
		"tell": func(_ context.Context, a Alert) error { told <- a; return nil },
	}})
	status, body := postDrill(t, tel.Admin().URL(), "TooHigh", "yes")
	var answer struct {
		Alerts []struct {
			Labels, Annotations map[string]string
		}
		Receivers []string
		Incident  string
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK || len(answer.Alerts) != 1 {
		t.Fatalf("%d: %s: %v", status, body, err)
	}
	if answer.Receivers[0] != "action/tell" || !strings.Contains(answer.Incident, "/incidents/") || answer.Alerts[0].Annotations["summary"] == "" {
		t.Errorf("answer %s", body)
	}
	if a := receive(t, told); !a.Drill() || a.Name() != "TooHigh" || a.Resolved() {
		t.Errorf("told of %+v", a)
	}
	if a := receive(t, told); !a.Drill() || !a.Resolved() {
		t.Errorf("told of %+v, want that the drill is over", a)
	}
	if page := ask(t, answer.Incident); !strings.Contains(page, "TooHigh") {
		t.Errorf("the incident's page: %.300s", page)
	}
}

func postDrill(t *testing.T, url, rule, confirm string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/drills?rule="+rule, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Latido-Confirm", confirm)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode, readAll(t, response.Body)
}
