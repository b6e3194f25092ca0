package testkit

// KnownToLint is all that Prometheus' linter (promtool check metrics) has to
// say about a family of Latido's, by the family's key in the contract. The name
// is from OpenTelemetry's semantic conventions for the Go runtime, and becomes
// the same in Prometheus whichever way it takes.
var KnownToLint = map[string]string{
	"go_goroutine_count": `non-histogram and non-summary metrics should not have "_count" suffix`,
}
