package prom

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/scrape"
	"google.golang.org/grpc/test/bufconn"

	"github.com/latido-dev/latido/embedded/internal/quiet"
)

// pipeBytes is how much of an answer waits in memory until it is read.
const pipeBytes = 64 << 10

// scraper asks the service for its metrics, with Prometheus' own scrape
// manager. Without Config.Metrics it asks nobody.
type scraper struct {
	*scrape.Manager
	config   *config.Config
	listener *bufconn.Listener
	server   *http.Server
	targets  chan map[string][]*targetgroup.Group
	wg       sync.WaitGroup
	cancel   context.CancelFunc // ends what is asked

	mu           sync.Mutex
	begun, ended bool // the targets were handed over; stop was called
}

// newScraper makes one; it starts nothing.
func newScraper(cfg Config, s *store) (*scraper, error) {
	conf, err := scrapeConfig(cfg)
	if err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.Background())
	x := &scraper{config: conf, listener: bufconn.Listen(pipeBytes), targets: make(chan map[string][]*targetgroup.Group, 1), cancel: cancel}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", oneByOne(life, cfg.Metrics, cfg.maxLate/6)) // ten seconds, and few that are left behind while it is only late
	x.server = &http.Server{Handler: mux, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	x.Manager, err = scrape.NewManager(&scrape.Options{
		DiscoveryReloadOnStartup: true,
		HTTPClientOptions:        []commoncfg.HTTPClientOption{commoncfg.WithDialContextFunc(x.dial)},
	}, quietly(cfg.Logger), nil, nil, s, prometheus.NewRegistry())
	return x, err
}

// dial connects to the service in memory.
func (x *scraper) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return x.listener.DialContext(ctx)
}

// oneByOne asks one at a time. Of a service that answers later than the scrape
// waits there would be one more goroutine after each scrape, until the service
// refuses the next one, which reads as down. So an answer that nobody waits for any
// more keeps its turn, for as long as given, and until life ends: a handler that hears
// of the end of its request may leave work behind, as http.TimeoutHandler does.
func oneByOne(life context.Context, h http.Handler, long time.Duration) http.Handler {
	turn := make(chan struct{}, 1)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
			ctx, cancel := context.WithTimeout(life, long)
			defer cancel()
			h.ServeHTTP(w, r.WithContext(ctx))
		case <-r.Context().Done(): // nobody waits for the answer any more
		}
	})
}

// scrapeTimeout is how long a scrape waits for the answer.
func scrapeTimeout(cfg Config) time.Duration { return min(cfg.ScrapeInterval, 10*time.Second) }

func scrapeConfig(cfg Config) (*config.Config, error) {
	job, err := json.Marshal(cfg.Job) // which is YAML as well
	if err != nil {
		return nil, fmt.Errorf("the job: %w", err)
	}
	conf, err := config.Load(fmt.Sprintf(`
global:
  scrape_interval: %s
  scrape_timeout: %s
  evaluation_interval: %s
scrape_configs:
  - job_name: %s
    honor_timestamps: false # time is the store's
    enable_compression: false # it is the same process
    body_size_limit: 64MB # of one answer
`, model.Duration(cfg.ScrapeInterval), model.Duration(scrapeTimeout(cfg)), model.Duration(cfg.EvaluationInterval), job), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, fmt.Errorf("the job %q, scraped every %v: %w", cfg.Job, cfg.ScrapeInterval, err)
	}
	return conf, nil
}

// start begins to scrape.
func (x *scraper) start(cfg Config) {
	if cfg.Metrics == nil {
		return
	}
	x.wg.Go(func() { _ = x.server.Serve(x.listener) })
	x.wg.Go(func() { _ = x.Run(x.targets) })
	x.wg.Go(func() {
		// It asks the network for the machine's name, which may take its time.
		if err := x.ApplyConfig(x.config); err != nil {
			cfg.Logger.Warn("embedded store: the service cannot be scraped", "err", err)
			return
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.ended {
			return
		}
		x.begun = true
		x.targets <- map[string][]*targetgroup.Group{cfg.Job: {{
			Source:  "process",
			Targets: []model.LabelSet{{model.AddressLabel: "localhost", model.InstanceLabel: model.LabelValue(cfg.Instance)}},
		}}}
	})
}

// stop ends it. No sample is stored afterwards.
func (x *scraper) stop() error {
	x.cancel()
	_ = x.listener.Close() // refuses new connections
	err := x.server.Close()
	x.mu.Lock()
	x.ended = true
	begun := x.begun
	x.mu.Unlock()
	if begun {
		x.awaitTargets(time.Second)
	}
	x.Stop()
	x.wg.Wait()
	return err
}

// awaitTargets waits until the manager has taken the targets over. It would take
// them after its Stop as well, and scrape for ever.
func (x *scraper) awaitTargets(atMost time.Duration) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(atMost); len(x.TargetsActive()) == 0; {
		select {
		case <-tick.C:
		case <-late:
			return
		}
	}
}

// quietly passes on what Prometheus' packages warn of.
func quietly(to *slog.Logger) *slog.Logger {
	return quiet.Logger(to, quiet.Options{Every: 24 * time.Hour, Prefix: "embedded store: "})
}
