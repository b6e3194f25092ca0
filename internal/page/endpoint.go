package page

import (
	"net/http"
	"strconv"

	"github.com/latido-dev/latido/internal/figures"
	"github.com/latido-dev/latido/internal/stacks"
)

// endpointView is one endpoint and method, over the last minutes.
type endpointView struct {
	head
	endpointRow
	D                    dashboard
	Names, Graphs, Chart []string // rate, failures and p95: in words, in PromQL, and for chart.js
	At                   func(function, file string, line int64) string
}

func (p *Page) endpoint(r *http.Request) view {
	ctx := r.Context()
	v := endpointView{head: p.head(ctx, "endpoint", r.FormValue("method")+" "+r.FormValue("name")), D: p.dashboard(ctx),
		endpointRow: endpointRow{Route: figures.Route{Method: r.FormValue("method"), Endpoint: r.FormValue("name")}},
		At: func(function, file string, line int64) string {
			return stacks.Short(function) + " " + place(file, line)
		}}
	v.status = http.StatusNotFound
	for _, e := range v.D.Endpoints {
		if e.Method == v.Method && e.Endpoint == v.Endpoint {
			v.endpointRow, v.status = e, http.StatusOK
		}
	}
	if v.status == http.StatusNotFound {
		return v
	}
	duration, _ := p.Domain.Metric("response_duration")
	requests, _ := p.Domain.Metric("requests")
	of := "method=" + strconv.Quote(v.Method) + ",endpoint=" + strconv.Quote(v.Endpoint)
	v.Names = []string{p.T("Requests a second", "Peticiones por segundo"), p.T("Share that fails", "Proporción que falla"), p.T("p95 of the time to answer", "p95 del tiempo de respuesta")}
	v.Graphs = []string{
		"sum by (status) (rate(" + requests.Family + "{" + of + "}[1m]))",
		"sum(rate(" + requests.Family + "{" + of + `,status=~"5.."}[1m])) / sum(rate(` + requests.Family + "{" + of + "}[1m]))",
		"histogram_quantile(0.95, sum by (le) (rate(" + duration.Family + "_bucket{" + of + "}[1m])))",
	}
	for i, values := range [3][]*float64{v.History.PerSecond, v.History.ErrorRatio, v.History.P95} {
		v.Chart = append(v.Chart, jsonText(map[string]any{"at": v.D.History.At, "series": []any{map[string]any{"values": values}}, "unit": [3]string{"", "%", "s"}[i], "lang": p.Lang()}))
	}
	return v
}
