package parcel

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/XSAM/otelsql"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	_ "modernc.org/sqlite" // the driver: SQLite in Go

	"github.com/latido-dev/latido/telemetry"
)

// Store keeps shipments in SQLite: one connection writes, a few read.
type Store struct {
	write, read *sql.DB
}

const schema = `
CREATE TABLE IF NOT EXISTS shipments (
	code TEXT PRIMARY KEY, customer TEXT NOT NULL, carrier TEXT NOT NULL, cents INTEGER NOT NULL, at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS pieces (shipment TEXT NOT NULL, reference TEXT NOT NULL, kg INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS scans (shipment TEXT NOT NULL, depot TEXT NOT NULL, at INTEGER NOT NULL, note TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS shipments_by_customer ON shipments(customer, at);
CREATE INDEX IF NOT EXISTS pieces_by_shipment ON pieces(shipment);
CREATE INDEX IF NOT EXISTS scans_by_shipment ON scans(shipment);
CREATE INDEX IF NOT EXISTS scans_by_depot ON scans(depot, at);
`

// OpenStore opens the database file at path.
func OpenStore(ctx context.Context, path string, tel *telemetry.Telemetry) (*Store, error) {
	s := &Store{}
	var err error
	if s.write, err = openPool(path, "write", 1, tel); err != nil {
		return nil, err
	}
	if s.read, err = openPool(path, "read", 4, tel); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if _, err := s.write.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", path, err), s.Close())
	}
	return s, nil
}

func openPool(path, pool string, connections int, tel *telemetry.Telemetry) (*sql.DB, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + url.Values{
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(NORMAL)"},
		"_txlock": {"immediate"},
	}.Encode()
	db, err := otelsql.Open("sqlite", dsn,
		otelsql.WithMeterProvider(tel.MeterProvider()), otelsql.WithTracerProvider(tel.TracerProvider()),
		otelsql.WithAttributes(semconv.DBSystemNameSQLite, semconv.DBClientConnectionPoolName(pool)),
		otelsql.WithDisableSkipErrMeasurement(true))
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	tel.Database("parcels_"+pool, db)
	return db, nil
}

// Close ends all connections.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.write, s.read} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// transaction runs do in one, which is undone where do fails.
func (s *Store) transaction(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return &problem{503, "database", err}
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// Seed fills an empty database with shipments of earlier days.
func (s *Store) Seed(ctx context.Context, shipments, scans int) error {
	return s.transaction(ctx, func(tx *sql.Tx) error {
		now := time.Now().Unix()
		note := strings.Repeat("ok ", 8)
		for i := range shipments {
			code := Code(i)
			if _, err := tx.ExecContext(ctx, "INSERT INTO shipments VALUES (?, ?, ?, ?, ?)",
				code, customers[i%len(customers)], "C000001", 1200+i, now-int64(shipments-i)); err != nil {
				return err
			}
			for j := range scans {
				if _, err := tx.ExecContext(ctx, "INSERT INTO scans VALUES (?, ?, ?, ?)",
					code, depots[j%len(depots)], now-int64(shipments-i), note); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Code is that of the shipment with a number.
func Code(number int) string { return fmt.Sprintf("P%07d", number) }
