package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"

	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/internal/alert"
	"github.com/latido-dev/latido/internal/drills"
)

// askAlertmanager asks one address of an Alertmanager, by the host's name.
func askAlertmanager(ctx context.Context, target *url.URL, host string, q remote.Request) ([]byte, error) {
	answer, err := remote.Exchange(ctx, target, q, func(r *http.Request) { r.Host = host })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", remote.Address(target), err)
	}
	if answer.Code != http.StatusOK {
		return nil, fmt.Errorf("%s answers /%s with %s: %s", remote.Address(target), q.Path, answer.Status, answer.Start())
	}
	return answer.Body, nil
}

// notAlertmanager is what is wrong with an answer that cannot be read.
func notAlertmanager(target *url.URL, path string, err error) error {
	return fmt.Errorf("%s answers /%s in a form that is not Alertmanager's: %w", remote.Address(target), path, err)
}

// receiversOf are the receivers to which the routes of the first Alertmanager that
// answers lead an alert that it was posted. One that tells nobody is none.
func (s *alerts) receiversOf(ctx context.Context, labels map[string]string) ([]string, error) {
	var errs []error
	for _, target := range s.targets {
		names, err := receiversAt(ctx, target, labels)
		if err == nil {
			return names, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("the alert fires, and nobody knows who hears of it: %w", errors.Join(errs...))
}

func receiversAt(ctx context.Context, target *url.URL, labels map[string]string) ([]string, error) {
	q := remote.Request{Path: "api/v2/alerts", Query: url.Values{
		"filter": {fmt.Sprintf("alertname=%q", labels["alertname"]), alert.DrillLabel + `="true"`},
	}}
	body, err := askAlertmanager(ctx, target, target.Host, q)
	if err != nil {
		return nil, err
	}
	var list []struct {
		Labels    map[string]string
		Receivers []struct{ Name string }
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, notAlertmanager(target, q.Path, err)
	}
	kinds, err := integrations(ctx, target, target.Host)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, a := range list {
		for _, r := range a.Receivers {
			if maps.Equal(a.Labels, labels) && len(kinds[r.Name]) > 0 {
				names = append(names, r.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// integrations are the kinds of what a receiver tells, by the receivers of an
// Alertmanager's own file: "email", "webhook" and so on, as its metrics have them.
func integrations(ctx context.Context, target *url.URL, host string) (map[string][]string, error) {
	q := remote.Request{Path: "api/v2/status"}
	body, err := askAlertmanager(ctx, target, host, q)
	if err != nil {
		return nil, err
	}
	var status struct{ Config struct{ Original string } }
	var file struct{ Receivers []map[string]any }
	if err = json.Unmarshal(body, &status); err == nil {
		err = yaml.Unmarshal([]byte(status.Config.Original), &file)
	}
	if err != nil {
		return nil, notAlertmanager(target, q.Path, err)
	}
	kinds := map[string][]string{}
	for _, r := range file.Receivers {
		name, _ := r["name"].(string)
		for key, value := range r {
			if kind, ok := strings.CutSuffix(key, "_configs"); ok && value != nil {
				kinds[name] = append(kinds[name], kind)
			}
		}
	}
	return kinds, nil
}

// deliveries are the tries of all Alertmanagers. One that does not put receivers
// in its metrics counts those of a kind together.
func (s *alerts) deliveries(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), postTimeout)
	defer cancel()
	var (
		all errgroup.Group
		mu  sync.Mutex
	)
	sum := drills.Deliveries{}
	for _, target := range s.targets {
		for _, one := range addresses(ctx, target) {
			all.Go(func() error {
				mine, err := deliveriesOf(ctx, one, target.Host)
				mu.Lock()
				defer mu.Unlock()
				for receiver, outcomes := range mine {
					for outcome, n := range outcomes {
						sum.Add(receiver, outcome, n)
					}
				}
				return err
			})
		}
	}
	if err := all.Wait(); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(sum)
}

// deliveriesOf are those of one address.
func deliveriesOf(ctx context.Context, target *url.URL, host string) (drills.Deliveries, error) {
	kinds, err := integrations(ctx, target, host)
	if err != nil {
		return nil, err
	}
	q := remote.Request{Path: "metrics"}
	text, err := askAlertmanager(ctx, target, host, q)
	if err != nil {
		return nil, err
	}
	families, err := remote.Families(text)
	if err != nil {
		return nil, notAlertmanager(target, q.Path, err)
	}
	of := func(name, receiver string) (n float64) {
		for _, m := range families[name].GetMetric() {
			kind, whose := remote.Label(m, "integration"), remote.Label(m, "receiver_name")
			if whose == receiver || whose == "" && slices.Contains(kinds[receiver], kind) {
				n += m.GetCounter().GetValue()
			}
		}
		return n
	}
	counts := drills.Deliveries{}
	for receiver := range kinds {
		failed := of("alertmanager_notification_requests_failed_total", receiver)
		counts.Add(receiver, drills.OutcomeFailed, failed)
		counts.Add(receiver, drills.OutcomeSuccess, of("alertmanager_notification_requests_total", receiver)-failed)
	}
	return counts, nil
}
