package telemetry

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// noServer connects to nothing, which is enough to have a pool.
type noServer struct{}

func (noServer) Connect(context.Context) (driver.Conn, error) { return noConn{}, nil }
func (noServer) Driver() driver.Driver                        { return nil }
func (noConn) Prepare(string) (driver.Stmt, error)            { return nil, errors.New("no statements") }
func (noConn) Close() error                                   { return nil }
func (noConn) Begin() (driver.Tx, error)                      { return nil, errors.New("no transactions") }

type noConn struct{}

func opened(t *testing.T, most int) *sql.DB {
	t.Helper()
	db := sql.OpenDB(noServer{})
	t.Cleanup(func() { must(t, db.Close()) })
	db.SetMaxOpenConns(most)
	return db
}

// TestDatabasePool holds the figures of a pool of two connections, one of them
// in use, for which somebody waited 3 seconds before both were.
func TestDatabasePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := start(t)
		db := sql.OpenDB(noServer{})
		defer func() { must(t, db.Close()) }()
		db.SetMaxOpenConns(2)
		tel.Database("orders", db)
		scrape(t, tel).want(t, series{`tienda_pool_connections{pool="orders",state="used"}`: 0, `tienda_pool_waits_total{pool="orders"}`: 0})
		a, err := db.Conn(t.Context())
		must(t, err)
		b, err := db.Conn(t.Context())
		must(t, err)
		go func() {
			time.Sleep(3 * time.Second)
			must(t, a.Close())
		}()
		c, err := db.Conn(t.Context()) // waits for a
		must(t, err)
		must(t, b.Close())
		scrape(t, tel).want(t, series{
			`tienda_pool_connections{pool="orders",state="used"}`: 1,
			`tienda_pool_connections{pool="orders",state="idle"}`: 1,
			`tienda_pool_connections_max{pool="orders"}`:          2,
			`tienda_pool_waits_total{pool="orders"}`:              1,
			`tienda_pool_wait_time_seconds_total{pool="orders"}`:  3,
		})
		must(t, c.Close())
	})
}

// TestDatabaseWithoutLimit has no series for a limit that is not there.
func TestDatabaseWithoutLimit(t *testing.T) {
	t.Parallel()
	tel := start(t)
	tel.Database("orders", opened(t, 0))
	if got := scrape(t, tel).of("tienda_pool_connections_max"); len(got) != 0 {
		t.Errorf("a limit: %v", got)
	}
}

func TestDatabaseNamedTwice(t *testing.T) {
	t.Parallel()
	tel := start(t)
	first, second := opened(t, 1), opened(t, 7)
	tel.Database("orders", first)
	tel.Database("orders", first) // no mistake
	if told := journalOf(tel).told("same name"); len(told) != 0 {
		t.Errorf("told of one database: %v", told)
	}
	tel.Database("orders", second)
	tel.Database("orders", first)
	tel.Database("orders", second)
	wantTold(t, journalOf(tel), "another database of the same name")
	scrape(t, tel).of("tienda_pool_connections_max").wantOnly(t, series{`tienda_pool_connections_max{pool="orders"}`: 7})
}

// TestDatabaseWrong gives what is no database, and more of them than are kept.
func TestDatabaseWrong(t *testing.T) {
	t.Parallel()
	tel := start(t)
	db := opened(t, 1)
	tel.Database("orders", nil)
	tel.Database("", db)
	wantTold(t, journalOf(tel), "without a name")
	tel.Database("\xff"+strings.Repeat("x", 1000), &sql.DB{})
	for i := range 2 * maxPools {
		tel.Database(fmt.Sprint("db", i), db)
	}
	wantTold(t, journalOf(tel), "too many databases")
	got := scrape(t, tel)
	if n := len(got.of("tienda_pool_waits_total")); n != maxPools {
		t.Errorf("%d pools, want %d", n, maxPools)
	}
	got.want(t, series{
		`tienda_telemetry_refused_total{reason="value"}`: 2,
		`tienda_telemetry_refused_total{reason="route"}`: maxPools + 1,
	})
}
