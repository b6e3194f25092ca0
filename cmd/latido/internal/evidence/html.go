package evidence

import (
	"bytes"
	"cmp"
	"context"
	_ "embed" // for the page
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/pprof/profile"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	recorded "github.com/latido-dev/latido/internal/evidence"
	"github.com/latido-dev/latido/internal/figures"
	"github.com/latido-dev/latido/internal/humanize"
	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/stacks"
)

//go:embed report.html
var pageText string

// shownEndpoints is how many endpoints the page shows in full.
const shownEndpoints = 3

// htmlReport is the page: what the service is, does and waits for, what fires,
// and what to do about it.
type htmlReport struct {
	words
	Made      time.Time
	Service   figures.Dashboard
	Report    *continuous.Report
	Findings  *reasons
	Endpoints []endpointPart
	Rules     []alertRule
	Embedded  bool // the service evaluates its rules itself
	Incidents []recorded.Summary
	Plan      template.HTML // empty without a domain file
	File      string        // the domain file that was looked for
}

// endpointPart is an endpoint with where its time goes.
type endpointPart struct {
	profiles.Usage
	Figures []figures.Route // of each method
	Flame   template.HTML
	Waits   []profiles.WaitPlace
	Waiting bool // the flame graph is of what waits, as nothing computes
}

// alertRule is a rule with its state.
type alertRule struct {
	Name, Severity, Summary string
	For                     time.Duration
	State                   string // empty where nobody evaluates it here
}

// htmlPage asks the service for all of it, and writes one file that needs no
// other. What cannot be asked is left out, and said; file is the domain file.
func htmlPage(ctx context.Context, u *url.URL, last time.Duration, top int, file, language string) ([]byte, error) {
	var v htmlReport
	v.Made, v.File = time.Now(), file
	d, known, err := domainAt(file)
	if err != nil {
		return nil, err
	}
	v.words = words{humanize.Of(cli.Document(language, d.Language))}
	query := url.Values{"format": {"json"}, "top": {strconv.Itoa(top)}}
	if last > 0 {
		query.Set("last", last.String())
	}
	answer, err := remote.Ask(ctx, u, remote.Request{Path: "debug/report", Query: query})
	if err != nil {
		return nil, err
	}
	if v.Report, err = readReport(u, answer); err != nil {
		return nil, err
	}
	if err := remote.AskJSON(ctx, u, remote.Request{Path: "metrics-dashboard"}, &v.Service); err != nil {
		return nil, err
	}
	if v.Findings, err = askFindings(ctx, u); err != nil {
		v.Findings = nil // the rest is as good without
	}
	for _, usage := range v.Report.Endpoints {
		if usage.Name != domain.Unmatched && len(v.Endpoints) < shownEndpoints {
			v.Endpoints = append(v.Endpoints, v.endpoint(ctx, u, usage, last))
		}
	}
	v.rules(ctx, u, d, known)
	if v.Embedded {
		if v.Incidents, err = listIncidents(ctx, u); err != nil {
			v.Incidents = nil
		}
		v.Incidents = v.Incidents[:min(len(v.Incidents), 10)]
	}
	if known {
		if v.Plan, err = plan(d); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	err = template.Must(template.New("report").Parse(pageText)).Execute(&out, v)
	return out.Bytes(), err
}

func readReport(u *url.URL, answer []byte) (*continuous.Report, error) {
	r, err := profiles.ReadReport(bytes.NewReader(answer))
	if err == nil && r.To.IsZero() {
		err = errors.New("the answer has no time range")
	}
	if err != nil {
		return nil, fmt.Errorf("%s is no service of Latido's, or of another version: %w", remote.Address(u), err)
	}
	return r, nil
}

// domainAt reads the domain file. It may be missing where nobody named one.
func domainAt(file string) (d domain.Domain, known bool, err error) {
	if _, err := os.Stat(cmp.Or(file, cli.DomainFile)); file == "" && errors.Is(err, fs.ErrNotExist) {
		return d, false, nil
	}
	d, err = domain.Load(cmp.Or(file, cli.DomainFile))
	return d, err == nil, err
}

// endpoint has the figures and the picture of one endpoint: of its CPU time, or
// of where it waits if it has used none.
func (v *htmlReport) endpoint(ctx context.Context, u *url.URL, usage profiles.Usage, last time.Duration) endpointPart {
	e := endpointPart{Usage: usage, Waits: usage.Waits.Places}
	for _, f := range v.Service.Endpoints {
		if f.Endpoint == usage.Name && f.Requests > 0 {
			e.Figures = append(e.Figures, f)
		}
	}
	query := url.Values{"endpoint": {usage.Name}, "last": {cmp.Or(last, v.Report.To.Sub(v.Report.From)+time.Minute).String()}}
	for _, kind := range []struct{ key, sample string }{{"cpu", "cpu"}, {"goroutines", "goroutine"}} {
		query.Set("type", kind.key)
		answer, err := remote.Ask(ctx, u, remote.Request{Path: "page/profile", Query: query})
		if err != nil {
			continue // nothing of that is kept
		}
		p, err := profile.ParseData(answer)
		if err != nil {
			continue
		}
		stacks.Learn(p)
		if f := profiles.FlameOf(p, kind.sample); f != nil {
			e.Flame = template.HTML(f.SVG(v.box)) //nolint:gosec // SVG escapes every text
			e.Waiting = kind.key == "goroutines"
			return e
		}
	}
	return e
}

// box says what a box of a flame graph is.
func (v *htmlReport) box(b profiles.FlameBox) string {
	return fmt.Sprintf("%s %s, %s", b.Function, b.Place, v.Percent(b.Share))
}

// rules are those that the service evaluates, with their states, or else those
// of the domain file.
func (v *htmlReport) rules(ctx context.Context, u *url.URL, d domain.Domain, known bool) {
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct {
					Name                string
					State               string
					Duration            float64
					Labels, Annotations map[string]string
				}
			}
		}
	}
	if err := remote.AskJSON(ctx, u, remote.Request{Path: "api/v1/rules", Query: url.Values{"type": {"alert"}}}, &answer); err == nil {
		v.Embedded = true
		for _, g := range answer.Data.Groups {
			for _, r := range g.Rules {
				v.Rules = append(v.Rules, alertRule{r.Name, r.Labels["severity"], r.Annotations["summary"], time.Duration(r.Duration * float64(time.Second)), r.State})
			}
		}
		order := []string{"firing", "pending", "inactive"}
		slices.SortStableFunc(v.Rules, func(a, b alertRule) int {
			return cmp.Compare(slices.Index(order, a.State), slices.Index(order, b.State))
		})
		return
	}
	if !known {
		return
	}
	for _, r := range alerting.Rules(d, alerting.Options{}) {
		if r.Alert != "" {
			v.Rules = append(v.Rules, alertRule{Name: r.Alert, Severity: string(r.Severity), Summary: r.Summary, For: r.For})
		}
	}
}

// plan is the runbook of the domain's own alerts, with the response plan.
func plan(d domain.Domain) (template.HTML, error) {
	d.DefaultRules.Disable = []string{"all"}
	markdown := goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	text := alerting.Runbook(d, alerting.Options{})
	if _, after, ok := bytes.Cut(text, []byte("\n# ")); ok { // the page has its own title
		_, text, _ = bytes.Cut(after, []byte("\n"))
	}
	var out bytes.Buffer
	if err := markdown.Convert(text, &out); err != nil {
		return "", err
	}
	return template.HTML(out.String()), nil //nolint:gosec // goldmark leaves out the HTML that a text has
}

// words writes texts and figures in one of the languages.
type words struct{ humanize.Language }

// Seconds writes a length of time; there may be none.
func (w words) Seconds(v *float64) string {
	if v == nil {
		return "–"
	}
	return w.Language.Seconds(*v)
}

// Number groups the digits of what is long: 70,196,700, or in Spanish 70.196.700.
func (w words) Number(v float64) string {
	text := w.Language.Number(v)
	sign := len(text) - len(strings.TrimPrefix(text, "-"))
	if strings.ContainsAny(text, ".,") || len(text)-sign < 5 {
		return text
	}
	for i := len(text) - 3; i > sign; i -= 3 {
		text = text[:i] + w.T(",", ".") + text[i:]
	}
	return text
}

// Clock writes a time.
func (w words) Clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }

// Place is a function's short name, with its file and line.
func (w words) Place(function, file string, line int64) string {
	return fmt.Sprintf("%s (%s:%d)", stacks.Short(function), file[strings.LastIndexByte(file, '/')+1:], line)
}

// Bottleneck says in a sentence what an endpoint's time goes to.
func (v htmlReport) Bottleneck(e endpointPart) string {
	var parts []string
	if len(e.CPU.Own) > 0 && e.CPUSamples >= 1 {
		f := e.CPU.Own[0]
		parts = append(parts, fmt.Sprintf(v.T("%s has %s of its CPU time", "%s se lleva el %s de su tiempo de CPU"), v.Place(f.Function, f.File, f.Line), v.Percent(f.Share)))
	}
	if len(e.Waits) > 0 {
		w := e.Waits[0]
		parts = append(parts, fmt.Sprintf(v.T("%s waits: %s, %s of what was seen", "%s espera: %s, el %s de lo que se vio"), v.Place(w.Function, w.File, w.Line), v.Wait(w.Reason), v.Percent(w.Share)))
	}
	if len(e.Allocations.Own) > 0 {
		f := e.Allocations.Own[0]
		parts = append(parts, fmt.Sprintf(v.T("%s allocates %s of its memory", "%s reserva el %s de su memoria"), v.Place(f.Function, f.File, f.Line), v.Percent(f.Share)))
	}
	if len(parts) == 0 {
		return v.T("Too little was seen to name a bottleneck.", "Se vio muy poco para nombrar un cuello de botella.")
	}
	return strings.Join(parts, "; ") + "."
}

// State is the word for a rule's state.
func (v htmlReport) State(state string) string {
	if !v.Spanish {
		return state
	}
	return map[string]string{"firing": "activa", "pending": "pendiente", "inactive": "en calma"}[state]
}

// Event is an event's name with its labels.
func (v htmlReport) Event(name string, labels map[string]string) string {
	var parts []string
	for key, value := range labels {
		parts = append(parts, key+"="+value)
	}
	slices.Sort(parts)
	return strings.TrimSpace(name + " " + strings.Join(parts, " "))
}
