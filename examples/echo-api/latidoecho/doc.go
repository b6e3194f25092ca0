// Package latidoecho measures the requests of an API on labstack/echo v5:
//
//	e := echo.New()
//	latidoecho.Use(e, tel)
//	e.GET("/pedidos/:id", showOrder) // endpoint="/pedidos/{id}"
//
// The label endpoint is the route's pattern in the form of net/http, so that
// it reads the same whichever router a service is on: echo's :id is {id} and
// its * is {path...}. A request that no route matches, and one whose method a
// route does not have, counts as unmatched.
//
// The package never reads the path of a request, changes no answer, and keeps
// what echo's Response can do: Flush, Hijack and http.ResponseController work.
package latidoecho
