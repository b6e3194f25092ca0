package domain

import (
	"strings"
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

// TestList names as many as fit on a line, and says how many more there are.
func TestList(t *testing.T) {
	t.Parallel()
	names := strings.Split("a b c d e f g h i j k l m n", " ")
	for n, want := range map[int]string{0: "none", 1: "a", 2: "a, b", 12: "a, b, c, d, e, f, g, h, i, j, k, l", 13: "a, b, c, d, e, f, g, h, i, j, k, l and 1 more", 14: "a, b, c, d, e, f, g, h, i, j, k, l and 2 more"} {
		if got := list(names[:n]); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
