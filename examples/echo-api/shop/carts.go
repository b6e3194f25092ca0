package shop

import (
	"net/http"
	"sync"

	"github.com/labstack/echo/v5"

	"github.com/latido-dev/latido/telemetry"
)

// maxCarts is how many carts are open at once. The oldest one makes room.
const maxCarts = 10_000

// carts are the open ones. Nobody misses a cart after a restart, so they are
// in memory only. The zero value is ready, and safe for concurrent use.
type carts struct {
	active telemetry.BoundUpDown

	mu     sync.Mutex
	open   map[int64]bool
	oldest int64 // no open cart has a lower id
	last   int64
}

func (cs *carts) add() int64 {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.open == nil {
		cs.open = map[int64]bool{}
	}
	for len(cs.open) >= maxCarts {
		cs.remove(cs.oldest)
		cs.oldest++
	}
	cs.last++
	cs.open[cs.last] = true
	cs.active.Add(1)
	return cs.last
}

// close ends a cart, and tells whether it was open.
func (cs *carts) close(id int64) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.remove(id)
}

// remove takes a cart out. cs.mu is held.
func (cs *carts) remove(id int64) bool {
	if !cs.open[id] {
		return false
	}
	delete(cs.open, id)
	cs.active.Add(-1)
	return true
}

func (api *API) openCart(c *echo.Context) error {
	return c.JSON(http.StatusCreated, map[string]int64{"id": api.carts.add()})
}

func (api *API) abandonCart(c *echo.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	if !api.carts.close(id) {
		return notFound("no hay un carrito abierto %d", id)
	}
	return c.NoContent(http.StatusNoContent)
}
