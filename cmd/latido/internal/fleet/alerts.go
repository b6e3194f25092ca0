package fleet

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/internal/alert"
	"github.com/latido-dev/latido/internal/drills"
	"github.com/latido-dev/latido/internal/evidence"
)

const (
	// maxPosted is how long a message of Prometheus may be, in bytes: it sends 256
	// alerts at a time.
	maxPosted = 8 << 20
	// postTimeout is how long an Alertmanager may take for one alert.
	postTimeout = 2 * time.Second
	// again is how long after an annotated alert the same is posted once more.
	again = 500 * time.Millisecond
)

// posted is an alert as Prometheus posts it, and as Alertmanager takes it.
type posted struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	StartsAt     time.Time         `json:"startsAt,omitzero"`
	EndsAt       time.Time         `json:"endsAt,omitzero"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// alerts hands the evidence of alerts to the Alertmanagers.
//
// Prometheus sends each alert to the Alertmanagers and here: no alert waits for
// its evidence, and none is lost while this server is down. Here the same alert,
// which its labels are, is posted again with more annotations. Alertmanager keeps
// those of the newest post: each time that Prometheus sends it again, so does
// this server, at once with what is known, and half a second later, for the post
// of Prometheus that was the slower one. A group waits 10 seconds before its
// first message, and the evidence is there in 7.
type alerts struct {
	fleet    *instances
	recorder *evidence.Recorder
	pipeline *evidence.Pipeline
	drills   *drills.Server
	targets  []*url.URL
	service  string // its name, as the alerts have it
	log      *slog.Logger
	measures *measures // nil for none
	unlinked bool      // nobody has said where people reach this server

	ctx context.Context // ends with the server

	mu   sync.Mutex
	said bool // that a post failed
}

// take is POST /api/v2/alerts, as Alertmanager has it. It answers at once.
func (s *alerts) take(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		http.Error(w, "post application/json, as Prometheus does", http.StatusUnsupportedMediaType)
		return
	}
	var list []posted
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxPosted)).Decode(&list); err != nil {
		http.Error(w, "no alerts of Prometheus: an array of labels and annotations", http.StatusBadRequest)
		return
	}
	var ours []alert.Alert
	for _, p := range list {
		a := alert.Alert{Labels: maps.Clone(p.Labels), Annotations: maps.Clone(p.Annotations), StartsAt: p.StartsAt, GeneratorURL: p.GeneratorURL}
		if !p.EndsAt.IsZero() && !p.EndsAt.After(time.Now()) { // one in the future is when Prometheus would have sent it again
			a.EndsAt = p.EndsAt
		}
		if a, ok := s.recorder.Ours(a); ok {
			ours = append(ours, a)
		}
	}
	s.pipeline.Notify(ours)
	w.WriteHeader(http.StatusOK)
}

// enrich adds the evidence of an alert.
func (s *alerts) enrich(ctx context.Context, a alert.Alert) alert.Alert {
	a = s.recorder.Enrich(ctx, a)
	s.measures.enriched(a)
	return a
}

// put posts alerts to the Alertmanagers, and again a moment later. One without
// evidence they have from Prometheus.
func (s *alerts) put(list ...alert.Alert) {
	var all []posted
	for _, a := range list {
		if a.Annotations[evidence.AnnotationIncident] != "" {
			all = append(all, s.handed(a))
		}
	}
	if len(all) == 0 {
		return
	}
	_, _ = s.post(all...) // it is logged
	select {
	case <-s.ctx.Done(): // Prometheus has sent its own long since
		return
	case <-time.After(again):
	}
	_, _ = s.post(all...)
}

// handed is an alert as an Alertmanager gets it.
func (s *alerts) handed(a alert.Alert) posted {
	if s.unlinked {
		a.Annotations = maps.Clone(a.Annotations)
		delete(a.Annotations, evidence.AnnotationIncident)
	}
	return posted{a.Labels, a.Annotations, a.StartsAt, a.EndsAt, a.GeneratorURL}
}

// post sends to every address of every Alertmanager: those of a cluster do not
// tell each other of alerts. It returns how many took them, and the first error.
func (s *alerts) post(list ...posted) (taken int, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), postTimeout)
	defer cancel()
	body, err := json.Marshal(list)
	if err != nil {
		s.tell(err)
		return 0, err
	}
	var took atomic.Int32
	var all errgroup.Group
	for _, target := range s.targets {
		for _, one := range addresses(ctx, target) {
			all.Go(func() error {
				err := send(ctx, one, target.Host, body)
				s.measures.posted(err)
				if err == nil {
					took.Add(1)
				}
				return err
			})
		}
	}
	err = all.Wait()
	s.tell(err)
	return int(took.Load()), err
}

// send posts to an address of a host.
func send(ctx context.Context, target *url.URL, host string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target.JoinPath("api/v2/alerts").String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s cannot be asked", remote.Address(target)) // err has all of the URL
	}
	r.Host = host // a proxy goes by the name
	r.Header.Set("Content-Type", "application/json")
	response, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("%s does not take alerts: %w", remote.Address(target), unwrapped(err))
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, 4<<10)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s does not take alerts: it answers %s", remote.Address(target), response.Status)
	}
	return nil
}

// addresses are all of a name that has several, such as a headless Service's.
func addresses(ctx context.Context, target *url.URL) []*url.URL {
	if target.Scheme != "http" { // a certificate is of the name
		return []*url.URL{target}
	}
	found, err := net.DefaultResolver.LookupHost(ctx, target.Hostname())
	if found = oneFamily(found); err != nil || len(found) < 2 {
		return []*url.URL{target}
	}
	var all []*url.URL
	for _, address := range found {
		one := *target
		one.Host = net.JoinHostPort(address, cmp.Or(target.Port(), "80"))
		all = append(all, &one)
	}
	return all
}

// oneFamily leaves out the second address of those that have one of IPv4 and one
// of IPv6: the family of the first address is the one that is reached.
func oneFamily(addresses []string) []string {
	ofFour := func(address string) bool { return net.ParseIP(address).To4() != nil }
	return slices.DeleteFunc(addresses, func(address string) bool { return ofFour(address) != ofFour(addresses[0]) })
}

// tell logs the first post that one Alertmanager did not take, and the first one
// after it that all took.
func (s *alerts) tell(err error) {
	s.mu.Lock()
	failed := err != nil
	changed := failed != s.said
	s.said = failed
	s.mu.Unlock()
	switch {
	case changed && failed:
		s.log.Warn("the evidence of an alert is not handed on; Alertmanager has the alert from Prometheus", "error", err)
	case changed:
		s.log.Info("evidence is handed on again")
	}
}
