package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"github.com/latido-dev/latido/e2e/servers"
)

// flame asks Pyroscope for a flame graph of the window.
func (a asking) flame(ctx context.Context, t target) (*servers.Flamebearer, error) {
	selector, err := a.expanded(t.LabelSelector)
	if err != nil {
		return nil, err
	}
	query := url.Values{
		"query": {t.ProfileTypeID + selector},
		"from":  {strconv.FormatInt(a.window.from.UnixMilli(), 10)},
		"until": {strconv.FormatInt(a.window.until.UnixMilli(), 10)},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.pyroscope+"/pyroscope/render?"+query.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("-pyroscope: %w", err)
	}
	var answer struct{ Flamebearer servers.Flamebearer }
	err = answered(request, &answer)
	return &answer.Flamebearer, err
}

// profileStep is between two points of a profile over time: two windows of a service,
// which are of 10 seconds.
const profileStep = 20 * time.Second

// profileSeries asks Pyroscope for a profile over time, by labels.
func (a asking) profileSeries(ctx context.Context, t target) ([]series, error) {
	selector, err := a.expanded(t.LabelSelector)
	if err != nil {
		return nil, err
	}
	step := max(a.window.step, profileStep)
	question, err := json.Marshal(map[string]any{
		"profileTypeID": t.ProfileTypeID, "labelSelector": selector, "groupBy": t.GroupBy, "step": step.Seconds(),
		"start": a.window.from.UnixMilli(), "end": a.window.until.UnixMilli(),
	})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.pyroscope+"/querier.v1.QuerierService/SelectSeries", bytes.NewReader(question))
	if err != nil {
		return nil, fmt.Errorf("-pyroscope: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	var answer struct {
		Series []struct {
			Labels []struct{ Name, Value string }
			Points []struct {
				Value     float64
				Timestamp int64 `json:",string"` // protobuf writes an int64 so
			}
		}
	}
	if err := answered(request, &answer); err != nil {
		return nil, err
	}
	var found []series
	for _, one := range answer.Series {
		s := series{ref: t.RefID, step: step, labels: map[string]string{}}
		for _, l := range one.Labels {
			s.labels[l.Name] = l.Value
		}
		for _, by := range t.GroupBy {
			s.name = cmp.Or(s.labels[by], "no "+by)
		}
		for _, v := range one.Points {
			s.points = append(s.points, point{time.UnixMilli(v.Timestamp).UTC(), v.Value})
		}
		if len(s.points) > 0 {
			found = append(found, s)
		}
	}
	return found, nil
}

// answered sends a request and reads its answer, which is in JSON.
func answered(request *http.Request, answer any) error {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("pyroscope: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("pyroscope: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("pyroscope: %s: %.300s", response.Status, body)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return fmt.Errorf("pyroscope: %w", err)
	}
	return nil
}

// shifted asks about an earlier time, as a panel with a time shift does.
func (a asking) shifted(by string) (asking, error) {
	text, err := a.expanded(by)
	if err != nil {
		return a, err
	}
	d, err := model.ParseDuration(text)
	if err != nil {
		return a, fmt.Errorf("timeShift %q: %w", by, err)
	}
	a.window.from, a.window.until = a.window.from.Add(-time.Duration(d)), a.window.until.Add(-time.Duration(d))
	return a, nil
}
