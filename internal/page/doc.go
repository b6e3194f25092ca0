// Package page is what a person looks at: six views of a service on its admin
// listener, drawn on the server, with small modules of JavaScript that keep
// them up to date.
//
// It knows nothing but the JSON that the listener itself answers with, and
// reads that in the process. Where embedded runs, its APIs are there too, and
// the page shows alerts, incidents and PromQL; where it does not, they answer
// 404 and the page goes without. It keeps nothing, starts no goroutine, and asks
// no other host.
package page
