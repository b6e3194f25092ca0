// Package importer drafts a domain file from what a running service publishes
// at /metrics: its own metrics become events, what it says of its requests
// becomes objectives, and what is there so far becomes limits.
package importer

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/domain"
)

// Options say what is imported, and what its metrics do not tell.
type Options struct {
	// From is the address of the service's /metrics, or a file with what it says.
	From string
	// Prefix, App and Entity are the domain's. Empty means what the metrics'
	// names suggest.
	Prefix, App, Entity string
	// Language is en or es.
	Language string
}

// Run writes a draft of the domain file, which loads as it stands. What could
// not be taken over is said in comments.
func Run(ctx context.Context, w io.Writer, o Options) error {
	text, err := read(ctx, o.From)
	if err != nil {
		return err
	}
	families, err := parse(text)
	if err != nil {
		return fmt.Errorf("%s is no text of metrics: %w: give the address of /metrics, or a file with its answer", name(o.From), err)
	}
	d, err := draftOf(families, o)
	if err != nil {
		return err
	}
	content, err := d.write(name(o.From))
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}

// name is what may be said of where the metrics come from: no password, and no
// query.
func name(from string) string {
	u, err := url.Parse(from)
	if err != nil || u.Host == "" {
		return from
	}
	return u.Scheme + "://" + u.Host + u.Path
}

func read(ctx context.Context, from string) ([]byte, error) {
	if !strings.HasPrefix(from, "http://") && !strings.HasPrefix(from, "https://") {
		text, err := os.ReadFile(from)
		if err != nil {
			return nil, fmt.Errorf("%w: give the address of /metrics, such as http://127.0.0.1:8080/metrics, or a file with its answer", err)
		}
		return text, nil
	}
	u, err := url.Parse(from)
	if err != nil { // its text has the whole address
		return nil, errors.New("that is no address: give one such as http://127.0.0.1:8080/metrics")
	}
	answer, err := remote.Exchange(ctx, u, remote.Request{Query: u.Query(), Header: map[string]string{"Accept": "text/plain;version=0.0.4"}}, func(*http.Request) {})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name(from), err)
	}
	if answer.Code != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s: give the address of /metrics", name(from), answer.Status)
	}
	return answer.Body, nil
}

// parse reads the families in the order of their names.
func parse(text []byte) ([]*dto.MetricFamily, error) {
	named, err := remote.Families(withoutEOF(text))
	if err != nil {
		return nil, err
	}
	if len(named) == 0 {
		return nil, errors.New("there is no metric in it")
	}
	all := slices.DeleteFunc(slices.Collect(maps.Values(named)), func(f *dto.MetricFamily) bool { return len(f.Metric) == 0 })
	slices.SortFunc(all, func(a, b *dto.MetricFamily) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return all, nil
}

// withoutEOF takes away what only OpenMetrics has: its last line, units, and
// the exemplars behind samples.
func withoutEOF(text []byte) []byte {
	if !bytes.Contains(text, []byte("\n# EOF")) {
		return text
	}
	var b bytes.Buffer
	for line := range bytes.Lines(text) {
		if bytes.HasPrefix(line, []byte("# EOF")) || bytes.HasPrefix(line, []byte("# UNIT")) || bytes.HasPrefix(line, []byte("# TYPE")) && bytes.HasSuffix(bytes.TrimSpace(line), []byte(" unknown")) {
			continue
		}
		if i := bytes.Index(line, []byte(" # {")); i >= 0 && !bytes.HasPrefix(line, []byte("#")) {
			line = append(slices.Clone(line[:i]), '\n')
		}
		b.Write(line)
	}
	return b.Bytes()
}

// valid tells whether a domain with just this event loads.
func valid(prefix string, e domain.Event) error {
	return domain.Domain{Prefix: prefix, Entity: "entity_of", Events: []domain.Event{e}}.Validate()
}
