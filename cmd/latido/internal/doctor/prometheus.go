package doctor

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
)

// scrapeTarget is what a Prometheus scrapes, as its API has it.
type scrapeTarget struct {
	Labels                       map[string]string
	ScrapeURL, LastError, Health string
	LastScrape                   time.Time
}

// doctorPrometheus tells whether Prometheus answers questions. Any server with
// its API will do.
func doctorPrometheus(x *examination) result.Check {
	p := x.parts["prometheus"]
	var f result.Check
	// Others that have the API have another path for their readiness.
	if p.first != nil && p.hello.Code != http.StatusNotFound {
		return failed(p.first)
	}
	var answer struct{ ResultType string }
	if err := p.api(x.ctx, "query", url.Values{"query": {"time()"}}, &answer); err != nil {
		return failed(err)
	}
	if answer.ResultType != "scalar" {
		return failed(trouble{fmt.Sprintf("%s is not Prometheus: it answers the query time() with a %q", remote.Address(p.base), answer.ResultType), p.whose()})
	}
	var build struct{ Version string }
	_ = p.api(x.ctx, "status/buildinfo", nil, &build) // the version is only a detail
	f.Detail = p.version(build.Version)
	return f
}

// doctorConfig tells whether the last reload of the configuration went well:
// after one that did not, Prometheus goes on with what it had.
func doctorConfig(x *examination) result.Check {
	p := x.parts["prometheus"]
	answer, err := p.ask(x.ctx, remote.Request{Path: "metrics"})
	text := string(answer.Body)
	switch {
	case err != nil || !strings.Contains(text, "\nprometheus_config_last_reload_successful "):
		return result.Skip("%s does not tell whether it was loaded", remote.Address(p.base))
	case strings.Contains(text, "\nprometheus_config_last_reload_successful 0"):
		var f result.Check
		f.Fail("the last reload of %s failed: it runs the configuration from before", remote.Address(p.base)).
			Fix = "see what is wrong with the file: promtool check config prometheus.yaml"
		return f
	}
	return result.Check{Detail: "the last reload went well"}
}

// doctorScrape looks for the way on which the service's metrics get to
// Prometheus.
func doctorScrape(x *examination) result.Check {
	p := x.parts["prometheus"]
	var f result.Check
	var all struct{ ActiveTargets []scrapeTarget }
	if err := p.api(x.ctx, "targets", url.Values{"state": {"active"}}, &all); err != nil {
		return failed(err)
	}
	for _, t := range all.ActiveTargets {
		if t.Labels["job"] == x.job {
			x.targets = append(x.targets, t)
		}
	}
	if len(x.targets) == 0 {
		return x.unscraped(all.ActiveTargets)
	}
	up := 0
	for _, t := range x.targets {
		switch t.Health {
		case "up":
			up++
		case "unknown":
			f.Fail("Prometheus has not scraped %s yet", scrapeAddress(t)).Fix = "try again in a minute: a target is scraped once in its scrape_interval"
		default:
			cause, next := x.down(t)
			f.Fail("Prometheus cannot scrape %s: %s", scrapeAddress(t), cause).Fix = next
		}
	}
	x.usable["scrape"] = up > 0
	f.Detail = fmt.Sprintf("job %s, %s up", x.job, cli.Count(up, "target"))
	return f
}

// scrapeAddress is what may be printed of a target's URL: it may have
// parameters that are secret.
func scrapeAddress(t scrapeTarget) string {
	u, err := url.Parse(t.ScrapeURL)
	if err != nil {
		return cli.Safe(t.Labels["instance"])
	}
	return remote.Address(u) + u.Path
}

// down says why a target is not up, and what to do.
func (x *examination) down(t scrapeTarget) (cause, next string) {
	u, err := url.Parse(t.ScrapeURL)
	if err != nil {
		u = &url.URL{}
	}
	// The error begins with the method and the URL: Get "http://…": dial tcp …
	cause = strings.TrimPrefix(t.LastError, fmt.Sprintf("Get %q: ", t.ScrapeURL))
	cause = cli.Safe(cause[:min(len(cause), 300)])
	job := "job_name: " + x.job + " of prometheus.yaml"
	switch has := func(text string) bool { return strings.Contains(t.LastError, text) }; {
	case has("connection refused"):
		next = fmt.Sprintf("correct the port in the targets of %s", job)
		if s := x.parts["url"].base; s != nil && x.families != nil && port(s) != port(u) {
			next = fmt.Sprintf("correct the port in the targets of %s: the service has its metrics on port %s", job, port(s))
		} else if loopback(u.Hostname()) {
			next = "in a container that address is the container itself: name the service's host, such as host.docker.internal, in the targets of " + job
		} else {
			next = "have the service listen beyond its own machine, OTEL_EXPORTER_PROMETHEUS_HOST=0.0.0.0, or " + next
		}
	case has("no such host"):
		next = "Prometheus does not know that name: correct the host in the targets of " + job
	case has("deadline exceeded"), has("timeout"):
		next = "something drops what Prometheus sends, or /metrics is slow: try the address from Prometheus' machine, and see scrape_timeout of " + job
	case has("status 404"):
		next = "correct metrics_path, which is /metrics, of " + job
	case has("status 401"), has("status 403"):
		next = "give basic_auth to " + job
	case has("HTTP response to HTTPS client"):
		next = "write scheme: http for " + job
	case has("status 400"):
		next = "the service may speak HTTPS: write scheme: https for " + job
	case has("Content-Type"), has("expected"):
		next = "that is no page of metrics: correct the address in the targets of " + job
	default:
		next = "correct " + job
	}
	return cause, next
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// unscraped finds out how else the metrics may come when no target has the job.
func (x *examination) unscraped(others []scrapeTarget) result.Check {
	p := x.parts["prometheus"]
	var f result.Check
	// Whatever a translation made of the names, they begin like this.
	here, err := p.query(x.ctx, fmt.Sprintf("count by (job) ({__name__=~%q})", x.d.Prefix+"[._].+"))
	if err != nil {
		return failed(err)
	}
	var jobs []string
	for _, s := range here {
		// A recording rule of another service's has a colon, and may have no job.
		if s.Labels["job"] != "" {
			jobs = append(jobs, s.Labels["job"])
		}
	}
	slices.Sort(jobs)
	if slices.Contains(jobs, x.job) {
		x.pushed = true
		return result.Check{Detail: fmt.Sprintf("job %s, not scraped but sent to Prometheus", x.job)}
	}
	if len(jobs) > 0 {
		names := strings.Join(jobs, " and ")
		how := "set job_name: " + x.job + " in prometheus.yaml, or the label job of its target"
		if !slices.ContainsFunc(others, func(t scrapeTarget) bool { return slices.Contains(jobs, t.Labels["job"]) }) {
			how = "set OTEL_SERVICE_NAME=" + x.job + " for the service"
		}
		f.Fail("Prometheus has the metrics of prefix %s as the job %s, not as %s", x.d.Prefix, cli.Safe(names), x.job).
			Fix = fmt.Sprintf("%s, or look at that job: latido doctor -job %s", how, jobs[0])
		return f
	}
	at := "HOST:9464"
	if s := x.parts["url"].base; s != nil {
		at = s.Hostname() + ":" + port(s)
	}
	f.Fail("Prometheus has no job %s, and no metric of prefix %s came in another way", x.job, x.d.Prefix).
		Fix = fmt.Sprintf("add to scrape_configs of prometheus.yaml, and reload: {job_name: %s, static_configs: [{targets: [%q]}]}, with the address as Prometheus reaches it", x.job, at)
	for _, t := range others {
		if u, err := url.Parse(t.ScrapeURL); err == nil && port(u) == at[strings.LastIndex(at, ":")+1:] {
			f.Note("the job %s scrapes that port, at %s: it is %s%s", cli.Safe(t.Labels["job"]), scrapeAddress(t), t.Health, cli.Because(cli.Safe(t.LastError)))
		}
	}
	return f
}
