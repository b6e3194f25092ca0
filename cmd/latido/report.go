package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/latido-dev/latido/continuous"
)

// defaultURL is the admin listener's default address.
const defaultURL = "http://127.0.0.1:9464"

// maxAnswer bounds what is read from a service, in bytes.
const maxAnswer = 64 << 20

// report asks a running service where its time and memory go. With basic auth
// on its admin listener, LATIDO_USER and LATIDO_PASSWORD hold the credentials.
func report(c *call) error {
	base := c.flags.String("url", defaultURL, "the service's admin listener")
	last := c.flags.Duration("last", 0, "how far back to look, such as 5m; 0 for all that the service keeps")
	format := c.flags.String("format", "text", "text, json, or pprof for go tool pprof")
	top := c.flags.Int("top", 5, "entries in each list")
	out := c.flags.String("out", "", "write to this `file` instead of standard output")
	rest, err := c.parse()
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return usageError{fmt.Sprintf("unexpected %q: the service is named by -url", rest[0])}
	case *format != "text" && *format != "json" && *format != "pprof":
		return usageError{fmt.Sprintf("-format %q: write text, json or pprof", *format)}
	case *last < 0 || *top < 1:
		return usageError{"-last and -top are not negative"}
	}
	query := url.Values{"format": {"json"}, "top": {strconv.Itoa(*top)}}
	if *format == "pprof" {
		query.Set("format", "pprof")
	}
	if *last > 0 {
		query.Set("last", last.String())
	}
	answer, err := ask(*base, "/debug/report?"+query.Encode())
	if err != nil {
		return err
	}
	if *format == "text" {
		r, err := continuous.ReadReport(bytes.NewReader(answer))
		if err != nil {
			return fmt.Errorf("%s is no service of Latido's, or of another version: %w", *base, err)
		}
		var text bytes.Buffer
		if err := r.WriteText(&text); err != nil {
			return err
		}
		answer = text.Bytes()
	}
	if *out != "" {
		return os.WriteFile(*out, answer, 0o644)
	}
	_, err = c.stdout.Write(answer)
	return err
}

// ask gets a page of the admin listener.
func ask(base, path string) ([]byte, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usageError{fmt.Sprintf("-url %q: write one such as %s", base, defaultURL)}
	}
	r, err := http.NewRequest(http.MethodGet, strings.TrimSuffix(base, "/")+path, nil)
	if err != nil {
		return nil, usageError{fmt.Sprintf("-url %q: %v", base, err)}
	}
	if user := os.Getenv("LATIDO_USER"); user != "" {
		r.SetBasicAuth(user, os.Getenv("LATIDO_PASSWORD"))
	}
	client := &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // credentials stay here
	}
	response, err := client.Do(r)
	if err != nil {
		var trouble *url.Error
		if errors.As(err, &trouble) { // without the address, which may have a password
			err = trouble.Err
		}
		return nil, fmt.Errorf("nothing answers at %s: %w; is the service running? its admin listener is set by "+
			"OTEL_EXPORTER_PROMETHEUS_HOST and OTEL_EXPORTER_PROMETHEUS_PORT", u.Host, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", u.Host, err)
	}
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("the answer of %s is longer than %d MiB", u.Host, maxAnswer>>20)
	}
	switch response.StatusCode {
	case http.StatusOK:
		return answer, nil
	case http.StatusUnauthorized:
		return nil, fmt.Errorf("%s wants a password: set LATIDO_USER and LATIDO_PASSWORD", u.Host)
	}
	return nil, fmt.Errorf("%s answers %s: %s", u.Host, response.Status, strings.TrimSpace(string(answer[:min(len(answer), 500)])))
}
