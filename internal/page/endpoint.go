package page

import (
	"net/http"
	"strconv"

	"github.com/latido-dev/latido/internal/figures"
)

// endpointView is one endpoint and method, over the last minutes.
type endpointView struct {
	head
	endpointRow
	Charts []lineChart
}

// lineChart is one line over time: in words, in PromQL, and for chart.js.
type lineChart struct{ Name, PromQL, Data string }

func (p *Page) endpoint(r *http.Request) view {
	ctx := r.Context()
	v := endpointView{head: p.head(ctx, "endpoint", r.FormValue("method")+" "+r.FormValue("name")),
		endpointRow: endpointRow{Route: figures.Route{Method: r.FormValue("method"), Endpoint: r.FormValue("name")}}}
	v.status = http.StatusNotFound
	d := p.dashboard(ctx)
	for _, e := range d.Endpoints {
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
	add := func(name, unit string, values []*float64, promql string) {
		data := map[string]any{"at": d.History.At, "series": []any{map[string]any{"values": values}}, "unit": unit, "lang": p.Lang()}
		v.Charts = append(v.Charts, lineChart{name, promql, jsonText(data)})
	}
	add(p.T("Requests a second", "Peticiones por segundo"), "", v.History.PerSecond,
		"sum by (status) (rate("+requests.Family+"{"+of+"}[1m]))")
	add(p.T("Share that fails", "Proporción que falla"), "%", v.History.ErrorRatio,
		"sum(rate("+requests.Family+"{"+of+`,status=~"5.."}[1m])) / sum(rate(`+requests.Family+"{"+of+"}[1m]))")
	add(p.T("p95 of the time to answer", "p95 del tiempo de respuesta"), "s", v.History.P95,
		"histogram_quantile(0.95, sum by (le) (rate("+duration.Family+"_bucket{"+of+"}[1m])))")
	return v
}
