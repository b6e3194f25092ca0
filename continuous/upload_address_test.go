package continuous

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/latido-dev/latido/internal/testkit"
)

func TestAddress(t *testing.T) {
	for address, want := range map[string]string{
		"http://localhost:4040":                    "",
		"https://user:pass@pyroscope.example/p":    "",
		"localhost:4040":                           `address "localhost:4040": write it with its scheme: http://localhost:4040`,
		"pyroscope":                                `address "pyroscope": write it with its scheme: http://pyroscope`,
		"10.0.0.1:4040":                            "write it with its scheme: http://10.0.0.1:4040",
		"ftp://localhost":                          `scheme "ftp" is not known: write http or https`,
		"http://":                                  "has no host",
		"http://user:s3cret@local host:4040":       "is not a URL",
		"https://user:s3cret@":                     `address "https://...@" has no host`,
		"https://user:s3cret@local host":           `address "https://...@local host" is not a URL`,
		"user:s3cret@localhost:4040":               `address "http://...@localhost:4040": write it with its scheme: http://...@localhost:4040`,
		"user:s3cret@localhost://4040":             `address "http://...@localhost://4040"`,
		"grpc://user:s3cret@localhost:4040/x?y=z#": "is not known",
	} {
		t.Run(address, func(t *testing.T) {
			p, err := Start(Config{ServerAddress: address, Interval: testInterval, Disabled: want == ""})
			if want == "" {
				_, err = parseAddress(address)
			}
			testkit.Error(t, err, want)
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error shows the password: %v", err)
			}
			if p == nil || p.Stop(context.Background()) != nil {
				t.Error("no Profiler beside the error")
			}
		})
	}
}

func TestAddressFromEnvironment(t *testing.T) {
	t.Setenv("PYROSCOPE_SERVER_ADDRESS", "localhost:4040")
	out := &logged{}
	p, err := Start(Config{Interval: testInterval, Logger: slog.New(slog.NewTextHandler(out, nil))})
	if err != nil || p.up != nil {
		t.Errorf("a wrong address in the environment: error %v, uploader %v", err, p.up)
	}
	if err := p.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(out.String(), "level=WARN"); n != 1 || !strings.Contains(out.String(), "http://localhost:4040") {
		t.Errorf("%d warnings: %s", n, out)
	}
}

// TestSecretsOfHeaders: the password, what logs in with it, and headers that are long
// enough to be a secret, with the token in them; a short one is a word.
func TestSecretsOfHeaders(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", minSecret)
	up := &uploader{}
	got := up.headers(Config{BasicAuthUser: "ana", BasicAuthPassword: "pw", HTTPHeaders: map[string]string{"X-Key": " " + long + " ", "X-Short": long[1:], "X-Bearer": "Bearer token"}}, nil)
	if got["X-Key"] != long || got["X-Short"] != long[1:] || got["Authorization"] != "Basic YW5hOnB3" {
		t.Errorf("the headers are %v", got)
	}
	want := []string{"Basic YW5hOnB3", "Bearer token", long, "YW5hOnB3", "token", "pw"}
	slices.Sort(want)
	slices.Sort(up.secrets)
	if !slices.Equal(up.secrets, want) {
		t.Errorf("hides %q, want %q", up.secrets, want)
	}
}
