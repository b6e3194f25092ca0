package telemetry

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// ownRegistry is that of a service which counts with client_golang.
func ownRegistry(t *testing.T) *prometheus.Registry {
	t.Helper()
	registry := prometheus.NewRegistry()
	logins := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "logins_total", Help: "Logins."}, []string{"how"})
	logins.WithLabelValues("password").Add(3)
	registry.MustRegister(logins)
	return registry
}

func gathered(families ...*dto.MetricFamily) prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
}

func gaugeFamily(name string, labels ...*dto.LabelPair) *dto.MetricFamily {
	return &dto.MetricFamily{Name: &name, Help: new(""), Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{{Label: labels, Gauge: &dto.Gauge{Value: new(float64(7))}}}}
}

// TestGatherers serves the service's own registries beside our series. Whatever
// one of them does wrong costs only what is wrong: the page can be parsed, our
// series are there, and so are those of the others.
func TestGatherers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		broken prometheus.Gatherer
		reason string // of telemetry.collect.errors
		want   series // that are served nevertheless
	}{
		"panic":              {prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { panic("no") }), "panic", nil},
		"its goroutine ends": {prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { runtime.Goexit(); return nil, nil }), "", nil},
		"error, and some series": {prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
			return []*dto.MetricFamily{gaugeFamily("some")}, errors.New("the others are not known")
		}), "other", series{"some": 7}},
		"nil family":                   {gathered(nil), "panic", nil},
		"no value":                     {gathered(&dto.MetricFamily{Name: new("x"), Type: dto.MetricType_GAUGE.Enum(), Metric: []*dto.Metric{{}}}), "other", nil},
		"the name of one of ours":      {gathered(gaugeFamily("tienda_requests_total"), gaugeFamily("some")), "clash", series{"some": 7}},
		"the name of a bucket of ours": {gathered(gaugeFamily("tienda_response_duration_seconds_bucket", &dto.LabelPair{Name: new("le"), Value: new("1")})), "clash", nil},
		"the name of the Go runtime's": {gathered(gaugeFamily("tienda_go_goroutine_count")), "clash", nil},
		"the same series twice":        {gathered(gaugeFamily("some"), gaugeFamily("some")), "clash", series{"some": 7}},
		"another's series":             {ownRegistry(t), "clash", nil},
		"another's name, another type": {gathered(gaugeFamily("logins_total")), "clash", nil},
		"a name without text":          {gathered(gaugeFamily("")), "text", nil},
		"a name that is not UTF-8":     {gathered(gaugeFamily(notUTF8)), "text", nil},
		"a label that is not UTF-8":    {gathered(gaugeFamily("bad", &dto.LabelPair{Name: new("k"), Value: new(notUTF8)})), "text", nil},
		"le on a histogram": {gathered(&dto.MetricFamily{Name: new("h"), Type: dto.MetricType_HISTOGRAM.Enum(), Metric: []*dto.Metric{{
			Label: []*dto.LabelPair{{Name: new("le"), Value: new("5")}}, Histogram: &dto.Histogram{SampleCount: new(uint64(1)), SampleSum: new(float64(1))}}}}), "text", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tel := start(t, func(cfg *Config) { cfg.Gatherers = []prometheus.Gatherer{nil, ownRegistry(t), c.broken} })
			handler := tel.metricsHandler()
			for range 2 {
				text := pageOf(t, handler)
				parser := expfmt.NewTextParser(model.UTF8Validation)
				if _, err := parser.TextToMetricFamilies(strings.NewReader(text)); err != nil {
					t.Fatalf("the page cannot be parsed: %v", err)
				}
				seen := parse(t, text)
				seen.want(t, series{`logins_total{how="password"}`: 3, "tienda_entities_created_total": 0})
				seen.want(t, c.want)
			}
			if got := parse(t, pageOf(t, handler))[collectErrors(c.reason)]; c.reason != "" && got == 0 {
				t.Errorf("none counted as %s; told %q", c.reason, journalOf(tel).told(""))
			}
		})
	}
}

// TestGathererThatHangs: it costs the first scrape some seconds, and nothing
// but its own series.
func TestGathererThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		tel := start(t, func(cfg *Config) {
			cfg.Gatherers = []prometheus.Gatherer{
				prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { <-release; return []*dto.MetricFamily{gaugeFamily("late")}, nil }),
				ownRegistry(t),
			}
		})
		handler := tel.metricsHandler()
		for i := range 3 {
			began := time.Now()
			parse(t, pageOf(t, handler)).want(t, series{`logins_total{how="password"}`: 3})
			if took := time.Since(began); took > gathererTimeout || i > 0 && took > 0 {
				t.Errorf("scrape %d took %v", i, took)
			}
		}
		wantTold(t, journalOf(tel), "hangs")
		close(release)
		synctest.Wait()
		parse(t, pageOf(t, handler)).want(t, series{"late": 7})
	})
}

func pageOf(t *testing.T, h http.Handler) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("/metrics answered %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}
