// Package parcel is the service of a parcel carrier: customers ask for quotes,
// book shipments and print labels; depots scan parcels; people track them.
package parcel

import (
	"context"
	_ "embed" // for domain.yaml
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/telemetry"
)

//go:embed domain.yaml
var domainFile []byte

// Domain is what the service is about.
func Domain() (domain.Domain, error) { return domain.Parse("domain.yaml", domainFile) }

// Config says where the service finds what it needs.
type Config struct {
	Data       string // folder of the database
	Spool      string // folder of the labels
	Rates, Geo string // base URLs of the peers
	DNS        string // address of the DNS server that knows their names
	Log        *slog.Logger
}

// Service is the carrier's API.
type Service struct {
	tel      *telemetry.Telemetry
	log      *slog.Logger
	store    *Store
	rates    *Rates
	tariffs  *Tariffs
	geocoder *Geocoder
	printer  *Printer
	notifier *Notifier
	audit    *Audit
	usage    *Usage

	booked, pieces, scanned map[string]telemetry.BoundCounter // by customer, or depot
	printed                 telemetry.BoundCounter

	stop context.CancelFunc
	jobs sync.WaitGroup
}

var (
	customers = []string{"acme", "borealis", "corvus", "delphi", "ellora"}
	depots    = []string{"north", "south", "east", "west"}
)

// New opens the database and starts the background jobs. Close ends them.
func New(ctx context.Context, cfg Config, tel *telemetry.Telemetry) (*Service, error) {
	store, err := OpenStore(ctx, filepath.Join(cfg.Data, "parcels.db"), tel)
	if err != nil {
		return nil, err
	}
	s := &Service{
		tel: tel, log: cfg.Log, store: store,
		rates:    &Rates{base: cfg.Rates, client: newClient(tel, cfg.DNS)},
		geocoder: NewGeocoder(cfg.Geo, filepath.Join(cfg.Data, "places.json"), newClient(tel, cfg.DNS)),
		printer:  NewPrinter(cfg.Spool),
		notifier: NewNotifier(cfg.Log),
		audit:    NewAudit(), usage: NewUsage(),
		booked: map[string]telemetry.BoundCounter{}, pieces: map[string]telemetry.BoundCounter{}, scanned: map[string]telemetry.BoundCounter{},
		printed: tel.Counter("labels_printed").With(),
	}
	s.tariffs = NewTariffs(s.rates)
	settings := NewSettings(filepath.Join(cfg.Data, "settings.json"), tel)
	for _, c := range customers {
		s.booked[c] = tel.Counter("shipments_booked").With("customer", c)
		s.pieces[c] = tel.Counter("pieces_booked").With("customer", c)
	}
	for _, d := range depots {
		s.scanned[d] = tel.Counter("scans_recorded").With("depot", d)
	}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.every(ctx, 2*time.Second, "tariffs", s.tariffs.Refresh)
	s.every(ctx, time.Second, "places", s.geocoder.Snapshot)
	s.every(ctx, time.Second, "spool", s.printer.Purge)
	s.every(ctx, 500*time.Millisecond, "settings", settings.Refresh)
	s.jobs.Go(func() { s.notifier.Run(ctx) })
	return s, nil
}

// every runs a job again and again until ctx is done.
func (s *Service) every(ctx context.Context, interval time.Duration, name string, job func(context.Context) error) {
	s.jobs.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			if err := job(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("job failed", "job", name, "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
}

// Close ends the background jobs and closes the database.
func (s *Service) Close() error {
	s.stop()
	s.jobs.Wait()
	return s.store.Close()
}

// Handler is the API.
func (s *Service) Handler() http.Handler {
	mux := s.tel.NewServeMux()
	for pattern, h := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /quotes":                         s.quote,
		"POST /shipments":                     s.book,
		"GET /customers/{customer}/shipments": s.list,
		"GET /track/{code}":                   s.track,
		"POST /scans":                         s.scan,
		"GET /depots/{depot}/load":            s.depotLoad,
		"GET /depots/{depot}/manifest":        s.manifest,
		"POST /labels":                        s.label,
	} {
		mux.HandleFunc(pattern, s.answer(pattern, h))
	}
	return mux
}

// problem is an error that the client may know of.
type problem struct {
	status int
	kind   string // a type of error that domain.yaml lists, or ""
	err    error
}

func (p *problem) Error() string { return p.err.Error() }
func (p *problem) Unwrap() error { return p.err }

// answer turns a handler's error into a status, and logs each request.
func (s *Service) answer(pattern string, h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		status := http.StatusOK
		if err := h(w, r); err != nil {
			status = http.StatusInternalServerError
			var p *problem
			if errors.As(err, &p) {
				status = p.status
			}
			if p != nil && p.kind != "" {
				s.tel.APIError(telemetry.ErrorType(p.kind))
			} else if status >= http.StatusInternalServerError {
				s.tel.APIError(err)
			}
			http.Error(w, http.StatusText(status), status)
			s.log.Warn("request failed", "route", pattern, "status", status, "error", err)
		}
		s.usage.Record(pattern, time.Since(start))
		s.logRequest(r, pattern, status, time.Since(start))
	}
}

func respond(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // an error is the client's, who left
	return nil
}

// decode reads a JSON body of at most four megabytes.
func decode(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
	if err == nil {
		err = json.Unmarshal(body, v)
	}
	if err != nil {
		return &problem{http.StatusBadRequest, "", err}
	}
	return nil
}
