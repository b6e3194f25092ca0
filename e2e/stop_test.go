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

// inFlight is the request that a program under test is sent; without a path the
// program does not serve.
type inFlight struct {
	method, path string
	status       int
}

// TestProgramsStop starts every program of the documents and the shortest
// example, and ends it by SIGTERM with requests in flight: each is answered,
// Shutdown sends what is left, and the program ends well.
func TestProgramsStop(t *testing.T) {
	t.Parallel()
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
	asks := map[string]inFlight{
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
			source := strings.ReplaceAll(source, "*http.Request) {", "*http.Request) { hold();")
			stops(t, name, ask, func(addr string) *exec.Cmd {
				cmd := exec.Command(compile(t, strings.ReplaceAll(source, "127.0.0.1:8080", addr), holdFile))
				cmd.Dir = dir
				return cmd
			})
		})
	}
}

// TestShopStops: the same for the large example.
func TestShopStops(t *testing.T) {
	t.Parallel()
	module := filepath.Join(repository, "examples", "echo-api")
	orders, err := os.ReadFile(filepath.Join(module, "shop", "orders.go"))
	if err != nil {
		t.Fatal(err)
	}
	binary := overlaid(t, module, ".", map[string]string{
		"shop/orders.go": strings.ReplaceAll(string(orders), "(c *echo.Context) error {", "(c *echo.Context) error { hold();"),
		"shop/hold.go":   strings.Replace(holdFile, "package main", "package shop", 1),
	})
	dir := t.TempDir()
	stops(t, "echo-api", inFlight{"GET", "/pedidos/7", 200}, func(addr string) *exec.Cmd {
		cmd := exec.Command(binary, "-load=false", "-addr", addr)
		cmd.Dir = dir
		return cmd
	})
}

// TestInitServiceStops: the same for a service that latido init makes.
func TestInitServiceStops(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "tienda")
	latido(t, "init", "-kind", "ecommerce", "-prefix", "tienda", "-entity", "pedido", "-dir", dir)
	files := map[string]string{"hold.go": holdFile}
	for _, name := range []string{"routes.go", "forecast.go"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = strings.ReplaceAll(string(text), "*http.Request) {", "*http.Request) { hold();")
	}
	binary := overlaid(t, dir, ".", files)
	stops(t, "service of latido init", inFlight{"GET", "/reportes/pronostico", 200}, func(addr string) *exec.Cmd {
		cmd := exec.Command(binary, "-addr", addr)
		cmd.Dir = dir
		return cmd
	})
}

// stops runs a program, whose handlers call hold, and ends it with requests in
// flight. command is to serve at addr.
func stops(t *testing.T, name string, ask inFlight, command func(addr string) *exec.Cmd) {
	t.Helper()
	held := newHolder(t)
	program := servers.Run(t, servers.Process{
		Name: name, Ports: 2, Ready: "/healthz",
		Command: func(addrs []string) *exec.Cmd {
			cmd := command(addrs[1])
			host, port, _ := strings.Cut(addrs[0], ":")
			cmd.Env = append(os.Environ(), "OTEL_EXPORTER_PROMETHEUS_HOST="+host, "OTEL_EXPORTER_PROMETHEUS_PORT="+port,
				"OTEL_EXPORTER_OTLP_ENDPOINT="+held.URL, "OTEL_METRIC_EXPORT_INTERVAL=3600000", "LATIDO_TEST_HOLD="+held.URL+"/hold")
			return cmd
		},
	})
	stopWithRequests(t, program, held, ask)
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
func stopWithRequests(t *testing.T, program *servers.Running, held *holder, ask inFlight) {
	const requests = 10
	address := program.Addr(1)
	var clients sync.WaitGroup
	if ask.path != "" {
		t.Cleanup(clients.Wait) // none says anything of a test that has ended
		servers.WaitFor(t, servers.Patience, "the program to serve", func() error { return dial(address) })
		for range requests {
			clients.Go(func() {
				r, err := http.NewRequestWithContext(t.Context(), ask.method, "http://"+address+ask.path, nil)
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
				if response.StatusCode != ask.status {
					t.Errorf("a request in flight got %s", response.Status)
				}
			})
		}
		servers.WaitFor(t, servers.Patience, "requests to be in flight", func() error {
			if n := held.waiting.Load(); n != requests {
				return fmt.Errorf("%d of %d", n, requests)
			}
			return nil
		})
	}
	// The first export comes a second after the start, and the next one not
	// before Shutdown's.
	servers.WaitFor(t, servers.Patience, "the first export", func() error {
		if held.sent.Load() == 0 {
			return fmt.Errorf("nothing was sent")
		}
		return nil
	})
	before := held.sent.Load()
	program.Signal(t, syscall.SIGTERM)
	if ask.path != "" {
		servers.WaitFor(t, servers.Patience, "the program to take no more requests", func() error {
			if dial(address) == nil {
				return fmt.Errorf("%s still listens", address)
			}
			return nil
		})
	}
	close(held.release)
	clients.Wait()
	if err := program.Wait(t, servers.Patience); err != nil {
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
