package prom

import (
	"context"
	"errors"
	"math"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/grafana/regexp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/features"
	"github.com/prometheus/prometheus/util/notifications"
	v1 "github.com/prometheus/prometheus/web/api/v1"
)

// apiPrefix is where the API is.
const apiPrefix = "/api/v1"

// prometheusVersion is what the API says that it is. Grafana and promtool ask
// for it to know what it can do.
const prometheusVersion = "3.16.0"

// maxBody bounds what a request may have.
const maxBody = 1 << 20

// newAPI is the only place that knows the constructor of Prometheus' API. All
// that writes, deletes or takes samples from outside is off.
func newAPI(cfg Config, s *store, engine promql.QueryEngine, e *evaluator, x *scraper) http.Handler {
	started := time.Now()
	// Alerts go to the Alertmanager in the process, which has no address.
	noServers := notifier.NewManager(&notifier.Options{}, model.UTF8Validation, nil)
	feats := features.NewRegistry()
	promQL.RegisterFeatures(feats)
	api := v1.NewAPI(
		engine,
		s,
		nil, // nothing is written from outside
		s,
		func(context.Context) v1.ScrapePoolsRetriever { return x },
		func(context.Context) v1.TargetRetriever { return x },
		func(context.Context) v1.AlertmanagerRetriever { return noServers },
		func() config.Config { return *x.config },
		map[string]string{"storage.tsdb.retention.time": model.Duration(cfg.Retention).String()},
		v1.GlobalURLOptions{},
		func(f http.HandlerFunc) http.HandlerFunc { return f },
		admin{s},
		cfg.Dir,
		false,       // no admin API
		false, 1000, // no search API
		quietly(cfg.Logger),
		func(context.Context) v1.RulesRetriever { return e },
		5_000_000, 2, 1<<20, // remote read: samples, at once, bytes in a frame
		false,
		regexp.MustCompile("^$"), // no other origin
		func() (v1.RuntimeInfo, error) { return runtimeInfo(cfg, s, started), nil },
		&v1.PrometheusVersion{Version: prometheusVersion, GoVersion: runtime.Version(), Branch: "embedded"},
		func() []notifications.Notification { return nil },
		func() (<-chan notifications.Notification, func(), bool) { return nil, nil, false },
		prometheus.NewRegistry(), prometheus.NewRegistry(),
		nil,
		false, nil, // no remote write
		false, false, false, // no OTLP
		lookback,
		false,
		false,
		nil,
		feats,
		v1.OpenAPIOptions{},
		promQL,
		false, 0, // no cost of a query
	)
	router := route.New().WithPrefix(apiPrefix)
	api.Register(router)
	return http.MaxBytesHandler(router, maxBody)
}

func runtimeInfo(cfg Config, s *store, started time.Time) v1.RuntimeInfo {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return v1.RuntimeInfo{
		StartTime: started, Hostname: host, ServerTime: time.Now(),
		ReloadConfigSuccess: true, LastConfigTime: started, CorruptionCount: int64(s.faults.of(faultCorrupt)),
		GoroutineCount: runtime.NumGoroutine(), GOMAXPROCS: runtime.GOMAXPROCS(0), GOMEMLIMIT: math.MaxInt64,
		StorageRetention: model.Duration(cfg.Retention).String(),
	}
}

// admin gives the API what it says of the store, and none of what it could do
// to it.
type admin struct{ *store }

var errReadOnly = errors.New("the store is only read from outside")

func (admin) CleanTombstones() error { return errReadOnly }
func (admin) Delete(context.Context, int64, int64, ...*labels.Matcher) error {
	return errReadOnly
}
func (admin) Snapshot(string, bool) error { return errReadOnly }

func (a admin) Stats(label string, limit int) (*tsdb.Stats, error) {
	return a.taker().Head().Stats(label, limit), nil
}

func (admin) WALReplayStatus() (tsdb.WALReplayStatus, error) { return tsdb.WALReplayStatus{}, nil }

func (a admin) BlockMetas() ([]tsdb.BlockMeta, error) { return a.taker().BlockMetas(), nil }
