package importer

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/domain"
)

// draft is a domain that grows, and what is said beside it.
type draft struct {
	d     domain.Domain
	age   float64             // seconds since the process began, 0 if it is not known
	notes []string            // what was not taken over
	about map[string][]string // by event or threshold: what is said above it
	seen  map[string]float64  // by event: how many there were so far
}

// say is a message in the draft's language.
func (d *draft) say(format string, args ...any) string {
	return cli.Say(d.d.Language, fmt.Sprintf(format, args...))
}

func (d *draft) note(format string, args ...any) {
	d.notes = append(d.notes, d.say(format, args...))
}

// others are the starts of names that are of the runtime, of the libraries or of
// what fetches metrics: Latido records them itself, or nobody asks for them.
var others = []string{
	"go_", "process_", "promhttp_", "python_", "jvm_", "nodejs_", "dotnet_", "system_", "runtime_", "otel_", "target_info", "scrape_", "up",
	"application_", "disk_", "executor_", "hikaricp_", "jdbc_", "jetty_", "lettuce_", "log4j2_", "logback_", "spring_", "tasks_scheduled_", "tomcat_",
	"net_conntrack_", "grpc_", "rpc_", "db_client_", "sql_", "redis_", "http_client_", "prometheus_", "node_", "container_", "cgo_", "memstats_",
}

func draftOf(families []*dto.MetricFamily, o Options) (*draft, error) {
	d := &draft{d: domain.Domain{Language: cmp.Or(o.Language, "en")}, about: map[string][]string{}, seen: map[string]float64{}}
	var own, requests []*dto.MetricFamily
	for _, f := range families {
		name := f.GetName()
		switch {
		case name == "process_start_time_seconds":
			d.age = age(f)
		case isRequests(f):
			requests = append(requests, f)
		case slices.ContainsFunc(others, func(start string) bool {
			return name == start || strings.HasSuffix(start, "_") && strings.HasPrefix(name, start)
		}):
		case strings.HasSuffix(name, "_info") || strings.HasSuffix(name, "_created"):
		default:
			own = append(own, f)
		}
	}
	space := namespace(append(slices.Clone(own), requests...))
	d.d = domain.Domain{
		Prefix: cmp.Or(o.Prefix, prefixOf(space), prefixOf(o.App), "mi_servicio"), App: o.App, Language: cmp.Or(o.Language, "en"),
		Entity: cmp.Or(o.Entity, entityOf(own, space)),
	}
	if d.d.Language != "es" && d.d.Prefix == "mi_servicio" {
		d.d.Prefix = "some_service"
	}
	if err := d.d.Validate(); err != nil {
		return nil, fmt.Errorf("%w: say it with -prefix, -app or -entity", err)
	}
	for _, f := range own {
		d.event(f, space)
	}
	d.objectives(requests)
	d.limits()
	d.d.Notify = []domain.Receiver{{Log: &domain.LogReceiver{}}}
	d.settle()
	return d, nil
}

// namespace is the word that most names begin with, with its underscore; "" if
// no half of them shares one.
func namespace(families []*dto.MetricFamily) string {
	count, all := map[string]int{}, 0
	for _, f := range families {
		word, _, ok := strings.Cut(f.GetName(), "_")
		if word == "http" || word == "rpc" { // everybody's
			continue
		}
		if all++; ok {
			count[word+"_"]++
		}
	}
	best := ""
	for _, word := range slices.Sorted(maps.Keys(count)) {
		if best == "" || count[word] > count[best] {
			best = word
		}
	}
	if 2*count[best] < all {
		return ""
	}
	return best
}

// prefixOf is a prefix that a name suggests, "" for none that may be one.
func prefixOf(name string) string {
	name = strings.Trim(strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToLower(name)), "_")
	for _, try := range []string{name, name + "_app"} {
		if domain.CheckPrefix(try) == nil {
			return try
		}
	}
	return ""
}

// entityOf is what most counters are about.
func entityOf(own []*dto.MetricFamily, space string) string {
	for _, f := range own {
		if f.GetType() != dto.MetricType_COUNTER {
			continue
		}
		name := strings.TrimSuffix(strings.TrimPrefix(f.GetName(), space), "_total")
		if (domain.Domain{Prefix: "import", Entity: name}).Validate() == nil {
			return name
		}
	}
	return "item"
}

// settle leaves out what does not load beside the rest: two events of one name,
// more series than a domain may have.
func (d *draft) settle() {
	for range 1000 {
		var wrong domain.Errors
		if !errors.As(d.d.Validate(), &wrong) {
			return
		}
		m := wrong[0]
		var i int
		switch {
		case scan(m.Path, "events", &i) && i < len(d.d.Events):
			d.note("%s is left out: %s", d.d.Events[i].Name, m.Message)
			d.d.Events = slices.Delete(d.d.Events, i, i+1)
		case scan(m.Path, "thresholds", &i) && i < len(d.d.Thresholds):
			d.d.Thresholds = slices.Delete(d.d.Thresholds, i, i+1)
		case scan(m.Path, "slos", &i) && i < len(d.d.SLOs):
			d.d.SLOs = slices.Delete(d.d.SLOs, i, i+1)
		case len(d.d.Events) > 0: // too many of them together: the dearest goes
			dear := 0
			for j := range d.d.Events {
				if d.d.Events[j].Combinations() > d.d.Events[dear].Combinations() {
					dear = j
				}
			}
			d.note("%s is left out: %s", d.d.Events[dear].Name, m.Message)
			d.d.Events = slices.Delete(d.d.Events, dear, dear+1)
		default:
			return // said by write, which loads the file
		}
	}
}

// scan finds the index of a path into a list.
func scan(path, list string, i *int) bool {
	n, err := fmt.Sscanf(path, list+"[%d]", i)
	return n == 1 && err == nil
}
