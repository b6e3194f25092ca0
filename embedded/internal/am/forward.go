package am

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"github.com/latido-dev/latido/embedded/alert"
)

const (
	// maxForward is how many alerts wait for one server, maxBatch how many are
	// sent at once.
	maxForward = 1000
	maxBatch   = 64
	// Between two tries the wait doubles, from minBackoff to maxBackoff.
	minBackoff = 500 * time.Millisecond
	maxBackoff = 30 * time.Second
)

// forward hands alerts to an Alertmanager server, as Prometheus does, but does
// not drop what could not be handed over: it waits, in its newest state.
type forward struct {
	receiver   string // whose alerts are handed over; "" for all
	url        string
	resolve    time.Duration
	deliveries deliveries
	log        *slog.Logger
	client     *http.Client
	secrets    *redactor
	wake       chan struct{}

	mu      sync.Mutex
	status  ReceiverStatus
	waiting map[model.Fingerprint]alert.Alert
	order   []model.Fingerprint
}

func newForward(base string, resolve time.Duration, d deliveries, log *slog.Logger) (*forward, error) {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("the URL of an Alertmanager server does not parse: write it as http://host:9093")
	}
	return &forward{
		url: strings.TrimSuffix(u.String(), "/") + "/api/v2/alerts", resolve: resolve, deliveries: d, log: log,
		client: boundedClient(), secrets: newRedactor(map[string]string{"": base}, nil), wake: make(chan struct{}, 1),
		status:  ReceiverStatus{Name: u.Scheme + "://" + u.Host, Kind: "alertmanager"},
		waiting: map[model.Fingerprint]alert.Alert{},
	}, nil
}

// forwardReceiver is the name that the file has for the n-th server, "" if it
// has none.
func (l *loaded) forwardReceiver(n int) string {
	name := "alertmanager"
	if n > 0 {
		name += fmt.Sprintf("-%d", n+1)
	}
	for _, r := range l.conf.Receivers {
		if r.Name == name {
			return name
		}
	}
	return ""
}

func (f *forward) put(a alert.Alert) {
	key := labelSet(a.Labels).Fingerprint()
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, again := f.waiting[key]; !again {
		if len(f.order) >= maxForward { // the oldest goes: if it still fires, it comes again
			delete(f.waiting, f.order[0])
			f.order = f.order[1:]
			f.deliveries.add(f.status.Name, outcomeDropped)
		}
		f.order = append(f.order, key)
	}
	f.waiting[key] = a
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Status says how the server fares.
func (f *forward) Status() ReceiverStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	status := f.status
	status.Waiting = len(f.order)
	return status
}

func (f *forward) run(ctx context.Context) {
	backoff := minBackoff
	for {
		batch := f.next()
		if len(batch) == 0 {
			select {
			case <-f.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		retry, err := f.send(ctx, batch)
		if ctx.Err() != nil {
			return
		}
		f.settle(err)
		if err == nil || !retry {
			backoff = minBackoff
			continue
		}
		f.again(batch)
		if !pause(ctx, backoff/2+rand.N(backoff/2)) {
			return
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

func (f *forward) next() []alert.Alert {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := min(len(f.order), maxBatch)
	batch := make([]alert.Alert, 0, n)
	for _, key := range f.order[:n] {
		batch = append(batch, f.waiting[key])
		delete(f.waiting, key)
	}
	f.order = append(f.order[:0:0], f.order[n:]...)
	return batch
}

// again puts a batch back in front, less the alerts that have a newer state.
func (f *forward) again(batch []alert.Alert) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var front []model.Fingerprint
	for _, a := range batch {
		key := labelSet(a.Labels).Fingerprint()
		if _, newer := f.waiting[key]; newer || len(f.order)+len(front) >= maxForward {
			continue
		}
		f.waiting[key] = a
		front = append(front, key)
	}
	f.order = append(front, f.order...)
}

// postable is an alert as the API takes it.
type postable struct {
	Labels       model.LabelSet `json:"labels"`
	Annotations  model.LabelSet `json:"annotations"`
	StartsAt     time.Time      `json:"startsAt"`
	EndsAt       time.Time      `json:"endsAt"`
	GeneratorURL string         `json:"generatorURL,omitempty"`
}

func (f *forward) send(ctx context.Context, batch []alert.Alert) (retry bool, err error) {
	body := make([]postable, 0, len(batch))
	for _, a := range batch {
		if c, err := convert(a, time.Now(), f.resolve); err == nil {
			body = append(body, postable{c.Labels, c.Annotations, c.StartsAt, c.EndsAt, c.GeneratorURL})
		}
	}
	b, err := json.Marshal(body)
	if err != nil {
		return false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url, bytes.NewReader(b))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := f.client.Do(req)
	if err != nil {
		return true, err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 == 2 {
		return false, nil
	}
	said, _ := io.ReadAll(io.LimitReader(answer.Body, maxError))
	retry = answer.StatusCode/100 == 5 || answer.StatusCode == http.StatusTooManyRequests
	return retry, fmt.Errorf("status %d: %s", answer.StatusCode, said)
}

func (f *forward) settle(err error) {
	outcome := outcomeSuccess
	f.mu.Lock()
	defer f.mu.Unlock()
	failed := f.status.Error != ""
	if err == nil {
		f.status.Delivered++
		f.status.LastSuccess, f.status.Error = time.Now(), ""
		if failed {
			f.log.Info("alerts are handed over again", "alertmanager", f.status.Name)
		}
	} else {
		outcome = outcomeFailed
		if isTimeout(err) {
			outcome = outcomeTimeout
		}
		f.status.Failed++
		f.status.LastFailure, f.status.Error = time.Now(), f.secrets.text(err.Error())
		if !failed {
			f.log.Warn("alerts cannot be handed over, and wait", "alertmanager", f.status.Name, "error", f.status.Error)
		}
	}
	f.status.Outcome = outcome
	f.deliveries.add(f.status.Name, outcome)
}
