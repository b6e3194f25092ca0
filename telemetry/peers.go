package telemetry

import (
	"log/slog"
	"maps"
	"net/http"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/spelling"
)

// peer is the state of one host that the service sends requests to. All its
// series exist from its first request on, so that increase() sees the first
// failure.
type peer struct {
	host     string
	statuses []*labelSet // of clientStatuses
	requests []atomic.Int64
	duration *histogram
	labels   pprof.LabelSet
}

func newPeer(host string, bounds durationBounds) *peer {
	p := &peer{
		host: host, requests: make([]atomic.Int64, len(clientStatuses)),
		duration: bounds.histogram(newLabels([]string{"peer"}, []string{host})),
		labels:   pprof.Labels(profiles.LabelPeer, host),
	}
	for _, status := range clientStatuses {
		p.statuses = append(p.statuses, newLabels([]string{"peer", "status"}, []string{host, status}))
	}
	return p
}

// peers are all of them. The map is copied when one is new, so that a look-up
// needs no lock.
type peers struct {
	bounds durationBounds
	byHost atomic.Pointer[map[string]*peer]
	mu     sync.Mutex // held while one is added
}

func (ps *peers) all() map[string]*peer {
	if m := ps.byHost.Load(); m != nil {
		return *m
	}
	return nil
}

func (ps *peers) add(host string) *peer {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	all := ps.all()
	if all[host] == nil && len(all) >= domain.MaxPeers {
		host = domain.Other // the others were added meanwhile, or are too many
	}
	if p := all[host]; p != nil {
		return p
	}
	next := maps.Clone(all)
	if next == nil {
		next = map[string]*peer{}
	}
	p := newPeer(host, ps.bounds)
	next[host] = p
	ps.byHost.Store(&next)
	return p
}

// peerOf finds the peer of a request, or makes it.
func (t *Telemetry) peerOf(r *http.Request) *peer {
	host := ""
	if r.URL != nil {
		host = r.URL.Hostname()
	}
	if p := t.peers.all()[host]; p != nil {
		return p
	}
	host = cleanValue(strings.ToLower(strings.TrimSuffix(host, ".")))
	if p := t.peers.all()[host]; p != nil {
		return p
	}
	switch {
	case host == "": // base will refuse it
	case len(t.cfg.Domain.Peers) > 0:
		t.diagnostics.refused(refusedValue).Add(1)
		t.diagnostics.once("peers/"+host, func(log *slog.Logger) {
			log.Warn("undeclared host counts as "+domain.Other+"; add it to peers in the domain file if it is one of yours",
				"host", host, "nearest", spelling.Nearest(host, t.cfg.Domain.Peers))
		})
	case len(t.peers.all()) < domain.MaxPeers:
		return t.peers.add(host)
	default:
		t.diagnostics.refused(refusedRoute).Add(1)
		t.diagnostics.once("peers", func(log *slog.Logger) {
			log.Warn("requests go to too many hosts: further ones count as "+domain.Other+"; list those that matter under peers in the domain file",
				"limit", domain.MaxPeers, "host", host)
		})
	}
	if p := t.peers.all()[domain.Other]; p != nil {
		return p
	}
	return t.peers.add(domain.Other)
}
