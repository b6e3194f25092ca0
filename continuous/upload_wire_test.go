package continuous

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latido-dev/latido/internal/testkit"
)

// roundTripper is one of a user's.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

const token = "eyJhbGciOi.s3cret-t0ken"

// TestHeadersAndRoundTripper uploads to a server that has a private CA and
// wants a token: what the code says wins over the environment.
func TestHeadersAndRoundTripper(t *testing.T) {
	t.Setenv("PYROSCOPE_BASIC_AUTH_USER", "ana")
	t.Setenv("PYROSCOPE_TENANT_ID", "other")
	got := make(chan http.Header, 10)
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		got <- r.Header
	}))
	defer server.Close()
	up, out := uploading(t, Config{ServerAddress: server.URL, RoundTripper: server.Client().Transport,
		HTTPHeaders: map[string]string{"authorization": "Bearer " + token + "\n", "X-Scope-OrgID": "tienda"}})
	up.add(heapCapture(10))
	waitUntil(t, "an upload", func() bool { return up.uploaded.Load()+up.failed.Load() > 0 })
	if up.uploaded.Load() != 1 {
		t.Fatalf("the upload failed: %s", out)
	}
	h := <-got
	if h.Get("Authorization") != "Bearer "+token || h.Get("X-Scope-OrgID") != "tienda" || h.Get("User-Agent") != "latido" {
		t.Errorf("the server got %v", h)
	}
	if err := up.stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// A user without a password is one: some servers take a token for its name.
func TestUserWithoutPassword(t *testing.T) {
	got := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		user, _, _ := r.BasicAuth()
		got <- user
	}))
	defer server.Close()
	up, _ := uploading(t, Config{ServerAddress: server.URL, BasicAuthUser: "ana"})
	up.add(heapCapture(10))
	if user := <-got; user != "ana" {
		t.Errorf("the user is %q", user)
	}
}

func TestHeaderMistakes(t *testing.T) {
	for want, headers := range map[string]map[string]string{
		"": {"Authorization": " Bearer x\r\n", "X-Scope-OrgID": "é"},
		`http header "a b": no HTTP header has such a name: write one like Authorization`:                  {"a b": token},
		`http header "X-Token": its value has a line break or another control character: write it without`: {"X-Token": token + "\nX-Evil: 1"},
	} {
		_, err := Config{HTTPHeaders: headers}.withDefaults()
		testkit.Error(t, err, want)
		if err != nil && strings.Contains(err.Error(), token) {
			t.Errorf("the error shows the value: %v", err)
		}
	}
}

// TestSecretsStayOut has a server, a proxy and a RoundTripper tell the
// credentials back, whole and cut off.
func TestSecretsStayOut(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", maxErrorBody/16) // fills what is read of a body
	for name, c := range map[string]struct {
		value string
		trip  roundTripper
	}{
		"body": {"Bearer " + token, func(r *http.Request) (*http.Response, error) {
			return answer(400, "refused: "+r.Header.Get("Authorization")+" and "+token), nil
		}},
		"body, cut off": {"Bearer " + long, func(r *http.Request) (*http.Response, error) {
			return answer(400, r.Header.Get("Authorization")), nil
		}},
		"error": {"Bearer " + token, func(r *http.Request) (*http.Response, error) {
			return nil, errors.New("proxy refused " + strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		}},
		"panic": {"Bearer " + token, func(r *http.Request) (*http.Response, error) { panic(r.Header.Get("Authorization")) }},
	} {
		t.Run(name, func(t *testing.T) {
			up, out := uploading(t, Config{ServerAddress: "http://pyroscope.example", RoundTripper: c.trip, HTTPHeaders: map[string]string{"Authorization": c.value}})
			up.add(heapCapture(10))
			waitUntil(t, "a line", func() bool { return out.String() != "" })
			err := up.stop(t.Context())
			for _, part := range []string{token, "s3cret", long[:8]} {
				if strings.Contains(out.String(), part) || err != nil && strings.Contains(err.Error(), part) {
					t.Errorf("%q is in the log or in the error of stop, %v:\n%.500s", part, err, out)
				}
			}
		})
	}
}

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// TestRoundTripperHarms has one that panics, one that breaks its contract, and
// one that does not hear that its context has ended: uploads go on, or stop.
func TestRoundTripperHarms(t *testing.T) {
	release := make(chan struct{})
	for name, c := range map[string]struct {
		first roundTripper
		told  string
		left  string // "" if the uploader gets over it
	}{
		"panics":      {func(*http.Request) (*http.Response, error) { panic("boom") }, "boom", ""},
		"nil":         {func(*http.Request) (*http.Response, error) { return nil, nil }, "nil", ""},
		"typed nil":   {(*http.Transport)(nil).RoundTrip, "transport is nil", ""},
		"never heard": {func(*http.Request) (*http.Response, error) { <-release; return nil, errors.New("released") }, "", "2 profiles were not uploaded"},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int64
			up, out := uploading(t, Config{ServerAddress: "http://pyroscope.example", RoundTripper: roundTripper(func(r *http.Request) (*http.Response, error) {
				if calls.Add(1) == 1 {
					return c.first(r)
				}
				return answer(200, ""), nil
			})})
			up.add(heapCapture(10))
			waitUntil(t, "the first try", func() bool { return calls.Load() > 0 })
			up.add(heapCapture(10))
			if c.left == "" {
				waitUntil(t, "an upload", func() bool { return up.uploaded.Load() > 0 })
				if !strings.Contains(out.String(), c.told) {
					t.Errorf("the log does not say %q: %s", c.told, out)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			start := time.Now()
			testkit.Error(t, up.stop(ctx), c.left)
			if d := time.Since(start); d > 4*time.Second { // without a context it would be 5 s
				t.Errorf("stop took %v, with 0.1 s", d)
			}
		})
	}
	close(release) // then its goroutine ends too: goleak sees to that
}

// TestSession: every process has a session of its own, in Pyroscope's form, and
// the same instance has the same one.
func TestSession(t *testing.T) {
	for _, instance := range []string{"", "627cc493-f310-47de-96bd-71410b7dec09"} {
		id := newSession(instance)
		if b, err := hex.DecodeString(id); err != nil || len(b) != 8 {
			t.Errorf("session %q: %d bytes, %v", id, len(b), err)
		}
		if same := newSession(instance) == id; same != (instance != "") {
			t.Errorf("two sessions of instance %q are the same: %v", instance, same)
		}
	}
	if name := appName("s", map[string]string{"__session_id__": "x", labelInstance: "i"}, "0011"); name != "s{__session_id__=0011,service_instance_id=i}" {
		t.Error(name)
	}
}
