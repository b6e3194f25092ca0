package shop

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/XSAM/otelsql"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	_ "modernc.org/sqlite" // the driver: SQLite in Go, so that no C compiler is needed

	"github.com/latido-dev/latido/telemetry"
)

// Memory is the path of a database that is in memory only.
const Memory = ":memory:"

// maxOrders is how many orders are kept: an example that runs for weeks must
// not fill the disk.
const maxOrders = 50_000

// errNoOrder is what the store returns for an order that does not exist.
var errNoOrder = errors.New("no such order")

// Store keeps orders in SQLite. It is safe for concurrent use.
type Store struct {
	// SQLite has one writer at a time. Writers that queue for the one
	// connection of their pool never meet "database is locked".
	write, read *sql.DB
	stats       []metric.Registration
	keep        int64 // how many orders
}

const schema = `
CREATE TABLE IF NOT EXISTS orders (
	id       INTEGER PRIMARY KEY,
	customer TEXT    NOT NULL,
	channel  TEXT    NOT NULL,
	items    TEXT    NOT NULL, -- JSON: they are only read with their order
	total    INTEGER NOT NULL,
	state    TEXT    NOT NULL,
	reason   TEXT    NOT NULL,
	created  INTEGER NOT NULL  -- Unix time in milliseconds
)`

// OpenStore opens the database file at path, and makes it if need be. Its
// queries are measured by otelsql, whose metrics get the prefix of the domain
// like those of any other library.
func OpenStore(ctx context.Context, path string, tel *telemetry.Telemetry) (*Store, error) {
	s := &Store{keep: maxOrders}
	var err error
	if s.write, err = s.open(path, "write", 1, tel); err != nil {
		return nil, err
	}
	s.read = s.write
	if path != Memory { // each connection to :memory: would be a database of its own
		if s.read, err = s.open(path, "read", 4, tel); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	if _, err := s.write.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", path, err), s.Close())
	}
	return s, nil
}

func (s *Store) open(path, pool string, connections int, tel *telemetry.Telemetry) (*sql.DB, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + url.Values{
		// A reader of a WAL neither waits for the writer nor stops it.
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(NORMAL)"},
		// A transaction that first reads and then writes cannot wait for a
		// writer of another process: it has to be one from the start.
		"_txlock": {"immediate"},
	}.Encode()
	options := []otelsql.Option{
		otelsql.WithMeterProvider(tel.MeterProvider()),
		otelsql.WithTracerProvider(tel.TracerProvider()),
		otelsql.WithAttributes(semconv.DBSystemNameSQLite, semconv.DBClientConnectionPoolName(pool)),
		otelsql.WithDisableSkipErrMeasurement(true),
		otelsql.WithSpanOptions(otelsql.SpanOptions{OmitConnResetSession: true, OmitRows: true, DisableErrSkip: true}),
	}
	db, err := otelsql.Open("sqlite", dsn, options...)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	stats, err := otelsql.RegisterDBStatsMetrics(db, options...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", path, err), db.Close())
	}
	s.stats = append(s.stats, stats)
	tel.Database(pool, db)
	return db, nil
}

// Close ends all connections.
func (s *Store) Close() error {
	var errs []error
	for _, r := range s.stats {
		errs = append(errs, r.Unregister())
	}
	errs = append(errs, s.write.Close())
	if s.read != nil && s.read != s.write {
		errs = append(errs, s.read.Close())
	}
	return errors.Join(errs...)
}

// Ready tells whether the database answers.
func (s *Store) Ready(ctx context.Context) error { return s.read.PingContext(ctx) }

// Insert stores new orders, all or none, and gives them their ids and times.
// The oldest orders beyond maxOrders make room for them.
func (s *Store) Insert(ctx context.Context, orders ...*Order) error {
	return s.transaction(ctx, func(tx *sql.Tx) error {
		for _, o := range orders {
			items, err := json.Marshal(o.Items)
			if err != nil {
				return err
			}
			o.Created = time.Now().UTC().Truncate(time.Millisecond)
			result, err := tx.ExecContext(ctx,
				`INSERT INTO orders (customer, channel, items, total, state, reason, created) VALUES (?, ?, ?, ?, ?, ?, ?)`,
				o.Customer, o.Channel, string(items), o.Total, o.State, o.Reason, o.Created.UnixMilli())
			if err != nil {
				return err
			}
			if o.ID, err = result.LastInsertId(); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM orders WHERE id <= ?`, o.ID-s.keep); err != nil {
				return err
			}
		}
		return nil
	})
}

// Change reads an order, lets change work on it, and stores what it made of
// it. Nobody else changes the order in between. An error of change stores
// nothing and is returned as it is.
func (s *Store) Change(ctx context.Context, id int64, change func(*Order) error) (o Order, err error) {
	err = s.transaction(ctx, func(tx *sql.Tx) error {
		if o, err = scan(tx.QueryRowContext(ctx, selectOrders+` WHERE id = ?`, id)); err != nil {
			return err
		}
		if err := change(&o); err != nil {
			return err
		}
		items, err := json.Marshal(o.Items)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx,
			`UPDATE orders SET customer = ?, channel = ?, items = ?, total = ?, state = ?, reason = ? WHERE id = ?`,
			o.Customer, o.Channel, string(items), o.Total, o.State, o.Reason, id)
		return err
	})
	return o, err
}

func (s *Store) transaction(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		_ = tx.Rollback() // err is what went wrong; a failed rollback ends with its connection
		return err
	}
	return tx.Commit()
}

const selectOrders = `SELECT id, customer, channel, items, total, state, reason, created FROM orders`

// Get returns an order.
func (s *Store) Get(ctx context.Context, id int64) (Order, error) {
	return scan(s.read.QueryRowContext(ctx, selectOrders+` WHERE id = ?`, id))
}

// List returns up to limit orders older than the one with the id before,
// newest first. Paging by id costs the same on every page.
func (s *Store) List(ctx context.Context, before int64, limit int) ([]Order, error) {
	rows, err := s.read.QueryContext(ctx, selectOrders+` WHERE id < ? ORDER BY id DESC LIMIT ?`, before, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	orders := make([]Order, 0, limit)
	for rows.Next() {
		o, err := scan(rows)
		if err != nil {
			return nil, err
		}
		orders = append(orders, o)
	}
	return orders, rows.Err()
}

// Totals returns the values of the latest orders that were not cancelled.
func (s *Store) Totals(ctx context.Context, limit int) ([]int64, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT total FROM orders WHERE state <> ? ORDER BY id DESC LIMIT ?`, StateCancelled, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	totals := make([]int64, 0, limit)
	for rows.Next() {
		var total int64
		if err := rows.Scan(&total); err != nil {
			return nil, err
		}
		totals = append(totals, total)
	}
	return totals, rows.Err()
}

// scan reads one order from a row.
func scan(row interface{ Scan(...any) error }) (o Order, err error) {
	var items string
	var created int64
	err = row.Scan(&o.ID, &o.Customer, &o.Channel, &items, &o.Total, &o.State, &o.Reason, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return o, errNoOrder
	}
	if err != nil {
		return o, err
	}
	o.Created = time.UnixMilli(created).UTC()
	return o, json.Unmarshal([]byte(items), &o.Items)
}
