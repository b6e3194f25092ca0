package am

import (
	"net/url"
	"reflect"
	"slices"
	"testing"

	"github.com/prometheus/alertmanager/config"
	amcommon "github.com/prometheus/alertmanager/config/common"
	common "github.com/prometheus/common/config"
)

// TestEverySecretIsFound: each type of Alertmanager's that says it is a secret is
// found in options of whatever shape, and nothing else is.
func TestEverySecretIsFound(t *testing.T) {
	t.Parallel()
	at, err := url.Parse("https://hooks.example.com/in/one")
	if err != nil {
		t.Fatal(err)
	}
	type options struct {
		Plain  string
		Secret common.Secret
		URL    *amcommon.SecretURL
		Old    config.SecretTemplateURL
		New    amcommon.SecretTemplateURL
		Any    any
		own    common.Secret
	}
	secretURL := amcommon.SecretURL(amcommon.URL{URL: at})
	tree := options{Plain: "none", Secret: "a", URL: &secretURL, Any: map[string][]any{"x": {common.Secret("b"), nil, "none"}}, own: "none"}
	all := []*options{&tree, nil, {Old: "c", New: "d", Any: [1]options{{Secret: "e", URL: &amcommon.SecretURL{}}}}}
	var found []string
	eachSecret(reflect.ValueOf(all), func(s string) {
		if s != "" { // an option that is not set
			found = append(found, s)
		}
	})
	slices.Sort(found)
	if want := []string{"a", "b", "c", "d", "e", "https://hooks.example.com/in/one"}; !slices.Equal(found, want) {
		t.Errorf("finds %q, want %q", found, want)
	}
	if tree.own == "" {
		t.Error("what the package keeps to itself is kept")
	}
}
