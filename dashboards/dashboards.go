package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/latido-dev/latido/domain"
)

// Options are what the domain file does not say. The zero value works with any
// Grafana that has a data source of Prometheus and one of Pyroscope.
type Options struct {
	// RunbookURL is where the runbook is published; the panels of thresholds
	// and of firing alerts link to it. Empty means no such links.
	RunbookURL string
}

// File is one dashboard as a file.
type File struct {
	// Name is the file's name: tienda-http.json.
	Name string
	// JSON is the dashboard in Grafana's classic schema, indented, with a line
	// end at its end.
	JSON []byte
}

// All makes the dashboards of a domain that is valid: overview, HTTP, runtime,
// business and profiles, in this order. One that is too large for kubectl apply
// goes on in further ones, tienda-business-2.json. The same domain and options always give
// the same bytes. It returns an error, with no file, for a domain whose
// dashboards would ask for a metric that it does not have.
func All(d domain.Domain, o Options) ([]File, error) {
	b := newBoard(d, o)
	var files []File
	for _, p := range []page{b.overview(), b.http(), b.runtime(), b.business(), b.profiles()} {
		parts, err := b.parts(p)
		if err != nil {
			return nil, fmt.Errorf("dashboard %s: %w", p.name, err)
		}
		for i, part := range parts {
			name := d.Prefix + "-" + p.name
			if i > 0 {
				name = fmt.Sprintf("%s-%d", name, part.part)
			}
			files = append(files, File{Name: name + ".json", JSON: part.json})
		}
	}
	if b.err != nil {
		return nil, b.err
	}
	return files, nil
}

// classic is a dashboard in the schema that Grafana 12 and 13 read from files.
// That of dashboardv2, which the SDK would rather have, they do not: "dashboard
// appears to be in v2 format" (https://github.com/grafana/grafana/issues/123607).
type classic = dashboard.Dashboard //nolint:staticcheck // why not dashboardv2: see above

// encoded writes the dashboard as people read it: PromQL is full of < and &.
func encoded(c classic) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(c); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}
