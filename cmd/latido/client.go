package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// defaultURL is the admin listener's default address.
const defaultURL = "http://127.0.0.1:9464"

const (
	// maxAnswer bounds what is read from a service, in bytes.
	maxAnswer = 64 << 20
	// askTimeout is how long one answer may take.
	askTimeout = 30 * time.Second
)

// serviceURL reads the address of a service. What is wrong with one stays
// unsaid: there may be a password in it.
func serviceURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usageError{"-url is no address of a service: write one such as " + defaultURL}
	}
	return u, nil
}

// address is what may be printed of a URL: no password, and no query.
func address(u *url.URL) string { return u.Scheme + "://" + u.Host }

// request is what is asked of a service. Only path is needed.
type request struct {
	method string // "" is GET
	path   string
	query  url.Values
	header map[string]string
}

// statusError is an answer other than 200.
type statusError struct {
	code int
	text string // all of it, with the address
	body string // what the service says
}

func (e statusError) Error() string { return e.text }

// httpClient follows no redirect: credentials stay where they were meant for.
var httpClient = &http.Client{
	Timeout:       askTimeout,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// ask asks the service at base, whose address may have a user and password in
// it; those of LATIDO_USER and LATIDO_PASSWORD come first. The answer is
// bounded in bytes and time.
func ask(ctx context.Context, base *url.URL, q request) ([]byte, error) {
	u := base.JoinPath(q.path)
	u.RawQuery, u.Fragment = q.query.Encode(), ""
	r, err := http.NewRequestWithContext(ctx, q.method, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be asked", address(u)) // err has all of the URL
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	if user := os.Getenv("LATIDO_USER"); user != "" {
		r.SetBasicAuth(user, os.Getenv("LATIDO_PASSWORD"))
	}
	response, err := httpClient.Do(r)
	if err != nil {
		var trouble *url.Error
		if errors.As(err, &trouble) { // without the address, which may have a password
			err = trouble.Err
		}
		return nil, fmt.Errorf("nothing answers at %s: %w: is the service running? its admin listener is set by "+
			"OTEL_EXPORTER_PROMETHEUS_HOST and OTEL_EXPORTER_PROMETHEUS_PORT", address(u), err)
	}
	defer func() { _ = response.Body.Close() }() // nothing was written
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", address(u), err)
	}
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("the answer of %s is longer than %d MiB", address(u), maxAnswer>>20)
	}
	if response.StatusCode == http.StatusOK {
		return answer, nil
	}
	body := strings.TrimSpace(string(answer[:min(len(answer), 500)]))
	trouble := statusError{response.StatusCode, fmt.Sprintf("%s answers %s: %s", address(u), safe(response.Status), safe(body)), body}
	if response.StatusCode == http.StatusUnauthorized {
		trouble.text = address(u) + " wants a password: set LATIDO_USER and LATIDO_PASSWORD"
	}
	return nil, trouble
}

// askJSON asks for an answer in JSON.
func askJSON(ctx context.Context, base *url.URL, q request, into any) error {
	answer, err := ask(ctx, base, q)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s is no service of Latido's, or of another version: /%s: %w", address(base), q.path, err)
	}
	return nil
}

// askPrometheus asks Prometheus' API, and reads the data of its answer.
func askPrometheus(ctx context.Context, base *url.URL, path string, query url.Values, into any) error {
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	err := askJSON(ctx, base, request{path: "api/v1/" + path, query: query}, &answer)
	var refused statusError
	if errors.As(err, &refused) && json.Unmarshal([]byte(refused.body), &answer) == nil && answer.Error != "" {
		return fmt.Errorf("%s: %s", address(base), safe(answer.Error)) // what is wrong, as the server says it
	}
	if err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s is no Prometheus: /api/v1/%s answers without a status", address(base), path)
	}
	if err := json.Unmarshal(answer.Data, into); err != nil {
		return fmt.Errorf("%s answers /api/v1/%s in a form that is not Prometheus': %w", address(base), path, err)
	}
	return nil
}
