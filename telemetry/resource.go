package telemetry

import (
	"context"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// describe makes the resource of all signals. The name, the version and the
// revision that come out of it are the ones that everything of ours tells:
// /metrics, the profiles and the dashboard too.
func (t *Telemetry) describe(ctx context.Context, env environment) {
	var err error
	t.resource, err = newResource(ctx, t.cfg, t.build, env.attributes)
	if err != nil {
		t.diagnostics.log.Warn("a part of the resource cannot be found out", "error", cleanValue(err.Error()))
	}
	t.cfg.Domain.App = t.attribute(semconv.ServiceNameKey)
	t.build.version, t.build.revision = t.attribute(semconv.ServiceVersionKey), t.attribute(semconv.VCSRefHeadRevisionKey)
}

// attribute is the text of one of the resource, as a label can have it.
func (t *Telemetry) attribute(key attribute.Key) string {
	value, _ := t.resource.Set().Value(key)
	return cleanValue(value.String())
}

// environmentAttributes are those of OTEL_RESOURCE_ATTRIBUTES, and the name of
// OTEL_SERVICE_NAME, which wins. An empty value counts as not set: it is what
// `service.version=$VERSION` is where nobody set VERSION.
func environmentAttributes(r variables) []attribute.KeyValue {
	var all []attribute.KeyValue
	bad := 0
	text := r.text("OTEL_RESOURCE_ATTRIBUTES")
	for pair := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(pair, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		decoded, err := url.PathUnescape(value)
		if err != nil {
			decoded = value
		}
		if text != "" && (!ok || key == "" || err != nil) {
			bad++
		}
		if ok && key != "" && decoded != "" {
			all = append(all, attribute.String(key, decoded))
		}
	}
	if bad > 0 {
		r.warn("OTEL_RESOURCE_ATTRIBUTES is not all key=value pairs, separated by commas, with other characters as in a URL: the rest is used",
			"wrong", bad, "used", len(all))
	}
	if name := r.text("OTEL_SERVICE_NAME"); name != "" {
		all = append(all, semconv.ServiceName(name))
	}
	return all
}
