package telemetry

import (
	"net/http"
	"testing"
)

type shopAPI struct{}

func (*shopAPI) list(http.ResponseWriter, *http.Request)      {}
func (*shopAPI) ServeHTTP(http.ResponseWriter, *http.Request) {}

type valueHandler struct{}

func (valueHandler) ServeHTTP(http.ResponseWriter, *http.Request) {}

func plain(http.ResponseWriter, *http.Request) {}

// TestFunctionName wants names as the stacks of a profile have them.
func TestFunctionName(t *testing.T) {
	const here = "github.com/latido-dev/latido/telemetry."
	for want, handler := range map[string]any{
		here + "plain":                  http.HandlerFunc(plain),
		here + "(*shopAPI).list":        (&shopAPI{}).list,
		here + "(*shopAPI).ServeHTTP":   &shopAPI{},
		here + "valueHandler.ServeHTTP": valueHandler{},
		"":                              http.HandlerFunc(nil),
	} {
		if got := functionName(handler); got != want {
			t.Errorf("functionName = %q, want %q", got, want)
		}
	}
}
