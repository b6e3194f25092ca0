package telemetry

import (
	"database/sql"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
)

// maxPools is how many connection pools have series.
const maxPools = 50

// Database has the connection pool of db recorded under name, from now until
// the process ends: how many connections are in use and idle, how many there may
// be, how often and for how long somebody waited for one. One line for each
// database, after sql.Open:
//
//	tel.Database("orders", db)
//
// db is only asked for its Stats, at each collection; it is neither used nor
// closed. A second database of the same name takes the place of the first, which
// is logged once. A nil db, an empty name, and databases after the first 50 are
// left out, which is logged once and counted as refused. It is safe for
// concurrent use, and does nothing on a Telemetry that records nothing.
func (t *Telemetry) Database(name string, db *sql.DB) {
	if !t.recording() {
		return
	}
	name = cleanValue(name) // two that a label cannot tell apart are one
	if name == "" || db == nil {
		t.diagnostics.refused(refusedValue).Add(1)
		t.diagnostics.once("pools without", func(log *slog.Logger) {
			log.Warn("Database was called without a name, or with a nil database: it is left out", "name", name)
		})
		return
	}
	ps := &t.pools
	ps.mu.Lock()
	defer ps.mu.Unlock()
	all := slices.Clone(ps.all())
	i := slices.IndexFunc(all, func(p *pool) bool { return p.name == name })
	switch {
	case i >= 0 && all[i].db == db:
		return
	case i >= 0:
		t.diagnostics.once("pools/"+name, func(log *slog.Logger) {
			log.Warn("Database was called with another database of the same name: the later one is recorded; give each a name of its own", "name", name)
		})
		all[i] = newPool(name, db)
	case len(all) >= maxPools:
		t.diagnostics.refused(refusedRoute).Add(1)
		t.diagnostics.once("pools", func(log *slog.Logger) {
			log.Warn("too many databases: further ones are left out", "limit", maxPools, "name", name)
		})
		return
	default:
		all = append(all, newPool(name, db))
	}
	ps.list.Store(&all)
}

// pool is one connection pool. Its Stats are read under a lock that
// database/sql holds for moments only, never while it talks to the server.
type pool struct {
	name               string
	db                 *sql.DB
	labels, used, idle *labelSet
}

func newPool(name string, db *sql.DB) *pool {
	state := func(value string) *labelSet { return newLabels([]string{"pool", "state"}, []string{name, value}) }
	return &pool{name, db, newLabels([]string{"pool"}, []string{name}), state("used"), state("idle")}
}

// pools are all of them. The list is copied for each change.
type pools struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*pool]
}

func (ps *pools) all() []*pool {
	if p := ps.list.Load(); p != nil {
		return *p
	}
	return nil
}

// points reads each pool, and yields what of says of it.
func (ps *pools) points(of func(*pool, sql.DBStats) []point) iter.Seq[point] {
	return func(yield func(point) bool) {
		for _, p := range ps.all() {
			for _, one := range of(p, p.db.Stats()) {
				if !yield(one) {
					return
				}
			}
		}
	}
}

func (p *pool) connections(s sql.DBStats) []point {
	return []point{{labels: p.used, value: float64(s.InUse)}, {labels: p.idle, value: float64(s.Idle)}}
}

// most is nothing for a pool without a limit.
func (p *pool) most(s sql.DBStats) []point {
	if s.MaxOpenConnections <= 0 {
		return nil
	}
	return []point{{labels: p.labels, value: float64(s.MaxOpenConnections)}}
}

func (p *pool) waits(s sql.DBStats) []point { return []point{{labels: p.labels, n: s.WaitCount}} }

func (p *pool) waited(s sql.DBStats) []point {
	return []point{{labels: p.labels, value: s.WaitDuration.Seconds()}}
}
