package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/internal/spelling"
)

// profilesWithin is how far back a profile is looked for. The profiler uploads
// every 15 seconds; a heap profile of an idle service comes with the garbage
// collector, which runs every two minutes at the least.
const profilesWithin = 5 * time.Minute

// firstProfile is how long a new service may take to send one.
const firstProfile = 30 * time.Second

// The types of profiles that the service sends, as Pyroscope calls them.
var sentProfiles = []string{"process_cpu:cpu:nanoseconds:cpu:nanoseconds", "memory:inuse_space:bytes:space:bytes", "memory:alloc_space:bytes:space:bytes"}

func doctorPyroscope(x *examination) result.Check {
	p := x.parts["pyroscope"]
	var f result.Check
	if p.first != nil {
		return failed(p.first)
	}
	// Many programs have a page /ready; only Pyroscope has this.
	if _, err := p.labelValues(x.ctx, "service_name"); err != nil {
		return failed(err)
	}
	f.Detail = remote.Address(p.base)
	return f
}

// querier calls a method of Pyroscope's query service. Any error is a trouble.
func (p *part) querier(ctx context.Context, method string, question, into any) error {
	text, err := json.Marshal(question)
	if err != nil {
		return trouble{err.Error(), ""}
	}
	return p.json(ctx, remote.Request{
		Method: http.MethodPost, Path: "querier.v1.QuerierService/" + method, Body: text, Header: map[string]string{"Content-Type": "application/json"},
	}, into)
}

// labelValues are the values of a label over the profiles of the last hour.
func (p *part) labelValues(ctx context.Context, label string) ([]string, error) {
	now := time.Now().Add(p.clock.ahead)
	var answer struct{ Names []string }
	err := p.querier(ctx, "LabelValues", map[string]any{"name": label, "start": now.Add(-time.Hour).UnixMilli(), "end": now.UnixMilli()}, &answer)
	return answer.Names, err
}

// ticks is how much there is in a service's profiles of a type.
func (p *part) ticks(ctx context.Context, profileType, service string) (int64, error) {
	now := time.Now().Add(p.clock.ahead)
	var answer struct {
		Flamebearer struct {
			NumTicks int64 `json:"numTicks"`
		} `json:"flamebearer"`
	}
	err := p.json(ctx, remote.Request{Path: "pyroscope/render", Query: url.Values{
		"query": {fmt.Sprintf("%s{service_name=%q}", profileType, service)},
		"from":  {strconv.FormatInt(now.Add(-profilesWithin).UnixMilli(), 10)}, "until": {strconv.FormatInt(now.UnixMilli(), 10)},
	}}, &answer)
	return answer.Flamebearer.NumTicks, err
}

// doctorProfiles looks for the service's profiles of the last minutes.
func doctorProfiles(x *examination) result.Check {
	p := x.parts["pyroscope"]
	var f result.Check
	services, err := p.labelValues(x.ctx, "service_name")
	if err != nil {
		return failed(err)
	}
	name := x.d.Service()
	if !slices.Contains(services, name) && slices.Contains(services, x.job) {
		name = x.job
	}
	if slices.Contains(services, name) {
		for _, profileType := range sentProfiles {
			n, err := p.ticks(x.ctx, profileType, name)
			if err != nil {
				return failed(err)
			}
			if n > 0 {
				f.Detail = fmt.Sprintf("service_name %s, profiles of the last %s", name, cli.Spell(profilesWithin))
				return f
			}
		}
	}
	return x.profileless(name, services)
}

// profileless finds out why there is no profile of the last minutes.
func (x *examination) profileless(name string, services []string) result.Check {
	p := x.parts["pyroscope"]
	var f result.Check
	missing := fmt.Sprintf("Pyroscope has no profile of %s of the last %s", name, cli.Spell(profilesWithin))
	if x.families == nil { // the service could not be asked
		f.Fail("%s", missing).Fix = "see whether the service runs, and has PYROSCOPE_SERVER_ADDRESS"
		x.alias(&f, name, services)
		return f
	}
	good, failed, since := x.uploads("profiles")
	set := "set PYROSCOPE_SERVER_ADDRESS to Pyroscope's address as the service reaches it: " + remote.Address(p.base) + ", or http://pyroscope:4040 in the compose file's network"
	switch {
	case good == 0 && failed == 0 && x.says.UptimeSeconds > 0 && x.says.UptimeSeconds < firstProfile.Seconds():
		return result.Skip("the service started only %.0f s ago, and has sent no profile yet", x.says.UptimeSeconds)
	case good == 0 && failed == 0:
		reason := x.says.problem("PYROSCOPE_SERVER_ADDRESS")
		switch {
		case reason != "":
		case x.says.UptimeSeconds > 0:
			reason = "it has no PYROSCOPE_SERVER_ADDRESS"
		default: // it tells strangers nothing of itself
			reason = fmt.Sprintf("it has no PYROSCOPE_SERVER_ADDRESS, or started less than %s ago", cli.Spell(firstProfile))
		}
		f.Fail("%s: the service has sent none, %s", missing, reason).Fix = set
	case good == 0:
		reason := cmp.Or(x.says.problem("profile"), "its log has the reason")
		f.Fail("%s: the service's uploads fail, %.0f %s: %s", missing, failed, since, reason).Fix = set
	case x.alias(&f, name, services):
	case x.clockWrong("url", "pyroscope"):
		return result.Skip("not known as long as %s fails", "clock")
	default:
		f.Fail("%s, but the service has uploaded %.0f %s: to another Pyroscope, or as another tenant", missing, good, since).
			Fix = "compare PYROSCOPE_SERVER_ADDRESS and PYROSCOPE_TENANT_ID of the service with " + remote.Address(p.base)
	}
	return f
}

// alias finds the names under which profiles of the domain came: the service
// puts the domain's prefix on each. It reports whether there are any.
func (x *examination) alias(f *result.Check, name string, services []string) bool {
	now := time.Now().Add(x.parts["pyroscope"].clock.ahead)
	var answer struct {
		LabelsSet []struct {
			Labels []struct{ Name, Value string }
		}
	}
	err := x.parts["pyroscope"].querier(x.ctx, "Series", map[string]any{
		"matchers": []string{fmt.Sprintf("{domain=%q}", x.d.Prefix)}, "labelNames": []string{"service_name"},
		"start": now.Add(-profilesWithin).UnixMilli(), "end": now.UnixMilli(),
	}, &answer)
	if err != nil {
		return false
	}
	var others []string
	for _, set := range answer.LabelsSet {
		for _, l := range set.Labels {
			if l.Name == "service_name" && l.Value != name {
				others = append(others, l.Value)
			}
		}
	}
	if len(others) == 0 || slices.Contains(services, name) {
		if near := spelling.Nearest(name, services); near != "" && near != name {
			f.Note("Pyroscope has profiles of %s: is that the service?", cli.Safe(near))
		}
		return false
	}
	slices.Sort(others)
	f.Problems = append(f.Problems[:0], result.Problem{
		Message: fmt.Sprintf("Pyroscope has no profile of %s, but of %s, with the same domain %s", name, cli.Safe(cli.Few(slices.Compact(others))), x.d.Prefix),
		Fix:     "leave Config.Profiling.Service empty, or give that name as app in the domain file: dashboards ask for it",
	})
	return true
}
