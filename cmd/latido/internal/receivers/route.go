package receivers

import (
	"reflect"
	"strings"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/common/model"

	"github.com/latido-dev/latido/cmd/latido/internal/result"
)

// EvidencePath ends the address of a service that an Alertmanager asks for
// evidence.
const EvidencePath = "/api/evidence"

// Routes are where an Alertmanager sends alerts.
type Routes struct {
	route *dispatch.Route
	tells map[string]bool // by receiver: whether it tells anybody
}

// Load reads an Alertmanager's file, as a server does. inProcess says that the
// service evaluates its alerts itself: then it has receivers of its own.
func Load(file string, text []byte, inProcess bool) (*Routes, []result.Problem) {
	c, err := load(text)
	if err != nil {
		var problems []result.Problem
		for _, m := range mistakes(err) {
			problems = append(problems, result.Problem{File: file, Line: m.line, Message: m.explain("", nil)})
		}
		return nil, problems
	}
	r := &Routes{dispatch.NewRoute(c.Route, nil), map[string]bool{}}
	for _, receiver := range c.Receivers {
		r.tells[receiver.Name] = inProcess && OfProcess(receiver.Name) || tellsSomebody(receiver)
	}
	return r, nil
}

// tellsSomebody tells whether a receiver has a person at its end: the service's
// own webhook, which gathers evidence, has none.
func tellsSomebody(r config.Receiver) bool {
	integrations := 0
	for _, field := range reflect.ValueOf(r).Fields() {
		if field.Kind() == reflect.Slice {
			integrations += field.Len()
		}
	}
	for _, w := range r.WebhookConfigs {
		if strings.HasSuffix(string(w.URL), EvidencePath) {
			integrations--
		}
	}
	return integrations > 0
}

// Heard are the receivers that tell somebody of an alert with these labels. own
// says that one of the process would, if it had alerts.
func (r *Routes) Heard(alert string, labels map[string]string) (heard []string, own bool) {
	set := model.LabelSet{model.AlertNameLabel: model.LabelValue(alert)}
	for name, value := range labels {
		set[model.LabelName(name)] = model.LabelValue(value)
	}
	for _, route := range r.route.Match(set) {
		name := route.RouteOpts.Receiver
		if r.tells[name] {
			heard = append(heard, name)
		}
		own = own || OfProcess(name)
	}
	return heard, own
}

// OfProcess tells whether a receiver is one that only the process itself has.
func OfProcess(name string) bool {
	return Kind(name) == "log" || strings.HasPrefix(name, "action/")
}
