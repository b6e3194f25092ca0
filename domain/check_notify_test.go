package domain

import (
	"net/url"
	"testing"
)

// TestKeyInPath tells keys in a webhook's address from words.
func TestKeyInPath(t *testing.T) {
	for path, key := range map[string]bool{
		"/in/3f2b8c1de9a74b6f9d10":                       true,
		"/hooks/xkfd6pswpbbwbjxqwtu3fhpyhe":              true,
		"/hook/550e8400-e29b-41d4-a716-446655440000":     true,
		"/in/Zk3_9aQx-7bR2mT4pLw8":                       true,
		"/alertmanager-webhook-receiver-v2":              false,
		"/teams/guardia-de-la-tienda-2026/alertas":       false,
		"/api/v1/notifications/production-eu-west-1/all": false,
		"/aVeryLongNameWithoutAnyDigit":                  false,
		"/20261129000000000000":                          false,
		"":                                               false,
	} {
		if got := secretPath(&url.URL{Scheme: "https", Host: "hooks.example.com", Path: path}); got != key {
			t.Errorf("%s: %v, want %v", path, got, key)
		}
	}
}

// TestGiven: an option that is empty, in whatever shape, holds no secret.
func TestGiven(t *testing.T) {
	t.Parallel()
	for _, empty := range []any{nil, "", []any{}, []any{"", nil}, map[string]any{}} {
		if given(empty) {
			t.Errorf("%#v is given", empty)
		}
	}
	for _, value := range []any{"x", 0, false, []any{"", "x"}, map[string]any{"a": "x"}} {
		if !given(value) {
			t.Errorf("%#v is not given", value)
		}
	}
}
