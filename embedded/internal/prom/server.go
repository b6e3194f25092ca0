package prom

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

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
	scraper *scraper // nil for none
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
// warning, and then samples are kept in memory; Status says so.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("prom: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("prom: %w", err)
	}
	s := &Server{cfg: cfg, engine: newEngine(cfg, maxQueries), own: newEngine(cfg, 1), stopped: make(chan struct{})}
	if _, err := parseRules(cfg.Rules); err != nil { // before anything is opened
		return nil, fmt.Errorf("prom: %w", err)
	}
	f, err := newFaults(cfg.Meter, cfg.Logger)
	if err != nil {
		return nil, fmt.Errorf("prom: %w", err)
	}
	if s.store, err = openStore(cfg, f); err != nil {
		return nil, fmt.Errorf("prom: %w", err)
	}
	if err := s.assemble(); err != nil {
		return nil, fmt.Errorf("prom: %w", errors.Join(err, s.store.close()))
	}
	s.endSeries(s.store.newest) // those that a kill left
	running, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.wg.Go(func() { s.store.maintain(running) })
	s.wg.Go(func() { s.rules.run(running) })
	if s.scraper != nil {
		s.scraper.start(cfg)
	}
	return s, nil
}

// assemble makes the parts around the store. It starts nothing.
func (s *Server) assemble() (err error) {
	if s.rules, err = newEvaluator(s.cfg, s.store); err != nil {
		return err
	}
	if s.store.unlock != nil { // the folder is ours, full or not
		s.rules.state = newStateFile(s.cfg.Dir)
		saved, err := s.rules.state.load()
		if err != nil {
			s.store.faults.add(faultState, "the state of the alerts cannot be read", err)
			s.store.moveAside(s.rules.state.path)
		}
		s.rules.restore(saved)
	}
	if s.cfg.Metrics != nil {
		if s.scraper, err = newScraper(s.cfg, s.store); err != nil {
			return err
		}
	}
	s.api = newAPI(s.cfg, s.store, s.engine, s.rules, s.scraper)
	return s.observe()
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
		st := s.Status()
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
			var errs []error
			if s.scraper != nil {
				errs = append(errs, s.scraper.stop())
			}
			s.wg.Wait()
			s.endSeries(s.store.clock.Now().UnixMilli())
			errs = append(errs, s.metrics.Unregister(), s.store.close())
			s.stopErr = errors.Join(errs...)
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

// Now is the store's time: that of its samples and of the evaluations. It never
// goes back.
func (s *Server) Now() time.Time { return s.store.clock.Now() }

// Fresh tells whether the data are recent: whether scrapes succeed.
func (s *Server) Fresh() bool {
	fresh, _, _ := s.store.fresh.at(s.Now())
	return fresh
}

// LastScrape is when a scrape last succeeded, zero for never.
func (s *Server) LastScrape() time.Time { return s.store.fresh.lastScrape() }

// Status says how the store is.
func (s *Server) Status() Status {
	st := s.store.status()
	st.LastScrape = s.LastScrape()
	return st
}
