package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os/exec"
	"testing"
	"time"
)

// Jaeger is a running Jaeger with its store in memory, empty at first. It takes
// spans by OTLP and answers what became of them; it has no page here. Its URL
// is that of the health check.
type Jaeger struct {
	*Running
}

// StartJaeger starts a Jaeger and waits until it is ready.
func StartJaeger(t testing.TB) *Jaeger {
	t.Helper()
	binary := Path(t, "jaeger")
	return &Jaeger{Run(t, Process{
		Name:  "jaeger",
		Ports: 7,
		Ready: "/",
		Command: func(addrs []string) *exec.Cmd {
			return exec.Command(binary,
				"--admin.http.host-port="+addrs[0],
				"--query.http-server.host-port="+addrs[1],
				"--collector.otlp.http.host-port="+addrs[2],
				"--query.grpc-server.host-port="+addrs[3],
				"--collector.otlp.grpc.host-port="+addrs[4],
				"--collector.grpc-server.host-port="+addrs[5],
				"--collector.http-server.host-port="+addrs[6],
			)
		},
	})}
}

// OTLP returns the base URL that takes spans by OTLP over HTTP, for an exporter
// that adds /v1/traces to it. It takes no metrics.
func (j *Jaeger) OTLP() string { return "http://" + j.Addr(2) }

// Span is a span as Jaeger shows it.
type Span struct {
	TraceID string `json:"traceID"`
	ID      string `json:"spanID"`
	Name    string `json:"operationName"`
	Service string `json:"-"`

	// References are the spans that it belongs to: of the type CHILD_OF its
	// parent, of FOLLOWS_FROM those that it is linked to.
	References []struct {
		Type    string `json:"refType"`
		TraceID string `json:"traceID"`
		ID      string `json:"spanID"`
	} `json:"references"`

	Tags     tags   `json:"tags"`
	Process  string `json:"processID"`
	resource tags
}

type tags []struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

func (all tags) value(key string) any {
	for _, tag := range all {
		if tag.Key == key {
			return tag.Value
		}
	}
	return nil
}

// Tag returns the value of an attribute of the span, nil if it has none.
func (s Span) Tag(key string) any { return s.Tags.value(key) }

// Resource returns the value of an attribute of the process that the span is
// of, nil if it has none.
func (s Span) Resource(key string) any { return s.resource.value(key) }

// Parent returns the id of the span's parent, "" for the first span of a trace.
func (s Span) Parent() string {
	for _, r := range s.References {
		if r.Type == "CHILD_OF" && r.TraceID == s.TraceID {
			return r.ID
		}
	}
	return ""
}

// WaitForTrace asks for a trace, by its id in hex, until it has at least so
// many spans, and returns them by name: one of them where several have one
// name. It fails the test after timeout.
func (j *Jaeger) WaitForTrace(t testing.TB, timeout time.Duration, id string, spans int) map[string]Span {
	t.Helper()
	byName := map[string]Span{}
	WaitFor(t, timeout, "the trace "+id, func() error {
		found, err := j.spans(t.Context(), "/api/traces/"+id)
		if err == nil && len(found) < spans {
			err = fmt.Errorf("%d of %d spans", len(found), spans)
		}
		for _, s := range found {
			byName[s.Name] = s
		}
		return err
	})
	return byName
}

// Spans returns those of one name that a service sent lately, of a hundred
// traces at most.
func (j *Jaeger) Spans(t testing.TB, service, name string) []Span {
	t.Helper()
	all, err := j.spans(t.Context(), "/api/traces?"+url.Values{"service": {service}, "operation": {name}, "limit": {"100"}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	var found []Span
	for _, s := range all {
		if s.Name == name && s.Service == service {
			found = append(found, s)
		}
	}
	return found
}

func (j *Jaeger) spans(ctx context.Context, path string) ([]Span, error) {
	body, err := get(ctx, "http://"+j.Addr(1)+path)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data []struct {
			Spans     []Span `json:"spans"`
			Processes map[string]struct {
				ServiceName string `json:"serviceName"`
				Tags        tags   `json:"tags"`
			} `json:"processes"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("GET %s: %w", path, err)
	}
	var all []Span
	for _, trace := range answer.Data {
		for _, s := range trace.Spans {
			s.Service, s.resource = trace.Processes[s.Process].ServiceName, trace.Processes[s.Process].Tags
			all = append(all, s)
		}
	}
	return all, nil
}
