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
	u, err := url.Parse(*base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		// What it is stays unsaid: there may be a password in it.
		return usageError{"-url is no address of a service: write one such as " + defaultURL}
	}
	answer, err := ask(u, query)
	if err != nil {
		return err
	}
	if *format == "text" {
		r, err := continuous.ReadReport(bytes.NewReader(answer))
		if err == nil && r.To.IsZero() {
			err = errors.New("the answer has no time range")
		}
		if err != nil {
			return fmt.Errorf("%s is no service of Latido's, or of another version: %w", address(u), err)
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
	_, _ = c.stdout.Write(answer) // run tells
	return nil
}

// address is what may be printed of a URL: no password, and no query.
func address(u *url.URL) string { return u.Scheme + "://" + u.Host }

// ask gets the report from the admin listener at base.
func ask(base *url.URL, query url.Values) ([]byte, error) {
	u := base.JoinPath("debug", "report")
	u.RawQuery, u.Fragment = query.Encode(), ""
	r, err := http.NewRequest(http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be asked", address(u)) // err has all of the URL
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
		return nil, fmt.Errorf("nothing answers at %s: %w: is the service running? its admin listener is set by "+
			"OTEL_EXPORTER_PROMETHEUS_HOST and OTEL_EXPORTER_PROMETHEUS_PORT", address(u), err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", address(u), err)
	}
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("the answer of %s is longer than %d MiB", address(u), maxAnswer>>20)
	}
	switch response.StatusCode {
	case http.StatusOK:
		return answer, nil
	case http.StatusUnauthorized:
		return nil, fmt.Errorf("%s wants a password: set LATIDO_USER and LATIDO_PASSWORD", address(u))
	}
	return nil, fmt.Errorf("%s answers %s: %s", address(u), response.Status, strings.TrimSpace(string(answer[:min(len(answer), 500)])))
}
