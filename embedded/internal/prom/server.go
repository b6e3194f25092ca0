package prom

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"go.opentelemetry.io/otel/metric"
)

// Server is a Prometheus that is running. Its methods are safe for concurrent
// use.
type Server struct {
	cfg     Config
	store   *store
	engine  *promql.Engine // of the API
	own     *promql.Engine // of the process itself
	rules   *evaluator
	scraper *scraper
	api     http.Handler
	metrics metric.Registration

	cancel  context.CancelFunc
	wg      sync.WaitGroup
	once    sync.Once
	stopped chan struct{}
	stopErr error
}

// Start opens the store, and begins to scrape and to evaluate the rules. Samples
// and the state of alerts go on where they were when the process ended, however
// it did. ctx bounds the start only.
//
// Its error is a mistake of who wrote cfg: a rule that does not parse, a number
// that cannot be. A folder that is full, locked, broken or not there costs a
// warning, and then samples are kept in memory.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("prom: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("prom: %w", err)
	}
	s := &Server{cfg: cfg, engine: newEngine(cfg, maxQueries), own: newEngine(cfg, 1), stopped: make(chan struct{})}
	file, err := parseRules(cfg.Rules) // before anything is opened
	if err != nil {
		return nil, fmt.Errorf("prom: %w", err)
	}
	f, err := newFaults(cfg.Meter, cfg.Logger)
	if err != nil {
		return nil, fmt.Errorf("prom: %w", err)
	}
	if s.store, err = openStore(cfg, f, recordedNames(file)); err != nil {
		return nil, fmt.Errorf("prom: %w", err)
	}
	if err := s.observe(); err != nil {
		return nil, fmt.Errorf("prom: %w", errors.Join(err, s.store.close()))
	}
	if err := s.assemble(file); err != nil {
		return nil, fmt.Errorf("prom: %w", errors.Join(err, s.metrics.Unregister(), s.store.close()))
	}
	if err := s.store.endSeries(); err != nil {
		f.add(faultDisk, "the series of a process that ended could not be marked so, and are seen for five minutes more", err)
	}
	running, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.wg.Go(func() { s.store.maintain(running) })
	s.wg.Go(s.rules.run)
	s.scraper.start(cfg)
	return s, nil
}

// assemble makes the parts around the store. It starts nothing but what the rules
// wait with, so they come last.
func (s *Server) assemble(file *rulefmt.RuleGroups) (err error) {
	if s.scraper, err = newScraper(s.cfg, s.store); err != nil {
		return err
	}
	if s.rules, err = newEvaluator(s.cfg, file, s.store); err != nil {
		return err
	}
	s.api = newAPI(s.cfg, s.store, s.engine, s.rules, s.scraper)
	return nil
}

// observe registers what the store says of itself.
func (s *Server) observe() error {
	series, err := s.cfg.Meter.Int64ObservableGauge("telemetry.store.series", metric.WithUnit("{series}"),
		metric.WithDescription("Series in the embedded store's head."))
	if err != nil {
		return err
	}
	size, err := s.cfg.Meter.Int64ObservableGauge("telemetry.store.size", metric.WithUnit("By"),
		metric.WithDescription("Size of the embedded store on disk; 0 while it keeps to memory."))
	if err != nil {
		return err
	}
	s.metrics, err = s.cfg.Meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		st := s.store.status()
		o.ObserveInt64(series, st.Series)
		o.ObserveInt64(size, st.Bytes)
		return nil
	}, series, size)
	return err
}

// Stop ends scraping and evaluating and closes the store; no goroutine is left.
// What was stored on disk is there at the next Start, and so are the alerts: they
// are not resolved. Further calls return the same. When ctx is done before, Stop
// returns its error, and the rest ends behind it.
func (s *Server) Stop(ctx context.Context) error {
	s.once.Do(func() {
		s.cancel()
		go func() {
			defer close(s.stopped)
			err := s.scraper.stop()
			s.rules.stop()
			s.wg.Wait()
			s.stopErr = errors.Join(err, s.metrics.Unregister(), s.store.close())
		}()
	})
	select {
	case <-s.stopped:
		return s.stopErr
	case <-ctx.Done():
		return fmt.Errorf("prom: the store is still closing: %w", ctx.Err())
	}
}

// Handler answers as Prometheus does, below /api/v1/. It only reads: there is no
// admin API, and nothing is written through it.
func (s *Server) Handler() http.Handler { return s.api }
