package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/latido-dev/latido/e2e/servers"
)

// holdFile is a further file of a program under test: its handlers wait for the
// test, so that requests are in flight.
const holdFile = `package main

import (
	"net/http"
	"os"
)

func hold() {
	if response, err := http.Get(os.Getenv("LATIDO_TEST_HOLD")); err == nil {
		response.Body.Close()
	}
}
`

// TestProgramsStop starts every program of the documents and the shortest
// example, and ends it by SIGTERM with requests in flight: each is answered,
// Shutdown sends what is left, and the program ends well.
func TestProgramsStop(t *testing.T) {
	domainFile := ""
	for _, b := range blocks(t, "README.md") {
		if b.language == "yaml" {
			domainFile = b.text
		}
	}
	minimal, err := os.ReadFile(filepath.Join(repository, "examples", "minimal", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{"examples/minimal": string(minimal)}
	for _, document := range []string{"README.md", "docs/routers.md", "docs/traces.md", "docs/alerts.md"} {
		n := 0
		for _, b := range blocks(t, document) {
			if b.language == "go" {
				n++
				sources[fmt.Sprintf("%s %d", document, n)] = b.text
			}
		}
	}
	asks := map[string]struct { // an empty path is a program that does not serve
		method, path string
		status       int
	}{
		"README.md 1":       {"POST", "/pedidos", 201},
		"docs/routers.md 1": {"GET", "/orders/7", 200},
		"docs/routers.md 2": {"GET", "/orders/7", 200},
		"docs/traces.md 1":  {"GET", "/precios", 200},
		"docs/alerts.md 1":  {},
		"examples/minimal":  {"GET", "/hola/Ana", 200},
	}
	if len(sources) != len(asks) {
		t.Errorf("%d programs in the documents, %d are known here", len(sources), len(asks))
	}
	for name, source := range sources {
		ask, known := asks[name]
		if !known {
			t.Errorf("what to ask %s is not known here", name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "domain.yaml"), []byte(domainFile), 0o600); err != nil {
				t.Fatal(err)
			}
			held := newHolder(t)
			source := strings.ReplaceAll(source, "*http.Request) {", "*http.Request) { hold();")
			program := servers.Run(t, servers.Process{
				Name: name, Ports: 2, Ready: "/healthz",
				Command: func(addrs []string) *exec.Cmd {
					cmd := exec.Command(compile(t, strings.ReplaceAll(source, "127.0.0.1:8080", addrs[1]), holdFile))
					host, port, _ := strings.Cut(addrs[0], ":")
					cmd.Dir = dir
					cmd.Env = append(os.Environ(), "OTEL_EXPORTER_PROMETHEUS_HOST="+host, "OTEL_EXPORTER_PROMETHEUS_PORT="+port,
						"OTEL_EXPORTER_OTLP_ENDPOINT="+held.URL, "LATIDO_TEST_HOLD="+held.URL+"/hold")
					return cmd
				},
			})
			stopWithRequests(t, program, held, ask.method, ask.path, ask.status)
		})
	}
}

// holder is what the handlers under test wait for, and where metrics are sent.
type holder struct {
	*httptest.Server
	waiting, sent atomic.Int64
	release       chan struct{}
}

func newHolder(t *testing.T) *holder {
	h := &holder{release: make(chan struct{})}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hold":
			h.waiting.Add(1)
			select {
			case <-h.release:
			case <-r.Context().Done():
			}
		case "/v1/metrics":
			h.sent.Add(1)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

// stopWithRequests ends a program that serves at its second address, while
// requests wait in its handlers.
func stopWithRequests(t *testing.T, program *servers.Running, held *holder, method, path string, want int) {
	const requests = 10
	address := program.Addr(1)
	var clients sync.WaitGroup
	if path != "" {
		servers.WaitFor(t, 30*time.Second, "the program to serve", func() error { return dial(address) })
		for range requests {
			clients.Go(func() {
				r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, nil)
				if err != nil {
					t.Error(err)
					return
				}
				response, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Errorf("a request in flight was cut off: %v", err)
					return
				}
				_ = response.Body.Close()
				if response.StatusCode != want {
					t.Errorf("a request in flight got %s", response.Status)
				}
			})
		}
		servers.WaitFor(t, 30*time.Second, "requests to be in flight", func() error {
			if n := held.waiting.Load(); n != requests {
				return fmt.Errorf("%d of %d", n, requests)
			}
			return nil
		})
	}
	before := held.sent.Load()
	program.Signal(t, syscall.SIGTERM)
	if path != "" {
		servers.WaitFor(t, 30*time.Second, "the program to take no more requests", func() error {
			if dial(address) == nil {
				return fmt.Errorf("%s still listens", address)
			}
			return nil
		})
	}
	close(held.release)
	clients.Wait()
	if err := program.Wait(t, 30*time.Second); err != nil {
		t.Errorf("it ends with %v:\n%s", err, program.Output())
	}
	if held.sent.Load() == before {
		t.Error("nothing was sent at the end: Shutdown was not reached")
	}
}

func dial(address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}
