package latidoecho

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/latido-dev/latido/telemetry"
)

func TestStream(t *testing.T) {
	rec, e := start(t, telemetry.Config{})
	seen := make(chan struct{})
	e.GET("/eventos", func(c *echo.Context) error {
		c.Response().Header().Set("Content-Type", "text/event-stream")
		control := http.NewResponseController(c.Response())
		if err := control.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		fmt.Fprint(c.Response(), "data: uno\n\n")
		if err := control.Flush(); err != nil {
			return err
		}
		<-seen // the client has the first event while the handler runs
		fmt.Fprint(c.Response(), "data: dos\n\n")
		c.Response().(http.Flusher).Flush()
		return nil
	})
	server := httptest.NewServer(e)
	defer server.Close()
	response, err := server.Client().Get(server.URL + "/eventos")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewReader(response.Body)
	if line, err := lines.ReadString('\n'); line != "data: uno\n" {
		t.Fatalf("first line %q, %v", line, err)
	}
	close(seen)
	if rest, err := io.ReadAll(lines); string(rest) != "\ndata: dos\n\n" {
		t.Errorf("rest %q, %v", rest, err)
	}
	server.Close() // waits for the handler
	check(t, rec, map[string]int{"GET /eventos 200": 1})
}

func TestHijack(t *testing.T) {
	rec, e := start(t, telemetry.Config{})
	e.GET("/ws", func(c *echo.Context) error {
		conn, _, err := http.NewResponseController(c.Response()).Hijack()
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: eco\r\n\r\nhola")
		return err
	})
	server := httptest.NewServer(e)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /ws HTTP/1.1\r\nHost: prueba\r\nConnection: Upgrade\r\nUpgrade: eco\r\n\r\n")
	if answer, err := io.ReadAll(conn); !strings.HasSuffix(string(answer), "\r\n\r\nhola") {
		t.Errorf("answer %q, %v", answer, err)
	}
	server.Close()
	// The server does not wait for a connection that it gave away.
	for deadline := time.Now().Add(20 * time.Second); rec.Requests("", "", 0) == 0 && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	check(t, rec, map[string]int{"GET /ws 101": 1})
}
