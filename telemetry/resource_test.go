package telemetry

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/latido-dev/latido/continuous"
)

// TestOneIdentity: who the service is, is the same for every signal, and what
// was found out never wins over what somebody said. Code wins over the
// environment, and the environment over what the build and the machine tell.
func TestOneIdentity(t *testing.T) {
	const revision = "vcs.ref.head.revision"
	for name, c := range map[string]struct {
		environment   map[string]string
		change        func(*Config)
		service, is   string // the name and the version
		revision, has string // has: one more attribute
	}{
		"nothing": {nil, func(c *Config) { c.Domain.App, c.Version = "", "" }, "tienda-api", "unknown", "unknown", ""},
		"code":    {nil, nil, "tienda-api", "v1.2.3", "unknown", ""},
		"environment": {
			map[string]string{"OTEL_SERVICE_NAME": "checkout", "OTEL_RESOURCE_ATTRIBUTES": "service.version=9.9,host.name=web-1,service.name=other," + revision + "=abc"},
			func(c *Config) { c.Domain.App, c.Version = "", "" }, "checkout", "9.9", "abc", "host.name=web-1",
		},
		"name among the attributes": {
			map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "service.name=checkout,process.pid=7"},
			func(c *Config) { c.Domain.App = "" }, "checkout", "v1.2.3", "unknown", "process.pid=7",
		},
		"code and environment": {
			map[string]string{"OTEL_SERVICE_NAME": "checkout", "OTEL_RESOURCE_ATTRIBUTES": "service.version=9.9,team=shop,service.namespace=prod"},
			func(c *Config) { c.Attributes = []attribute.KeyValue{attribute.String("team", "code")} }, "tienda-api", "v1.2.3", "unknown", "team=code",
		},
		"attributes in the code": {
			map[string]string{"OTEL_SERVICE_NAME": "checkout"},
			func(c *Config) {
				c.Attributes = []attribute.KeyValue{attribute.String("service.version", "7"), attribute.String("service.name", "pay"), attribute.String(revision, "def")}
			}, "pay", "7", "def", "",
		},
		"empty": {map[string]string{"OTEL_SERVICE_NAME": "", "OTEL_RESOURCE_ATTRIBUTES": "service.version=,service.name="}, nil, "tienda-api", "v1.2.3", "unknown", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range c.environment {
				t.Setenv(key, value)
			}
			var mu sync.Mutex
			var profile string
			pyroscope := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				profile = r.URL.Query().Get("name")
				_, _ = io.Copy(io.Discard, r.Body)
			}))
			t.Cleanup(pyroscope.Close)
			tel := start(t, func(cfg *Config) {
				cfg.Profiling = continuous.Config{ServerAddress: pyroscope.URL, Interval: time.Hour}
				if c.change != nil {
					c.change(cfg)
				}
			})
			must(t, tel.Flush(t.Context()))
			version, rev := tel.Version()
			page := tel.dashboard(t.Context())
			find := func(key string) string {
				v, _ := tel.resource.Set().Value(attribute.Key(key))
				return v.String()
			}
			mu.Lock()
			profileName, _, _ := strings.Cut(profile, "{")
			mu.Unlock()
			for what, got := range map[string]string{
				"resource": find("service.name"), "domain": tel.Domain().Service(), "dashboard": page.App, "profile": profileName,
			} {
				if got != c.service {
					t.Errorf("%s: the name is %q, want %q", what, got, c.service)
				}
			}
			info := ""
			for one := range scrape(t, tel).of("tienda_build_info") {
				info = one
			}
			for what, got := range map[string][2]string{
				"resource": {find("service.version"), find(revision)}, "Version()": {version, rev}, "dashboard": {page.Version, page.Revision},
			} {
				if got != [2]string{c.is, c.revision} {
					t.Errorf("%s: version and revision are %q, want %q", what, got, [2]string{c.is, c.revision})
				}
			}
			if !strings.Contains(info, `version="`+c.is+`"`) || !strings.Contains(info, `revision="`+c.revision+`"`) {
				t.Errorf("build_info is %s, want version %s, revision %s", info, c.is, c.revision)
			}
			if !strings.Contains(profile, "version="+c.is) {
				t.Errorf("the profile is of %s, want version %s", profile, c.is)
			}
			if key, value, ok := strings.Cut(c.has, "="); ok && find(key) != value {
				t.Errorf("%s = %q, want %q", key, find(key), value)
			}
			for _, key := range []string{"host.name", "process.pid", "process.runtime.version", "telemetry.sdk.name"} {
				if find(key) == "" {
					t.Errorf("%s is missing", key)
				}
			}
			for _, key := range []string{"process.command", "process.command_line", "process.command_args"} {
				if tel.resource.Set().HasValue(attribute.Key(key)) {
					t.Errorf("%s is in the resource: it may have a password in it", key)
				}
			}
		})
	}
}
