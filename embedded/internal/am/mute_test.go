package am

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
)

// TestMuted mutes a rule, an objective and a receiver all of today, and others
// on a day that is long over, in the file that servers read too: the first are
// told to nobody, the others are.
func TestMuted(t *testing.T) {
	h := newHook(t)
	now := time.Now().UTC()
	today := fmt.Sprintf("%s:%s", now.AddDate(0, 0, -1).Format(time.DateOnly), now.AddDate(0, 0, 1).Format(time.DateOnly))
	d, err := domain.Parse("domain.yaml", []byte(strings.NewReplacer("TODAY", today, "URL", h.URL).Replace(`
prefix: tienda
entity: pedido
time_zone: America/Bogota
thresholds:
  - {name: Muted, metric: cpu_usage, above: 80%, severity: page, mute: [{dates: [TODAY]}]}
  - {name: Over, metric: cpu_usage, above: 90%, severity: page, mute: [{dates: [2020-01-01]}, {times: [22:00-06:00], dates: [2020-02-28]}]}
  - {name: Never, metric: cpu_usage, above: 95%, severity: page}
slos:
  - {name: O, objective: 99, good: {status: "!~5.."}, mute: [{dates: [TODAY]}]}
notify:
  - {webhook: {url: URL/a}}
  - {webhook: {url: URL/b}, mute: [{dates: [TODAY]}]}
`)))
	if err != nil {
		t.Fatal(err)
	}
	file, err := alerting.AlertmanagerFile(d, alerting.Options{Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{File: file, Templates: alerting.Templates(d, alerting.Options{})})
	s.Put(firing("Muted"), firing("OBurnsFast", "slo", "O"), firing("Over"), firing("Never"))
	wait(t, "both that are not muted", func() bool { return len(h.got()) >= 2 })
	mutedBy := map[string]bool{}
	wait(t, "what is muted, and by which times", func() bool {
		var groups []struct {
			Receiver struct{ Name string }
			Alerts   []struct {
				Labels map[string]string
				Status struct{ MutedBy []string }
			}
		}
		get(t, s, "/api/v2/alerts/groups?muted=true", &groups)
		for _, g := range groups {
			for _, a := range g.Alerts {
				for _, times := range a.Status.MutedBy {
					mutedBy[g.Receiver.Name+" "+a.Labels["alertname"]+" "+times] = true
				}
			}
		}
		return mutedBy["webhook Muted alert/Muted"] && mutedBy["webhook OBurnsFast objective/O"] && mutedBy["webhook-2 Muted alert/Muted"] &&
			mutedBy["webhook-2 Over receiver/webhook-2"] && mutedBy["webhook-2 Never receiver/webhook-2"]
	})
	told := map[string]bool{}
	for _, m := range h.got() {
		told[m.Receiver+" "+strings.Join(m.states(), ",")] = true
	}
	for _, want := range []string{"webhook Over firing", "webhook Never firing"} {
		if !told[want] {
			t.Errorf("%s is not told, but %v", want, told)
		}
		delete(told, want)
	}
	if len(told) > 0 {
		t.Errorf("told in a time that is muted: %v", told)
	}
}
