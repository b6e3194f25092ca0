package main

import (
	"bytes"
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
	body   []byte
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

// reply is what was answered, whatever its status.
type reply struct {
	code   int
	status string
	header http.Header
	body   []byte
}

// unreached is why nobody answered.
type unreached struct{ error }

func (e unreached) Unwrap() error { return e.error }

// exchange asks the server at base, whose address may have a user and password
// in it; those that login sets come first. The answer is bounded in bytes and
// time. An error has no address in it: there may be a password.
func exchange(ctx context.Context, base *url.URL, q request, login func(*http.Request)) (reply, error) {
	u := base.JoinPath(q.path)
	u.RawQuery, u.Fragment = q.query.Encode(), ""
	r, err := http.NewRequestWithContext(ctx, q.method, u.String(), bytes.NewReader(q.body))
	if err != nil {
		return reply{}, errors.New("cannot be asked") // err has all of the URL
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	login(r)
	response, err := httpClient.Do(r)
	if err != nil {
		var trouble *url.Error
		if errors.As(err, &trouble) {
			err = trouble.Err
		}
		return reply{}, unreached{err}
	}
	defer func() { _ = response.Body.Close() }() // nothing was written
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return reply{}, fmt.Errorf("the answer breaks off: %w", err)
	}
	if len(body) > maxAnswer {
		return reply{}, fmt.Errorf("the answer is longer than %d MiB", maxAnswer>>20)
	}
	return reply{response.StatusCode, response.Status, response.Header, body}, nil
}

// serviceLogin takes the credentials of a service's admin listener.
func serviceLogin(r *http.Request) {
	if user := os.Getenv("LATIDO_USER"); user != "" {
		r.SetBasicAuth(user, os.Getenv("LATIDO_PASSWORD"))
	}
}

// ask asks the service at base. Credentials are those of LATIDO_USER and
// LATIDO_PASSWORD, or else of the address.
func ask(ctx context.Context, base *url.URL, q request) ([]byte, error) {
	answer, err := exchange(ctx, base, q, serviceLogin)
	var nobody unreached
	if errors.As(err, &nobody) {
		return nil, fmt.Errorf("nothing answers at %s: %w: is the service running? its admin listener is set by "+
			"OTEL_EXPORTER_PROMETHEUS_HOST and OTEL_EXPORTER_PROMETHEUS_PORT", address(base), nobody.error)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address(base), err)
	}
	if answer.code == http.StatusOK {
		return answer.body, nil
	}
	body := answer.start()
	trouble := statusError{answer.code, fmt.Sprintf("%s answers %s: %s", address(base), safe(answer.status), safe(body)), body}
	if answer.code == http.StatusUnauthorized {
		trouble.text = address(base) + " wants a password: set LATIDO_USER and LATIDO_PASSWORD"
	}
	return nil, trouble
}

// start is the beginning of the body, as a message may show it.
func (r reply) start() string { return strings.TrimSpace(string(r.body[:min(len(r.body), 500)])) }

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

// prometheusAnswer is the form of all of Prometheus' answers.
type prometheusAnswer struct {
	Status, Error string
	Data          json.RawMessage
}

// read reads the data.
func (a prometheusAnswer) read(base *url.URL, path string, into any) error {
	if a.Status != "success" {
		return fmt.Errorf("%s is no Prometheus: /api/v1/%s answers without a status", address(base), path)
	}
	if err := json.Unmarshal(a.Data, into); err != nil {
		return fmt.Errorf("%s answers /api/v1/%s in a form that is not Prometheus': %w", address(base), path, err)
	}
	return nil
}

// askPrometheus asks Prometheus' API, and reads the data of its answer.
func askPrometheus(ctx context.Context, base *url.URL, path string, query url.Values, into any) error {
	var answer prometheusAnswer
	err := askJSON(ctx, base, request{path: "api/v1/" + path, query: query}, &answer)
	var refused statusError
	if errors.As(err, &refused) && json.Unmarshal([]byte(refused.body), &answer) == nil && answer.Error != "" {
		return fmt.Errorf("%s: %s", address(base), safe(answer.Error)) // what is wrong, as the server says it
	}
	if err != nil {
		return err
	}
	return answer.read(base, path, into)
}
