package domain

import "testing"

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
		if got := Nearest(name, keys); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
	if got := Nearest("page", nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
	if got := Nearest("ñandu", []string{"nandu"}); got != "nandu" {
		t.Errorf("accents: %q", got)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "axc", 1}, {"abc", "abxc", 1}, {"kitten", "sitting", 3}, {"ñu", "nu", 1}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := distance(c.b, c.a); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}
