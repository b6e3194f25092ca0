package prom

import (
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/alerting"
)

func TestDrill(t *testing.T) {
	t.Parallel()
	box := &inbox{}
	s := start(t, Config{Notify: box.notify})
	all := []alerting.Rule{
		{Record: "job:requests:rate1m", Expr: "sum by (job) (rate(requests_total[1m]))"},
		{Record: "job:errors:ratio", Expr: `sum by (job) (rate(requests_total{status="500"}[1m])) / job:requests:rate1m`},
		{Record: "unread", Expr: "vector(1)"},
	}
	rule := alerting.Rule{Alert: "Errors", Expr: "job:errors:ratio > 0.5", For: 2 * time.Minute, Labels: map[string]string{"severity": "page"},
		Annotations: map[string]string{"summary": `{{ $value | humanizePercentage }} fail`}}
	drill := alerting.Drill{Interval: 30 * time.Second, After: 5 * time.Minute, Series: []alerting.DrillSeries{
		{Series: `requests_total{job="tienda-api",status="500"}`, Values: "0+30x20"},
		{Series: `requests_total{job="tienda-api",status="200"}`, Values: "0+10x20"},
	}}
	fired, err := s.Drill(t.Context(), all, rule, drill)
	if err != nil || len(fired) != 1 {
		t.Fatalf("%+v, %v", fired, err)
	}
	a := fired[0]
	if a.Annotations["summary"] != "75% fail" || a.Labels["job"] != "tienda-api" || a.Labels["severity"] != "page" || a.Name() != "Errors" {
		t.Errorf("%+v", a)
	}
	if d := a.StartsAt.Sub(a.ActiveAt); d != 2*time.Minute {
		t.Errorf("fired after %v", d)
	}
	if len(box.all) != 0 {
		t.Errorf("somebody was told: %+v", box.all)
	}
	drill.After = time.Minute
	if fired, err := s.Drill(t.Context(), all, rule, drill); err != nil || len(fired) != 0 {
		t.Errorf("too early: %+v, %v", fired, err)
	}
	drill.Series[0].Values = "0+x"
	if _, err := s.Drill(t.Context(), all, rule, drill); err == nil || !strings.Contains(err.Error(), "Errors") {
		t.Errorf("got %v", err)
	}
}

// A drill has at least a moment, and so many steps at most.
func TestDrillSteps(t *testing.T) {
	t.Parallel()
	s := start(t, Config{})
	rule := alerting.Rule{Alert: "Always", Expr: "x > 0"}
	series := []alerting.DrillSeries{{Series: "x", Values: "1x20"}}
	for _, row := range []struct {
		interval, after time.Duration
		ok              bool
	}{
		{time.Second, 0, true}, {0, 0, false}, {-1, 0, false}, {time.Second, -1, false},
		{time.Minute, 10 * time.Minute, true}, {1, maxDrillSteps + 1, false},
	} {
		fired, err := s.Drill(t.Context(), nil, rule, alerting.Drill{Interval: row.interval, After: row.after, Series: series})
		if (err == nil) != row.ok || row.ok && len(fired) != 1 {
			t.Errorf("%v after %v: %d fire, %v", row.interval, row.after, len(fired), err)
		}
	}
}

func TestWrongConfig(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  Config
		want string
	}{
		"expression": {Config{Rules: []byte("groups:\n- name: a\n  rules:\n  - alert: X\n    expr: sum(\n")}, "5:"},
		"key":        {Config{Rules: []byte("groups:\n- name: a\n  rulez: []\n")}, "line 3"},
		"template":   {Config{Rules: []byte("groups:\n- name: a\n  rules:\n  - alert: X\n    expr: up\n    annotations: {a: '{{ $labels.x'}\n")}, "template"},
		"retention":  {Config{Retention: -1}, "Retention"},
		"series":     {Config{MaxSeries: -1}, "MaxSeries"},
		"bytes":      {Config{MaxBytes: 5}, "MaxBytes"},
		"url":        {Config{ExternalURL: "http://a b"}, "ExternalURL"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Start(t.Context(), c.cfg)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

// TestChainOfRecords: a drill has all that its rule reads, through however many
// recording rules, in whatever order they stand.
func TestChainOfRecords(t *testing.T) {
	t.Parallel()
	all := []alerting.Rule{
		{Record: "third", Expr: "sum(x)"}, {Record: "unread", Expr: "vector(1)"}, {Record: "second", Expr: "third * 2"}, {Record: "first", Expr: "second + 1"},
		{Alert: "Other", Expr: "unread > 1"},
	}
	rules, err := wantedRules(all, alerting.Rule{Alert: "A", Expr: "first > 1"})
	var names []string
	for _, r := range rules {
		names = append(names, r.Record+r.Alert)
	}
	if got := strings.Join(names, " "); err != nil || got != "third second first A" {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := wantedRules(append(all, alerting.Rule{Record: "third", Expr: "sum("}), alerting.Rule{Alert: "A", Expr: "first > 1"}); err == nil || !strings.Contains(err.Error(), "third: ") {
		t.Errorf("of one that cannot be read: %v", err)
	}
}

// TestShorterSeries: a series of a drill that has ended has no value more.
func TestShorterSeries(t *testing.T) {
	t.Parallel()
	series, err := parseSeries([]alerting.DrillSeries{{Series: "x", Values: "1 _ 3"}, {Series: "y", Values: "1"}})
	if err != nil {
		t.Fatal(err)
	}
	st := opened(t)
	begin := time.Now().Add(-time.Minute)
	for i := range 5 {
		if err := appendStep(t.Context(), st, series, i, begin.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if n := st.disk.Head().NumSeries(); n != 2 {
		t.Errorf("%d series are stored, want 2", n)
	}
}
