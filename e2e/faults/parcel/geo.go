package parcel

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/latido-dev/latido/e2e/faults/fault"
)

// placeTTL is how long a place is not asked for again.
const placeTTL = 3 * time.Second

// Place is where a depot is.
type Place struct {
	Name     string
	Lat, Lon float64
	at       time.Time
}

// Geocoder knows places. It asks for those that it has not met lately.
type Geocoder struct {
	base   string
	file   string
	client *http.Client

	mu     sync.RWMutex
	places map[string]Place
}

// NewGeocoder asks base, and keeps the places in file for the next start.
func NewGeocoder(base, file string, client *http.Client) *Geocoder {
	return &Geocoder{base: base, file: file, client: client, places: map[string]Place{}}
}

// Place is that of a depot.
func (g *Geocoder) Place(ctx context.Context, depot string) (Place, error) {
	ttl := placeTTL
	if fault.On("cache_ttl") {
		ttl = 0
	}
	g.mu.RLock()
	p, ok := g.places[depot]
	g.mu.RUnlock()
	if ok && time.Since(p.at) < ttl {
		return p, nil
	}
	p, err := g.lookUp(ctx, depot)
	if err != nil {
		return Place{}, &problem{http.StatusBadGateway, "places_unavailable", err}
	}
	p.at = time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.places[depot] = p
	return p, nil
}

func (g *Geocoder) lookUp(ctx context.Context, depot string) (p Place, err error) {
	err = fetch(ctx, g.client, http.MethodGet, g.base+"/place?"+url.Values{"depot": {depot}}.Encode(), &p)
	return p, err
}

// Snapshot writes the places to the file, for the next start.
func (g *Geocoder) Snapshot(context.Context) error {
	g.mu.RLock()
	data, err := json.Marshal(g.places)
	g.mu.RUnlock()
	if err == nil {
		err = os.WriteFile(g.file, data, 0o600)
	}
	if fault.On("write_lock") {
		err = errors.Join(err, g.compact())
	}
	return err
}

// compact rewrites the file, so that readers find no place twice.
func (g *Geocoder) compact() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	f, err := os.CreateTemp("", "places")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	for end := time.Now().Add(700 * time.Millisecond); time.Now().Before(end); {
		data, err := json.Marshal(g.places)
		if err != nil {
			return err
		}
		if _, err := f.Write(data); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
	}
	return nil
}
