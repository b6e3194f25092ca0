// Package remote asks what runs: services by their admin listener, and servers
// with Prometheus' API. Answers are bounded in bytes and time, no redirect is
// followed, and no message has a password in it.
package remote

import (
	"bytes"
	"cmp"
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
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
)

// DefaultURL is the admin listener's default address.
const DefaultURL = "http://127.0.0.1:9464"

const (
	// maxAnswer bounds what is read from a service, in bytes.
	maxAnswer = 64 << 20
	// askTimeout is how long one answer may take.
	askTimeout = 30 * time.Second
)

// URLOption declares the option with a service's address.
func URLOption(cmd *cobra.Command) *string {
	return cmd.Flags().String("url", DefaultURL, "the service's admin listener")
}

// ServiceURL reads the address of a service. What is wrong with one stays
// unsaid: there may be a password in it.
func ServiceURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, cli.UsageError("-url is no address of a service: write one such as " + DefaultURL)
	}
	return u, nil
}

// Address is what may be printed of a URL: no password, and no query.
func Address(u *url.URL) string { return u.Scheme + "://" + u.Host }

// PageURL is the whole address of a page of the service; "" for what is none.
func PageURL(base *url.URL, link string) string {
	u, err := url.Parse(link)
	if err != nil || link == "" {
		return ""
	}
	whole := base.ResolveReference(u)
	if whole.Scheme != "http" && whole.Scheme != "https" {
		return ""
	}
	whole.User = nil // base may have a password
	return whole.String()
}

// Request is what is asked. Only Path is needed.
type Request struct {
	Method string // "" is GET
	Path   string
	Query  url.Values
	Header map[string]string
	Body   []byte
}

// httpClient follows no redirect: credentials stay where they were meant for.
var httpClient = &http.Client{
	Timeout:       askTimeout,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Reply is what was answered, whatever its status.
type Reply struct {
	Code   int
	Status string
	Header http.Header
	Body   []byte
}

// StatusError is an answer other than 200.
type StatusError struct {
	Reply
	text string // all of it, with the address
}

func (e StatusError) Error() string { return e.text }

// Unreached is why nobody answered.
type Unreached struct{ error }

func (e Unreached) Unwrap() error { return e.error }

// Exchange asks the server at base, whose address may have a user and password
// in it; those that login sets come first. The answer is bounded in bytes and
// time. An error has no address in it: there may be a password.
func Exchange(ctx context.Context, base *url.URL, q Request, login func(*http.Request)) (Reply, error) {
	u := base.JoinPath(q.Path)
	u.RawQuery, u.Fragment = q.Query.Encode(), ""
	r, err := http.NewRequestWithContext(ctx, q.Method, u.String(), bytes.NewReader(q.Body))
	if err != nil {
		return Reply{}, errors.New("cannot be asked") // err has all of the URL
	}
	for name, value := range q.Header {
		r.Header.Set(name, value)
	}
	login(r)
	response, err := httpClient.Do(r)
	if err != nil {
		if trouble, ok := errors.AsType[*url.Error](err); ok {
			err = trouble.Err
		}
		return Reply{}, Unreached{err}
	}
	defer func() { _ = response.Body.Close() }() // nothing was written
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return Reply{}, fmt.Errorf("the answer breaks off: %w", err)
	}
	if len(body) > maxAnswer {
		return Reply{}, fmt.Errorf("the answer is longer than %d MiB", maxAnswer>>20)
	}
	return Reply{response.StatusCode, response.Status, response.Header, body}, nil
}

// ServiceLogin takes the credentials of a service's admin listener, from the
// variables that the service reads them from too, with its default for the user.
func ServiceLogin(r *http.Request) {
	user, password := os.Getenv("LATIDO_USER"), os.Getenv("LATIDO_PASSWORD")
	if user != "" || password != "" {
		r.SetBasicAuth(cmp.Or(user, "latido"), password)
	}
}

// Ask asks the service at base. Credentials are those of LATIDO_USER and
// LATIDO_PASSWORD, or else of the address.
func Ask(ctx context.Context, base *url.URL, q Request) ([]byte, error) {
	answer, err := Exchange(ctx, base, q, ServiceLogin)
	if nobody, ok := errors.AsType[Unreached](err); ok {
		return nil, fmt.Errorf("nothing answers at %s: %w: is the service running? its admin listener is set by "+
			"OTEL_EXPORTER_PROMETHEUS_HOST and OTEL_EXPORTER_PROMETHEUS_PORT", Address(base), nobody.error)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Address(base), err)
	}
	if answer.Code == http.StatusOK {
		return answer.Body, nil
	}
	trouble := StatusError{answer, fmt.Sprintf("%s answers %s: %s", Address(base), cli.Safe(answer.Status), cli.Safe(answer.Start()))}
	if answer.Code == http.StatusUnauthorized {
		trouble.text = Address(base) + " wants a password: set LATIDO_USER and LATIDO_PASSWORD"
	}
	return nil, trouble
}

// Start is the beginning of the body, as a message may show it.
func (r Reply) Start() string {
	const most = 500 // bytes
	body := r.Body
	if len(body) > most {
		end := most
		for end > most-utf8.UTFMax && !utf8.RuneStart(body[end]) { // no half letter
			end--
		}
		body = body[:end]
	}
	return strings.TrimSpace(string(body))
}

// AskJSON asks for an answer in JSON.
func AskJSON(ctx context.Context, base *url.URL, q Request, into any) error {
	answer, err := Ask(ctx, base, q)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s is no service of Latido's, or of another version: /%s: %w", Address(base), q.Path, err)
	}
	return nil
}

// PrometheusAnswer is the form of all of Prometheus' answers.
type PrometheusAnswer struct {
	Status, Error string
	Data          json.RawMessage
}

// Read reads the data.
func (a PrometheusAnswer) Read(base *url.URL, path string, into any) error {
	if a.Status != "success" {
		return fmt.Errorf("%s is no Prometheus: /api/v1/%s answers without a status", Address(base), path)
	}
	if err := json.Unmarshal(a.Data, into); err != nil {
		return fmt.Errorf("%s answers /api/v1/%s in a form that is not Prometheus': %w", Address(base), path, err)
	}
	return nil
}

// AskPrometheus asks Prometheus' API, and reads the data of its answer.
func AskPrometheus(ctx context.Context, base *url.URL, path string, query url.Values, into any) error {
	var answer PrometheusAnswer
	err := AskJSON(ctx, base, Request{Path: "api/v1/" + path, Query: query}, &answer)
	if refused, ok := errors.AsType[StatusError](err); ok && json.Unmarshal(refused.Body, &answer) == nil && answer.Error != "" {
		return fmt.Errorf("%s: %s", Address(base), cli.Safe(answer.Error)) // what is wrong, as the server says it
	}
	if err != nil {
		return err
	}
	return answer.Read(base, path, into)
}
