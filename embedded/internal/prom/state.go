package prom

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"
)

const (
	// maxPendingOutage is how long a process may be gone for its pending alerts
	// to go on; maxFiringOutage is the same for those that fire. After that
	// nobody waits for their end.
	maxPendingOutage = time.Hour
	maxFiringOutage  = 7 * 24 * time.Hour
	// stateInterval is how often the state is written although nothing changed
	// but the time, so that the length of an outage is known.
	stateInterval = time.Minute
	stateVersion  = 1
)

// stateFile keeps the alerts' state over a restart. Prometheus has the series
// ALERTS_FOR_STATE for that, which know nothing of alerts without `for`, of
// keep_firing_for and of when an alert began to fire.
type stateFile struct {
	path    string
	written []byte // without the time
	at      time.Time
}

// savedState is what the file has.
type savedState struct {
	Version int          `json:"version"`
	At      time.Time    `json:"at"`
	Alerts  []savedAlert `json:"alerts"`
}

type savedAlert struct {
	Rule            string            `json:"rule"` // see ruleKey
	Labels          map[string]string `json:"labels"`
	State           string            `json:"state"`
	Value           string            `json:"value"` // JSON has no NaN
	ActiveAt        time.Time         `json:"activeAt"`
	FiredAt         time.Time         `json:"firedAt"`
	ResolvedAt      time.Time         `json:"resolvedAt"`
	KeepFiringSince time.Time         `json:"keepFiringSince"`
}

// same is what must have changed for the file to be written at once: not the
// value, which always does.
func (a savedAlert) same() savedAlert {
	a.Value = ""
	return a
}

// earlier is the alert with all its times moved. Times in the future would let a
// firing alert begin anew.
func (a savedAlert) earlier(by time.Duration) savedAlert {
	for _, t := range []*time.Time{&a.ActiveAt, &a.FiredAt, &a.ResolvedAt, &a.KeepFiringSince} {
		if !t.IsZero() {
			*t = t.Add(-by)
		}
	}
	return a
}

func newStateFile(dir string) *stateFile {
	return &stateFile{path: filepath.Join(dir, "alerts.json")}
}

// save writes the state if it changed. A process that is killed at any moment
// leaves the old file or the new one.
func (f *stateFile) save(e *evaluator) error {
	now := e.store.clock.Now()
	state := savedState{Version: stateVersion, At: now, Alerts: []savedAlert{}}
	same := savedState{Version: stateVersion}
	for _, r := range e.AlertingRules() {
		key := ruleKey(r.Name(), r.Labels())
		var list []savedAlert
		r.ForEachActiveAlert(func(a *rules.Alert) {
			list = append(list, savedAlert{Rule: key, Labels: a.Labels.Map(), State: a.State.String(), Value: fmt.Sprint(a.Value),
				ActiveAt: a.ActiveAt, FiredAt: a.FiredAt, ResolvedAt: a.ResolvedAt, KeepFiringSince: a.KeepFiringSince})
		})
		sortAlerts(list)
		for _, a := range list {
			state.Alerts = append(state.Alerts, a)
			same.Alerts = append(same.Alerts, a.same())
		}
	}
	mark, err := json.Marshal(same)
	if err != nil {
		return err
	}
	if bytes.Equal(mark, f.written) && now.Sub(f.at) < stateInterval {
		return nil
	}
	text, err := json.MarshalIndent(state, "", " ")
	if err != nil {
		return err
	}
	if err := writeAtomically(f.path, text); err != nil {
		return err
	}
	f.written, f.at = mark, now
	return nil
}

// writeAtomically replaces a file: it has all of text or is as it was.
func writeAtomically(path string, text []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	if _, err := tmp.Write(text); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := tmp.Sync(); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// load reads the file, if there is one.
func (f *stateFile) load() (savedState, error) {
	var s savedState
	text, err := os.ReadFile(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return savedState{}, fmt.Errorf("%s: %w", f.path, err)
	}
	if s.Version != stateVersion {
		return savedState{}, fmt.Errorf("%s: version %d is not known", f.path, s.Version)
	}
	return s, nil
}

// restore gives the rules the alerts that they had. A rule takes alerts from the
// result of its expression only, so it is evaluated once on a result that has
// them; then they get the times that they had.
func (e *evaluator) restore(s savedState) {
	now := e.store.clock.Now()
	outage := now.Sub(s.At)
	back := max(0, -outage) // how much the clock went back while nobody looked
	byRule := map[string][]savedAlert{}
	for _, a := range s.Alerts {
		if a.State == rules.StatePending.String() && outage > maxPendingOutage || outage > maxFiringOutage {
			continue
		}
		byRule[a.Rule] = append(byRule[a.Rule], a.earlier(back))
	}
	for _, r := range e.AlertingRules() {
		saved := byRule[ruleKey(r.Name(), r.Labels())]
		if len(saved) == 0 {
			continue
		}
		if err := e.restoreRule(r, saved); err != nil {
			e.faults.add(faultState, "the alerts of "+r.Name()+" could not be restored", err)
		}
	}
}

func (e *evaluator) restoreRule(r *rules.AlertingRule, saved []savedAlert) error {
	known := map[string]savedAlert{}
	var vector promql.Vector
	for _, a := range saved {
		l := labels.FromMap(a.Labels)
		known[l.String()] = a
		vector = append(vector, promql.Sample{Metric: l, F: number(a.Value)})
	}
	query := func(ctx context.Context, expr string, ts time.Time) (promql.Vector, error) {
		if expr == r.Query().String() {
			return vector, nil
		}
		return e.keeper.query(ctx, expr, ts) // a template's
	}
	if _, err := r.Eval(context.Background(), 0, saved[0].ActiveAt, query, &url.URL{}, 0); err != nil {
		return err
	}
	r.ForEachActiveAlert(func(a *rules.Alert) {
		was, ok := known[a.Labels.String()]
		if !ok { // a label that is made of the value: it is over with the next evaluation
			return
		}
		a.ActiveAt, a.FiredAt, a.ResolvedAt, a.KeepFiringSince = was.ActiveAt, was.FiredAt, was.ResolvedAt, was.KeepFiringSince
		switch was.State {
		case rules.StateFiring.String():
			a.State = rules.StateFiring
		case rules.StatePending.String():
			a.State = rules.StatePending
		default:
			a.State = rules.StateInactive
		}
		if was.State != rules.StatePending.String() {
			e.mu.Lock()
			e.remember(a)
			e.mu.Unlock()
		}
	})
	return nil
}

// remember counts an alert of the run before as passed on. The caller holds the
// lock.
func (e *evaluator) remember(a *rules.Alert) {
	rule := a.Labels.Get(labels.AlertName)
	if e.sent[rule] == nil {
		e.sent[rule] = map[uint64]bool{}
	}
	e.sent[rule][a.Labels.Hash()] = a.ResolvedAt.IsZero()
}

func sortAlerts(list []savedAlert) {
	slices.SortFunc(list, func(a, b savedAlert) int {
		return labels.Compare(labels.FromMap(a.Labels), labels.FromMap(b.Labels))
	})
}

// number reads what fmt.Sprint wrote.
func number(s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0
	}
	return f
}
