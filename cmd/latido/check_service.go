package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/latido-dev/latido/domain"
)

// checkService looks at what runs, for itself and for all checks after it.
func checkService(in *inspection) finding {
	f := finding{Subject: address(in.cfg.url)}
	if in.cfg.job == "" {
		in.cfg.job = in.d.Service()
	}
	l, err := look(context.Background(), in.cfg.url, in.d, in.cfg.job)
	if err != nil {
		f.fail("%v", err)
		return f
	}
	in.live = l
	switch {
	case l.server:
		f.Detail = "a Prometheus, asked for the job " + in.cfg.job
	case l.api:
		f.Detail = "a service that has Prometheus in it"
	default:
		f.Detail = "a service"
	}
	f.Detail += fmt.Sprintf(", %d series of prefix %s", len(l.series), in.d.Prefix)
	if len(l.series) == 0 {
		f.fail("there is no series of the prefix %s", in.d.Prefix).Fix = "is it another service's address, or not scraped yet? its job is " + in.cfg.job
		in.live = nil
	}
	return f
}

// own are the series of the job.
func (in *inspection) own() []series {
	if !in.live.server {
		return in.live.series
	}
	return slices.DeleteFunc(slices.Clone(in.live.series), func(s series) bool { return s.labels["job"] != in.cfg.job })
}

// checkPrefix looks for other jobs with series of ours. One whose own prefix
// only begins like ours has none of them.
func checkPrefix(in *inspection) finding {
	f := finding{Detail: fmt.Sprintf("only %s has series of prefix %s", in.cfg.job, in.d.Prefix)}
	if !in.live.server {
		f.Detail = "one service alone: a prefix is only shared in a Prometheus"
		return f
	}
	names := map[string]bool{}
	for _, name := range in.series.Names() {
		names[name] = true
	}
	jobs := map[string]string{} // to a series of theirs
	for _, s := range in.live.series {
		if job := s.labels["job"]; job != "" && names[s.name] && jobs[job] == "" {
			jobs[job] = s.name
		}
	}
	_, there := jobs[in.cfg.job]
	delete(jobs, in.cfg.job)
	for _, job := range sortedKeys(jobs) {
		p := f.fail("the job %s uses the prefix %s too: it has %s", job, in.d.Prefix, jobs[job])
		p.Fix = "give one of the two services another prefix"
		if !there {
			p.Message = fmt.Sprintf("no job %s has series of prefix %s, but %s has", in.cfg.job, in.d.Prefix, job)
			p.Fix = fmt.Sprintf("scrape the service as job_name: %s, or say -job %s", in.cfg.job, job)
		}
	}
	return f
}

// allowed are names without the prefix that Prometheus, its libraries and its
// rules make for every service.
func allowed(name string) bool {
	return slices.Contains([]string{"up", "ALERTS", "ALERTS_FOR_STATE", "target_info", "otel_scope_info"}, name) ||
		strings.HasPrefix(name, "scrape_") || strings.HasPrefix(name, "promhttp_") || strings.Contains(name, ":")
}

func checkForeign(in *inspection) finding {
	f := finding{Detail: "every family has the prefix " + in.d.Prefix}
	for _, name := range in.live.others {
		if !allowed(name) {
			f.fail("%s has not the prefix %s", name, in.d.Prefix).
				Fix = "record it with tel.Meter(), or keep its registry out of what is scraped"
		}
	}
	return f
}

// checkEvents looks for a series of every event.
func checkEvents(in *inspection) finding {
	f := finding{Detail: count(len(in.d.Events), "event")}
	byName := in.byName()
	for _, e := range in.d.Events {
		m, _ := in.d.Metric(e.Name)
		if len(byName[sample(m)]) > 0 {
			continue
		}
		p := f.fail("the event %s does not exist: there is no series %s", e.Name, sample(m))
		p.Fix = "is the service of a version before the event, or does it load another domain file?"
		if m.Kind == domain.KindGauge {
			p.Fix = "a gauge has no series until it is set or observed: is it, where its level is known?"
		}
		if near := nearest(in.d, sample(m), sortedKeys(byName)); near != "" {
			p.Message += fmt.Sprintf(" (there is %s)", near)
		}
	}
	return f
}

// sample is the series that tells whether a metric has data.
func sample(m domain.Metric) string {
	if m.Kind == domain.KindHistogram {
		return m.Family + "_count"
	}
	return m.Family
}

// byName are the job's series.
func (in *inspection) byName() map[string][]series {
	byName := map[string][]series{}
	for _, s := range in.own() {
		byName[s.name] = append(byName[s.name], s)
	}
	return byName
}

// checkData asks whether anything was ever counted. Of what goes up and down
// no value is wrong: it has data when it exists.
func checkData(in *inspection) finding {
	f := finding{}
	byName := in.byName()
	counted := 0
	for _, e := range in.d.Events {
		m, _ := in.d.Metric(e.Name)
		all := byName[sample(m)]
		if len(all) == 0 { // told by checkEvents
			continue
		}
		sum := 0.0
		for _, s := range all {
			sum += s.value
		}
		has := sum > 0 || m.Kind == domain.KindUpDown || m.Kind == domain.KindGauge
		since := "since the service started"
		if !has && in.live.server {
			since = "in the last " + model.Duration(in.cfg.since).String()
			past, err := instant(context.Background(), in.live.base, fmt.Sprintf("max(max_over_time(%s{job=%q}[%s])) > 0", sample(m), in.cfg.job, model.Duration(in.cfg.since)))
			if err != nil {
				f.fail("%s: %v", e.Name, err)
				continue
			}
			has = len(past) > 0
		}
		if !has {
			f.fail("the event %s has no data: %s is 0 %s", e.Name, sample(m), since).
				Fix = "is it recorded where it happens? see latido generate events"
			continue
		}
		counted++
	}
	f.Detail = fmt.Sprintf("%s with data", count(counted, "event"))
	return f
}

// checkSeries counts the series of each instance.
func checkSeries(in *inspection) finding {
	instances := map[string]int{}
	families := map[string]int{}
	for _, s := range in.own() {
		instances[s.labels["instance"]]++
		families[s.name]++
	}
	most, name := 0, ""
	for _, instance := range sortedKeys(instances) {
		most = max(most, instances[instance])
	}
	for _, family := range sortedKeys(families) {
		if name == "" || families[family] > families[name] {
			name = family
		}
	}
	f := finding{Detail: fmt.Sprintf("%d series of one process at most, of %d", most, in.cfg.maxSeries)}
	if most > in.cfg.maxSeries {
		f.fail("one process has %d series, and the budget is %d: most are of %s, %d in all processes", most, in.cfg.maxSeries, name, families[name]).
			Fix = "find the attribute with too many values, or allow more with -max-series"
	}
	return f
}
