package fleet

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/internal/alert"
	"github.com/latido-dev/latido/internal/evidence"
)

// The values of the labels of measures.
const (
	sourcePrometheus = "prometheus"
	sourcePyroscope  = "pyroscope"

	outcomeAnswered = "answered"
	outcomeFailed   = "failed"
	outcomeTaken    = "taken"

	outcomeExplained   = "explained"
	outcomeUnexplained = "unexplained"
)

// maxTold is how many incidents are remembered as counted.
const maxTold = 1000

// measures are what the server says of itself at /metrics. The zero value measures
// nothing. It is safe for concurrent use.
type measures struct {
	requests *prometheus.HistogramVec
	alerts   *prometheus.CounterVec
	posts    *prometheus.CounterVec
	registry *prometheus.Registry

	mu   sync.Mutex
	told map[string]bool // the incidents that are counted
}

func newMeasures() *measures {
	m := &measures{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "latido_evidence_request_duration_seconds", Help: "How long Prometheus and Pyroscope take to answer what the evidence server asks.",
			Buckets: []float64{0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
		}, []string{"source", "outcome"}),
		alerts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latido_evidence_alerts_total", Help: "Alerts, each once an episode, by whether their cause was found when they were first sent.",
		}, []string{"outcome"}),
		posts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latido_evidence_posts_total", Help: "Posts of alerts with their evidence to an Alertmanager, by whether it took them.",
		}, []string{"outcome"}),
		registry: prometheus.NewRegistry(), told: map[string]bool{},
	}
	m.registry.MustRegister(m.requests, m.alerts, m.posts)
	// Each begins at 0, so that increase() sees the first one.
	for _, source := range []string{sourcePrometheus, sourcePyroscope} {
		for _, outcome := range []string{outcomeAnswered, outcomeFailed} {
			m.requests.WithLabelValues(source, outcome)
		}
	}
	for _, outcome := range []string{outcomeExplained, outcomeUnexplained} {
		m.alerts.WithLabelValues(outcome)
	}
	for _, outcome := range []string{outcomeTaken, outcomeFailed} {
		m.posts.WithLabelValues(outcome)
	}
	return m
}

func (m *measures) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// exchange asks a source. What the evidence no longer waits for has failed, too: it
// was too slow. So has what is refused, such as a path or a tenant that the source
// does not know.
func (m *measures) exchange(ctx context.Context, source string, base *url.URL, q remote.Request, login func(*http.Request)) (remote.Reply, error) {
	start := time.Now()
	answer, err := remote.Exchange(ctx, base, q, login)
	if m != nil {
		outcome := outcomeAnswered
		if err != nil || answer.Code/100 != 2 {
			outcome = outcomeFailed
		}
		m.requests.WithLabelValues(source, outcome).Observe(time.Since(start).Seconds())
	}
	return answer, err
}

// enriched counts an alert, once for its incident.
func (m *measures) enriched(a alert.Alert) {
	incident := a.Annotations[evidence.AnnotationIncident]
	if m == nil || incident == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.told[incident] {
		return
	}
	if len(m.told) >= maxTold {
		clear(m.told)
	}
	m.told[incident] = true
	outcome := outcomeUnexplained
	if a.Annotations[evidence.AnnotationCause] != "" {
		outcome = outcomeExplained
	}
	m.alerts.WithLabelValues(outcome).Inc()
}

func (m *measures) posted(err error) {
	if m == nil {
		return
	}
	outcome := outcomeTaken
	if err != nil {
		outcome = outcomeFailed
	}
	m.posts.WithLabelValues(outcome).Inc()
}
