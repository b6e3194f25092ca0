// Package shop is the service of the example: a shop's orders over HTTP, with
// JSON in and out and SQLite behind it. What users of the shop read is in
// Spanish, as the words of its domain are; the code is in English.
//
// A tour, one room a file:
//
//	api.go        the routes
//	orders.go     list, get, create, change and cancel an order
//	carts.go      carts, which live in memory
//	order.go      what an order is, and what makes one valid
//	store.go      orders in SQLite
//	report.go     an endpoint that burns CPU      (salesStatistics)
//	supplier.go   an endpoint that waits          (Supplier.awaitAnswer)
//	catalogue.go  an endpoint that allocates      (catalogueRows)
//	payments.go   an endpoint that fails at times (Gateway.Status)
//	broken.go     what is wrong with it when it is broken on purpose (package breaks)
//	problem.go    errors as the API answers them
//	metrics.go    business events, and the three ways to record one
//	seed.go       orders of earlier days
package shop
