package am

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	amconfig "github.com/prometheus/alertmanager/config"
	common "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/notifier"

	"github.com/latido-dev/latido/embedded/alert"
)

// maxForward is how many alerts wait for one server.
const maxForward = 1000

// forward hands alerts to an Alertmanager server with Prometheus' own notifier.
// As there, an alert that cannot be handed over is dropped: it comes again after
// a minute while it fires, and for a quarter of an hour once it is over.
type forward struct {
	*notifier.Manager
	*record
	base    context.Context // done when the server stops
	to      string          // the receiver whose alerts are handed over; "" for all
	target  string
	local   string // an address below which links are left out, where hides is set
	hides   bool
	resolve time.Duration
}

func newForward(base context.Context, address string, resolve time.Duration, d deliveries, log *slog.Logger) (*forward, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, errors.New("the URL of an Alertmanager server does not parse: write it as http://host:9093")
	}
	f := &forward{base: base, target: u.Host, resolve: resolve, record: &record{
		receiver: u.Scheme + "://" + u.Host, kind: "alertmanager", deliveries: d, secrets: newRedactor(map[string]string{"": address}, nil), log: log,
	}}
	f.Manager = notifier.NewManager(&notifier.Options{QueueCapacity: maxForward, Do: f.do}, model.UTF8Validation, discard)
	server := config.DefaultAlertmanagerConfig
	server.Scheme, server.PathPrefix, server.HTTPClientConfig.FollowRedirects = u.Scheme, u.Path, false
	if password, ok := u.User.Password(); ok {
		server.HTTPClientConfig.BasicAuth = &common.BasicAuth{Username: u.User.Username(), Password: common.Secret(password)}
	}
	return f, f.ApplyConfig(&config.Config{AlertingConfig: config.AlertingConfig{AlertmanagerConfigs: config.AlertmanagerConfigs{&server}}})
}

// start has run run the notifier, which ends with Stop.
func (f *forward) start(run func(func())) {
	targets := make(chan map[string][]*targetgroup.Group)
	run(func() { f.Run(targets) })
	targets <- map[string][]*targetgroup.Group{"config-0": {{Targets: []model.LabelSet{{model.AddressLabel: model.LabelValue(f.target)}}}}}
	targets <- nil // taken once the one before is in use
}

// do sends a request, and counts it.
func (f *forward) do(ctx context.Context, client *http.Client, r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.base, cancel)()
	answer, err := client.Do(r.WithContext(ctx))
	if err == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer))
		_ = answer.Body.Close()
		answer.Body = http.NoBody
	}
	switch {
	case f.base.Err() != nil:
	case err == nil && answer.StatusCode/100 == 2:
		_ = f.settle(outcomeSuccess, nil)
	case err == nil:
		_ = f.settle(outcomeFailed, errors.New("status "+answer.Status))
	case isTimeout(err):
		_ = f.settle(outcomeTimeout, err)
	default:
		_ = f.settle(outcomeFailed, err)
	}
	return answer, err
}

// put queues an alert. It does not wait.
func (f *forward) put(a alert.Alert) {
	c, err := convert(a, time.Now(), f.resolve)
	if err != nil { // the process's own Alertmanager refuses it too, and says so
		return
	}
	if f.hides {
		c = withoutLinks(c, f.local)
	}
	f.Send(&notifier.Alert{Labels: labelsOf(c.Labels), Annotations: labelsOf(c.Annotations), StartsAt: c.StartsAt, EndsAt: c.EndsAt, GeneratorURL: c.GeneratorURL})
}

func labelsOf(set model.LabelSet) labels.Labels {
	b := labels.NewScratchBuilder(len(set))
	for name, value := range set {
		b.Add(string(name), string(value))
	}
	b.Sort()
	return b.Labels()
}

// forwardReceiver is the name that the file has for the n-th server, "" if it
// has none.
func (l *loaded) forwardReceiver(n int) string {
	name := "alertmanager"
	if n > 0 {
		name += fmt.Sprintf("-%d", n+1)
	}
	if !slices.ContainsFunc(l.conf.Receivers, func(r amconfig.Receiver) bool { return r.Name == name }) {
		return ""
	}
	return name
}
