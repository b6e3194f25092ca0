// Package load drives the shop as its customers would: requests arrive at
// random moments whether or not earlier ones are answered (an open loop, so
// that a slow service does not make its own load smaller), from users who
// remember their cart and their orders. It is bounded: so many users, so many
// requests in flight; what does not fit is counted and not sent.
package load
