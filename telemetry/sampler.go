package telemetry

import (
	"log/slog"
	"os"
	"strconv"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/latido-dev/latido/internal/spelling"
)

// samplers are the values of OTEL_TRACES_SAMPLER, as the OpenTelemetry
// specification has them
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration),
// without those that ask a server. Each makes its sampler of the ratio in
// OTEL_TRACES_SAMPLER_ARG; ratio says whether it heeds that.
var samplers = []struct {
	name  string
	ratio bool
	new   func(ratio float64) sdktrace.Sampler
}{
	{"parentbased_always_on", false, func(float64) sdktrace.Sampler { return sdktrace.ParentBased(sdktrace.AlwaysSample()) }},
	{"parentbased_always_off", false, func(float64) sdktrace.Sampler { return sdktrace.ParentBased(sdktrace.NeverSample()) }},
	{"parentbased_traceidratio", true, func(r float64) sdktrace.Sampler { return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(r)) }},
	{"always_on", false, func(float64) sdktrace.Sampler { return sdktrace.AlwaysSample() }},
	{"always_off", false, func(float64) sdktrace.Sampler { return sdktrace.NeverSample() }},
	{"traceidratio", true, sdktrace.TraceIDRatioBased},
}

// samplerVariable and samplerArgVariable are the specification's names.
const (
	samplerVariable    = "OTEL_TRACES_SAMPLER"
	samplerArgVariable = "OTEL_TRACES_SAMPLER_ARG"
)

// sampler decides which traces are kept, as the environment says. A value that
// makes no sense is warned of once, and counts as not set. The SDK would read
// the same variables; it says less, and takes NaN for a ratio.
func (t *Telemetry) sampler() sdktrace.Sampler {
	name := strings.ToLower(strings.TrimSpace(os.Getenv(samplerVariable)))
	arg := strings.TrimSpace(os.Getenv(samplerArgVariable))
	s := samplers[0] // the specification's default
	known := name == ""
	names := make([]string, len(samplers))
	for i := range samplers {
		names[i] = samplers[i].name
		if name == names[i] {
			s, known = samplers[i], true
		}
	}
	switch {
	case !known:
		t.samplerProblem(samplerVariable+" is not known: write one of "+strings.Join(names, ", ")+"; "+s.name+" is used",
			"value", cleanValue(name), "nearest", spelling.Nearest(cleanValue(name), names))
	case arg == "":
	case !s.ratio:
		t.samplerProblem(samplerArgVariable+" has no effect: set "+samplerVariable+" to parentbased_traceidratio to keep that part of the traces",
			"value", cleanValue(arg), "sampler", s.name)
	default:
		ratio, err := strconv.ParseFloat(arg, 64)
		if err == nil && ratio >= 0 && ratio <= 1 { // which NaN is not
			return s.new(ratio)
		}
		t.samplerProblem(samplerArgVariable+" is no ratio: write a number from 0 to 1, such as 0.1 for a tenth of the traces; 1 is used",
			"value", cleanValue(arg), "sampler", s.name)
	}
	return s.new(1)
}

// samplerProblem warns, and counts as told what the SDK will say of the same
// variables.
func (t *Telemetry) samplerProblem(message string, args ...any) {
	told := false
	for _, kind := range []string{"unsupported sampler", "parsing sampler argument", "invalid trace ID ratio"} {
		t.diagnostics.once("sdk/"+kind, func(log *slog.Logger) {
			if !told {
				log.Warn(message, args...)
			}
			told = true
		})
	}
}
