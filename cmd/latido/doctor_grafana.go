package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/latido-dev/latido/dashboards"
)

// The types of data sources, by the names of their plugins.
const (
	prometheusSource = "prometheus"
	pyroscopeSource  = "grafana-pyroscope-datasource"
)

// traceSources are the types that show a trace.
var traceSources = []string{"tempo", "jaeger", "zipkin"}

// dataSource is one of Grafana's, as its API has it.
type dataSource struct {
	UID, Name, Type, URL string
	IsDefault            bool
	JSONData             struct {
		ExemplarTraceIDDestinations []struct{ Name, DatasourceUID, URL string }
	}
}

// doctorGrafana asks the page that anybody may see.
func doctorGrafana(x *examination) finding {
	p := x.parts["grafana"]
	var f finding
	if p.first != nil {
		return *f.trouble(p.first)
	}
	var state struct{ Database, Version string }
	if json.Unmarshal(p.hello.body, &state) != nil || state.Database == "" {
		return *f.trouble(p.stranger(p.hello, p.ready))
	}
	if state.Database != "ok" {
		f.fail("Grafana's database is not well: %s", safe(state.Database)).Fix = "look at its log: docker compose logs grafana"
	}
	f.Detail = address(p.base)
	if state.Version != "" {
		f.Detail += ", version " + safe(state.Version)
	}
	return f
}

// stranded is the finding when Grafana does not let us see something: a skip
// where nobody gave credentials.
func (x *examination) stranded(err error, code int) finding {
	var f finding
	p := x.parts["grafana"]
	if os.Getenv("LATIDO_GRAFANA_TOKEN") == "" && os.Getenv("LATIDO_GRAFANA_USER") == "" && p.base.User == nil &&
		(code == http.StatusUnauthorized || code == http.StatusForbidden) {
		return skip("left out without credentials: %s", p.want)
	}
	if code == http.StatusUnauthorized {
		err = trouble{"Grafana does not take the credentials", p.want}
	}
	if code == http.StatusForbidden {
		err = trouble{"Grafana does not let these credentials see that", "give the service account the role Admin, which data sources need"}
	}
	return *f.trouble(err)
}

// doctorSources looks at the data sources that the dashboards take: of each
// type the default one, or else the first by name.
func doctorSources(x *examination) finding {
	p := x.parts["grafana"]
	var f finding
	answer, err := p.ask(x.ctx, request{path: "api/datasources"})
	if err != nil {
		return x.stranded(err, answer.code)
	}
	var all []dataSource
	if json.Unmarshal(answer.body, &all) != nil {
		return *f.trouble(p.stranger(answer, "api/datasources"))
	}
	slices.SortStableFunc(all, func(a, b dataSource) int {
		if a.IsDefault != b.IsDefault {
			return map[bool]int{true: -1, false: 1}[a.IsDefault]
		}
		return strings.Compare(a.Name, b.Name)
	})
	var good []string
	for _, wanted := range []string{prometheusSource, pyroscopeSource} {
		i := slices.IndexFunc(all, func(s dataSource) bool { return s.Type == wanted })
		if i < 0 {
			f.fail("Grafana has no data source of the type %s", wanted).
				Fix = "add one under Connections, or a file in provisioning/datasources"
			continue
		}
		if x.tellSource(&f, all[i]) {
			good = append(good, all[i].Name)
		}
	}
	if i := slices.IndexFunc(all, func(s dataSource) bool { return s.Type == prometheusSource }); i >= 0 && x.traced {
		tellDestinations(&f, all[i], all)
	}
	f.Detail = safe(strings.Join(good, ", "))
	return f
}

// tellSource has Grafana itself ask a data source.
func (x *examination) tellSource(f *finding, s dataSource) (good bool) {
	answer, err := x.parts["grafana"].ask(x.ctx, request{path: "api/datasources/uid/" + url.PathEscape(s.UID) + "/health"})
	var health struct{ Status, Message string }
	unread := json.Unmarshal(answer.body, &health)
	switch {
	case err == nil && unread == nil && strings.EqualFold(health.Status, "OK"):
		return true
	case health.Status == "" && answer.code == http.StatusNotFound: // a plugin without a health check
		f.note("the data source %s has no health check: try it on its page", safe(s.Name))
		return true
	}
	at := "its URL"
	if u, err := url.Parse(s.URL); err == nil && u.Host != "" {
		at = address(u)
	}
	message := health.Message
	if message == "" && err != nil {
		message = err.Error()
	}
	f.fail("Grafana's data source %s does not work: it asks %s%s", safe(s.Name), at, because(safe(message[:min(len(message), 300)]))).
		Fix = "correct its URL, under Connections or in provisioning/datasources: it is asked from Grafana's machine, where 127.0.0.1 is Grafana's own container"
	return false
}

// tellDestinations wants a click on an exemplar to open its trace.
func tellDestinations(f *finding, s dataSource, all []dataSource) {
	const next = `give it in jsonData: exemplarTraceIdDestinations: [{name: trace_id, datasourceUid: tempo}], with the uid of a data source of traces`
	if len(s.JSONData.ExemplarTraceIDDestinations) == 0 {
		f.fail("Grafana's data source %s does not say where an exemplar's trace is", safe(s.Name)).Fix = next
		return
	}
	var names []string
	for _, d := range s.JSONData.ExemplarTraceIDDestinations {
		names = append(names, d.Name)
		if d.Name != "trace_id" {
			continue
		}
		shows := d.URL != "" || slices.ContainsFunc(all, func(s dataSource) bool { return s.UID == d.DatasourceUID && slices.Contains(traceSources, s.Type) })
		if !shows {
			f.fail("Grafana's data source %s leads from an exemplar to the data source %q, which is none of traces", safe(s.Name), d.DatasourceUID).Fix = next
		}
		return
	}
	f.fail("Grafana's data source %s looks for the trace of an exemplar in the label %s, but it is in trace_id", safe(s.Name), safe(few(names))).Fix = next
}

// doctorDashboards looks for the dashboards that come from the domain.
func doctorDashboards(x *examination) finding {
	p := x.parts["grafana"]
	var f finding
	files, err := dashboards.All(x.d, dashboards.Options{})
	if err != nil {
		f.fail("the domain's dashboards cannot be made: %v", err)
		return f
	}
	var missing []string
	for _, file := range files {
		var board struct{ UID, Title string }
		if err := json.Unmarshal(file.JSON, &board); err != nil {
			f.fail("%s: %v", file.Name, err)
			return f
		}
		answer, err := p.ask(x.ctx, request{path: "api/dashboards/uid/" + board.UID})
		var there struct{ Dashboard struct{ UID string } }
		switch {
		case answer.code == http.StatusNotFound:
			missing = append(missing, board.UID)
		case err != nil:
			return x.stranded(err, answer.code)
		case json.Unmarshal(answer.body, &there) != nil || there.Dashboard.UID != board.UID:
			return *f.trouble(p.stranger(answer, "api/dashboards/uid/"+board.UID))
		}
	}
	if len(missing) > 0 {
		f.fail("Grafana has %d of %d dashboards; it has not %s", len(files)-len(missing), len(files), few(missing)).
			Fix = "write them with latido generate dashboards, and have Grafana read that folder: provisioning/dashboards, or Dashboards, New, Import"
	}
	f.Detail = count(len(files), "dashboard")
	return f
}
