package doctor

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
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
func doctorGrafana(x *examination) result.Check {
	p := x.parts["grafana"]
	var f result.Check
	if p.first != nil {
		return failed(p.first)
	}
	var state struct{ Database, Version string }
	if json.Unmarshal(p.hello.Body, &state) != nil || state.Database == "" {
		return failed(p.stranger(p.hello, p.ready))
	}
	if state.Database != "ok" {
		f.Fail("Grafana's database is not well: %s", cli.Safe(state.Database)).Fix = "look at its log: docker compose logs grafana"
	}
	f.Detail = p.version(state.Version)
	return f
}

// stranded is the finding when Grafana does not let us see something: a skip
// where nobody gave credentials.
func (x *examination) stranded(err error, code int) result.Check {
	p := x.parts["grafana"]
	if os.Getenv("LATIDO_GRAFANA_TOKEN") == "" && os.Getenv("LATIDO_GRAFANA_USER") == "" && p.base.User == nil &&
		(code == http.StatusUnauthorized || code == http.StatusForbidden) {
		return result.Skip("left out without credentials: %s", p.want)
	}
	if code == http.StatusUnauthorized {
		err = trouble{"Grafana does not take the credentials", p.want}
	}
	if code == http.StatusForbidden {
		err = trouble{"Grafana does not let these credentials see that", "give the service account the role Admin, which data sources need"}
	}
	return failed(err)
}

// doctorSources looks at the data sources that the dashboards take: of each
// type the default one, or else the first by name.
func doctorSources(x *examination) result.Check {
	p := x.parts["grafana"]
	var f result.Check
	answer, err := p.ask(x.ctx, remote.Request{Path: "api/datasources"})
	if err != nil {
		return x.stranded(err, answer.Code)
	}
	var all []dataSource
	if json.Unmarshal(answer.Body, &all) != nil {
		return failed(p.stranger(answer, "api/datasources"))
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
			f.Fail("Grafana has no data source of the type %s", wanted).
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
	f.Detail = cli.Safe(strings.Join(good, ", "))
	return f
}

// tellSource has Grafana itself ask a data source.
func (x *examination) tellSource(f *result.Check, s dataSource) (good bool) {
	answer, err := x.parts["grafana"].ask(x.ctx, remote.Request{Path: "api/datasources/uid/" + url.PathEscape(s.UID) + "/health"})
	var health struct{ Status, Message string }
	unread := json.Unmarshal(answer.Body, &health)
	switch {
	case err == nil && unread == nil && strings.EqualFold(health.Status, "OK"):
		return true
	case health.Status == "" && answer.Code == http.StatusNotFound: // a plugin without a health check
		f.Note("the data source %s has no health check: try it on its page", cli.Safe(s.Name))
		return true
	}
	at := "its URL"
	if u, err := url.Parse(s.URL); err == nil && u.Host != "" {
		at = remote.Address(u)
	}
	message := health.Message
	if message == "" && err != nil {
		message = err.Error()
	}
	f.Fail("Grafana's data source %s does not work: it asks %s%s", cli.Safe(s.Name), at, cli.Because(cli.Safe(message[:min(len(message), 300)]))).
		Fix = "correct its URL, under Connections or in provisioning/datasources: it is asked from Grafana's machine, where 127.0.0.1 is Grafana's own container"
	return false
}

// tellDestinations wants a click on an exemplar to open its trace.
func tellDestinations(f *result.Check, s dataSource, all []dataSource) {
	const next = `give it in jsonData: exemplarTraceIdDestinations: [{name: trace_id, datasourceUid: tempo}], with the uid of a data source of traces`
	if len(s.JSONData.ExemplarTraceIDDestinations) == 0 {
		f.Fail("Grafana's data source %s does not say where an exemplar's trace is", cli.Safe(s.Name)).Fix = next
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
			f.Fail("Grafana's data source %s leads from an exemplar to the data source %q, which is none of traces", cli.Safe(s.Name), d.DatasourceUID).Fix = next
		}
		return
	}
	f.Fail("Grafana's data source %s looks for the trace of an exemplar in the label %s, but it is in trace_id", cli.Safe(s.Name), cli.Safe(cli.Few(names))).Fix = next
}

// doctorDashboards looks for the dashboards that come from the domain.
func doctorDashboards(x *examination) result.Check {
	p := x.parts["grafana"]
	var f result.Check
	files, err := dashboards.All(x.d, dashboards.Options{})
	if err != nil {
		f.Fail("the domain's dashboards cannot be made: %v", err)
		return f
	}
	var missing []string
	for _, file := range files {
		var board struct{ UID, Title string }
		if err := json.Unmarshal(file.JSON, &board); err != nil {
			f.Fail("%s: %v", file.Name, err)
			return f
		}
		answer, err := p.ask(x.ctx, remote.Request{Path: "api/dashboards/uid/" + board.UID})
		var there struct{ Dashboard struct{ UID string } }
		switch {
		case answer.Code == http.StatusNotFound:
			missing = append(missing, board.UID)
		case err != nil:
			return x.stranded(err, answer.Code)
		case json.Unmarshal(answer.Body, &there) != nil || there.Dashboard.UID != board.UID:
			return failed(p.stranger(answer, "api/dashboards/uid/"+board.UID))
		}
	}
	if len(missing) > 0 {
		f.Fail("Grafana has %d of %d dashboards; it has not %s", len(files)-len(missing), len(files), cli.Few(missing)).
			Fix = "write them with latido generate dashboards, and have Grafana read that folder: provisioning/dashboards, or Dashboards, New, Import"
	}
	f.Detail = cli.Count(len(files), "dashboard")
	return f
}
