package am

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/alertmanager/template"
	common "github.com/prometheus/common/config"
)

// idempotencyKey is the header by which a webhook can tell that it has seen a
// message: a message that is sent again since its answer was lost has the same.
const idempotencyKey = "Idempotency-Key"

// webhooks is Alertmanager's webhook, built anew for each message: the headers
// of a request are part of its configuration.
type webhooks struct {
	conf *webhook.WebhookConfig
	tmpl *template.Template
	log  *slog.Logger
}

// Notify implements notify.Notifier.
func (w *webhooks) Notify(ctx context.Context, alerts ...*amalert.Alert) (bool, error) {
	conf, http := *w.conf, common.DefaultHTTPClientConfig
	if conf.HTTPConfig != nil {
		http = *conf.HTTPConfig
	}
	headers := common.Headers{Headers: map[string]common.Header{}}
	if http.HTTPHeaders != nil {
		maps.Copy(headers.Headers, http.HTTPHeaders.Headers)
	}
	if _, own := headers.Headers[idempotencyKey]; !own {
		headers.Headers[idempotencyKey] = common.Header{Values: []string{messageKey(ctx, alerts)}}
	}
	http.HTTPHeaders = &headers
	conf.HTTPConfig = &http
	n, err := webhook.New(&conf, w.tmpl, w.log, httpOptions()...)
	if err != nil {
		return false, err
	}
	return n.Notify(ctx, alerts...)
}

// messageKey is the same for two messages if they say the same of the same
// alerts and none was delivered between them.
func messageKey(ctx context.Context, alerts []*amalert.Alert) string {
	h := sha256.New()
	group, _ := notify.GroupKey(ctx)
	receiver, _ := notify.ReceiverName(ctx)
	n, _ := ctx.Value(newsKey{}).(news)
	fmt.Fprintf(h, "%q %q %d\n", group, receiver, n.since.UnixNano())
	for _, a := range alerts {
		fmt.Fprintf(h, "%s %d %t\n", a.Fingerprint(), a.StartsAt.UnixNano(), a.Resolved())
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
