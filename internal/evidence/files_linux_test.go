package evidence

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/internal/cause"
)

// TestFilesAlertSaysWhich: an alert on open files says which one is opened again
// and again, here by the test.
func TestFilesAlertSaysWhich(t *testing.T) {
	path := filepath.Join(t.TempDir(), "photo.jpg")
	for range 100 {
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	now := time.Now()
	series := func(context.Context, ...cause.Range) (all []cause.Series, _ error) {
		for key, value := range map[string]func(back float64) float64{
			"process_open_fds": func(back float64) float64 { return 20 + max(0, (300-back)/3) },
			"process_max_fds":  func(float64) float64 { return 130 },
		} {
			m, _ := shop.Metric(key)
			s := cause.Series{Name: m.Family}
			for back := 900.0; back >= 0; back-- {
				s.Points = append(s.Points, cause.Point{At: now.Add(-time.Duration(back) * time.Second), Value: value(back)})
			}
			all = append(all, s)
		}
		return all, nil
	}
	many := rule("ManyFiles", alerting.EvidenceMemory)
	many.Metric, many.Op, many.Bound = "process_open_fds", ">", 100
	r := start(t, Config{Series: series, Rules: []alerting.Rule{many}, Timeout: time.Minute, compared: cause.Compared})
	a := firing("ManyFiles")
	a.Value = 120
	out := r.Enrich(t.Context(), a)
	if want := "100 of them of " + path; !strings.Contains(out.Annotations["cause"], want) {
		t.Errorf("cause %q, want %q in it", out.Annotations["cause"], want)
	}
}
