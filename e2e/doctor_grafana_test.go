package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/latido-dev/latido/dashboards"
	"github.com/latido-dev/latido/domain"
)

// grafanaToken is what grafanaAPI takes.
const grafanaToken = "glsa_secret"

// grafanaAPI answers as Grafana does, as far as latido doctor asks: Grafana
// itself is not among the servers that the tests can build. The forms are those
// of Grafana's documentation of its HTTP API, the pages Data source, Dashboard
// and Other (health), and of the handler checkDatasourceHealth in its source,
// which answers 200 with the status OK, or 400 with the status ERROR. Whether a
// data source works is asked of the real server behind it.
//
// https://grafana.com/docs/grafana/latest/developers/http_api/
type grafanaAPI struct {
	*httptest.Server
	prometheus, pyroscope string
	destination           string // the label of an exemplar that leads to a trace
	boards                map[string]json.RawMessage
}

// startGrafanaAPI starts one with the domain's dashboards and two data sources,
// but for what broken breaks before.
func startGrafanaAPI(t *testing.T, d domain.Domain, prometheus, pyroscope string, broken ...func(*grafanaAPI)) *grafanaAPI {
	t.Helper()
	g := &grafanaAPI{prometheus: prometheus, pyroscope: pyroscope, destination: "trace_id", boards: map[string]json.RawMessage{}}
	files, err := dashboards.All(d, dashboards.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		g.boards[strings.TrimSuffix(f.Name, ".json")] = f.JSON // the uid is the file's name
	}
	for _, change := range broken {
		change(g)
	}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

func (g *grafanaAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	say := func(code int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(v)
	}
	type object = map[string]any
	if r.URL.Path == "/api/health" {
		say(http.StatusOK, object{"database": "ok", "version": "12.3.0", "commit": "087143285"})
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+grafanaToken {
		say(http.StatusUnauthorized, object{"message": "Unauthorized", "messageId": "auth.unauthorized", "statusCode": 401, "traceID": ""})
		return
	}
	if uid, ok := strings.CutPrefix(r.URL.Path, "/api/dashboards/uid/"); ok {
		if board := g.boards[uid]; board != nil {
			say(http.StatusOK, object{"dashboard": board, "meta": object{"isStarred": false, "url": "/d/" + uid, "slug": uid}})
		} else {
			say(http.StatusNotFound, object{"message": "Dashboard not found"})
		}
		return
	}
	source := func(uid, name, kind, url string, isDefault bool, data object) object {
		return object{
			"id": 1, "orgId": 1, "uid": uid, "name": name, "type": kind, "typeLogoUrl": "", "access": "proxy", "url": url,
			"user": "", "database": "", "basicAuth": false, "isDefault": isDefault, "jsonData": data, "readOnly": true,
		}
	}
	switch r.URL.Path {
	case "/api/datasources":
		say(http.StatusOK, []object{
			source("pyroscope", "Pyroscope", "grafana-pyroscope-datasource", g.pyroscope, false, object{}),
			source("tempo", "Tempo", "tempo", "http://tempo:3200", false, object{}),
			source("prometheus", "Prometheus", "prometheus", g.prometheus, true, object{
				"httpMethod": "POST", "exemplarTraceIdDestinations": []object{{"name": g.destination, "datasourceUid": "tempo"}},
			}),
		})
	case "/api/datasources/uid/prometheus/health":
		say(health(g.prometheus + "/api/v1/query?query=1%2B1"))
	case "/api/datasources/uid/pyroscope/health":
		say(health(g.pyroscope + "/ready"))
	default:
		say(http.StatusNotFound, object{"message": "Not found"})
	}
}

// health asks the server of a data source, as the plugin does.
func health(url string) (code int, answer map[string]any) {
	response, err := http.Get(url)
	if err != nil {
		return http.StatusBadRequest, map[string]any{"status": "ERROR", "message": err.Error()}
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return http.StatusBadRequest, map[string]any{"status": "ERROR", "message": response.Status}
	}
	return http.StatusOK, map[string]any{"status": "OK", "message": "Successfully queried the API."}
}
