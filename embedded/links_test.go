package embedded

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/latido-dev/latido/domain"
)

// A message has links that open from another machine, or none; the service's
// own functions have those of this machine as well.
func TestLinksElsewhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		domain, config string // the two ways to say the address
		want           string // what incident and query begin with; "" for no links
	}{
		"nobody said":     {"", "", ""},
		"in the domain":   {"https://levels.example.com/admin/", "", "https://levels.example.com/admin/"},
		"in the code":     {"https://other.example.com", "https://levels.example.com", "https://levels.example.com/"},
		"on this machine": {"http://127.0.0.1:9464", "", "http://127.0.0.1:9464/"}, // as it was said
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told, body := make(chan Alert, 10), make(chan string, 10)
			hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { body <- readAll(t, r.Body) }))
			t.Cleanup(hook.Close)
			d := levelDomain()
			d.Links.ExternalURL = c.domain
			d.Notify = append(d.Notify, domain.Receiver{Webhook: &domain.WebhookReceiver{URL: hook.URL}})
			tel, _ := started(t, d, Config{ExternalURL: c.config, Actions: map[string]Action{
				"tell": func(_ context.Context, a Alert) error { told <- a; return nil },
			}})
			tel.UpDown("level").With().Add(10)
			var message struct {
				ExternalURL string
				Alerts      []struct {
					Annotations  map[string]string
					GeneratorURL string
				}
			}
			if err := json.Unmarshal([]byte(<-body), &message); err != nil || len(message.Alerts) != 1 {
				t.Fatalf("%v in %+v", err, message)
			}
			one := message.Alerts[0]
			local := receive(t, told).Annotations["incident"]
			if c.want == "" {
				if text := one.Annotations["incident"] + one.GeneratorURL + message.ExternalURL; text != "" {
					t.Errorf("the message links to %q", text)
				}
				if !strings.HasPrefix(local, tel.Admin().URL()+"/incidents/") {
					t.Errorf("here the incident is at %q", local)
				}
				return
			}
			if got := one.Annotations["incident"]; got != local || !strings.HasPrefix(got, c.want+"incidents/") {
				t.Errorf("the incident is at %q, here at %q, want below %s", got, local, c.want)
			}
			if !strings.HasPrefix(one.GeneratorURL, c.want+"graph?") {
				t.Errorf("the query is at %q, want below %s", one.GeneratorURL, c.want)
			}
		})
	}
}
