package domain

import (
	"testing"

	"github.com/latido-dev/latido/internal/spelling"
)

func TestNearest(t *testing.T) {
	keys := contractKeys()
	for name, want := range map[string]string{
		"response_duraton":                 "response_duration",
		"reponse_duration":                 "response_duration",
		"response-duration":                "response_duration",
		"responseduration":                 "response_duration",
		"Response.Duration":                "response_duration",
		"respones_duration":                "response_duration", // letters swapped
		"cpu":                              "cpu_usage",
		"goroutine_count":                  "go_goroutine_count",
		"goroutine":                        "", // of two
		"requests_total":                   "requests",
		"tienda_response_duration_seconds": "response_duration",
		"usage":                            "", // of three
		"latency":                          "",
		"x":                                "",
		"":                                 "",
		"cpu_usage":                        "cpu_usage",
	} {
		if got := spelling.Nearest(name, keys); got != want {
			t.Errorf("spelling.Nearest(%q) = %q, want %q", name, got, want)
		}
	}
	if got := spelling.Nearest("page", nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
	if got := spelling.Nearest("ñandu", []string{"nandu"}); got != "nandu" {
		t.Errorf("accents: %q", got)
	}
}
