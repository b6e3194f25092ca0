package load

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"

	"github.com/latido-dev/latido/examples/echo-api/shop"
)

// action is one thing that a user does.
type action func(*user) request

type request struct {
	endpoint     string // as the summary names it
	method, path string
	body         any                          // sent as JSON; nil for none
	answered     func(u *user, answer []byte) // lets the user remember a good answer; nil if there is nothing to
}

// actions are all that a mix may name.
var actions = map[string]action{
	"ver": func(u *user) request {
		return request{endpoint: "GET /pedidos/{id}", method: http.MethodGet, path: fmt.Sprintf("/pedidos/%d", u.anOrder())}
	},
	"listar": func(*user) request {
		return request{endpoint: "GET /pedidos", method: http.MethodGet, path: fmt.Sprintf("/pedidos?limite=%d", 10+10*rand.IntN(3))}
	},
	"crear": func(u *user) request {
		order := shop.SampleOrder()
		order.Cart = u.takeCart()
		if rand.IntN(30) == 0 { // people mistype
			order.Items[0].Quantity = 0
		}
		return request{endpoint: "POST /pedidos", method: http.MethodPost, path: "/pedidos", body: order,
			answered: func(u *user, answer []byte) { u.remember(idIn(answer)) }}
	},
	"cambiar": func(u *user) request {
		return request{endpoint: "PUT /pedidos/{id}", method: http.MethodPut,
			path: fmt.Sprintf("/pedidos/%d", u.anOrder()), body: shop.SampleOrder()}
	},
	"cancelar": func(u *user) request {
		reasons := []string{"cliente", "cliente", "sin_existencias", "pago_rechazado"}
		id := u.anOrder()
		u.forget(id)
		return request{endpoint: "POST /pedidos/{id}/cancelar", method: http.MethodPost,
			path: fmt.Sprintf("/pedidos/%d/cancelar", id), body: map[string]string{"motivo": reasons[rand.IntN(len(reasons))]}}
	},
	"carrito": func(u *user) request {
		if id := u.takeCart(); id != 0 { // on second thoughts
			return request{endpoint: "DELETE /carritos/{id}", method: http.MethodDelete, path: fmt.Sprintf("/carritos/%d", id)}
		}
		return request{endpoint: "POST /carritos", method: http.MethodPost, path: "/carritos",
			answered: func(u *user, answer []byte) { u.keepCart(idIn(answer)) }}
	},
	"reporte":   get("/reportes/ventas"),
	"proveedor": get("/inventario/proveedor"),
	"catalogo":  get("/catalogo/exportar"),
	"pagos":     get("/pagos/estado"),
	"salud":     get("/salud"),
	"perdido": func(*user) request {
		return request{endpoint: "unmatched", method: http.MethodGet, path: fmt.Sprintf("/promociones/%d", rand.IntN(100_000))}
	},
}

func get(path string) action {
	return func(*user) request { return request{endpoint: "GET " + path, method: http.MethodGet, path: path} }
}

func idIn(body []byte) int64 {
	var answer struct {
		ID int64 `json:"id"`
	}
	_ = json.Unmarshal(body, &answer) // without an id there is nothing to remember
	return answer.ID
}

// maxRemembered is how many orders a user remembers.
const maxRemembered = 20

// user is one customer. It is safe for concurrent use: people have two tabs.
type user struct {
	seeded int64 // orders with ids from 1 to seeded exist from the start

	mu     sync.Mutex
	cart   int64 // 0 for none
	orders []int64
}

// anOrder is one of the user's orders, or one of somebody else's.
func (u *user) anOrder() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.orders) > 0 {
		return u.orders[rand.IntN(len(u.orders))]
	}
	return 1 + rand.Int64N(max(u.seeded, 1))
}

func (u *user) remember(order int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if order == 0 {
		return
	}
	if len(u.orders) >= maxRemembered {
		u.orders = slices.Delete(u.orders, 0, 1)
	}
	u.orders = append(u.orders, order)
}

func (u *user) forget(order int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.orders = slices.DeleteFunc(u.orders, func(id int64) bool { return id == order })
}

func (u *user) keepCart(id int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.cart = id
}

// takeCart is the user's cart, which it has no longer.
func (u *user) takeCart() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	id := u.cart
	u.cart = 0
	return id
}
