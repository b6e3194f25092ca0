package telemetry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/continuous"
)

// certificate writes one, and its key, to files.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shop"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	private, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	certFile, keyFile = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	must(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}), 0o600))
	return certFile, keyFile
}

// read reads the environment with some variables set.
func read(t *testing.T, set map[string]string, code OTLP) (environment, *journal) {
	t.Helper()
	for name, value := range set {
		t.Setenv(name, value)
	}
	log := &journal{}
	return readEnvironment(slog.New(log), code), log
}

// effect shows that a variable is obeyed.
type effect struct {
	value string
	also  map[string]string // other variables that it takes
	of    func(environment) bool
}

// effects has one for each variable that is obeyed. %s is the signal.
func effects(t *testing.T) map[string]effect {
	t.Helper()
	cert, key := certificate(t)
	attributes := func(want string) func(environment) bool {
		return func(e environment) bool {
			return len(e.attributes) == 1 && string(e.attributes[0].Key)+"="+e.attributes[0].Value.AsString() == want
		}
	}
	all := map[string]effect{
		"OTEL_SDK_DISABLED":        {"TRUE", nil, func(e environment) bool { return e.disabled }},
		"OTEL_RESOURCE_ATTRIBUTES": {"team=a%2Cb", nil, attributes("team=a,b")},
		"OTEL_SERVICE_NAME":        {"checkout", nil, attributes("service.name=checkout")},
		"OTEL_LOG_LEVEL":           {"debug", nil, func(e environment) bool { return e.sdkLevel == slog.LevelDebug }},
		"OTEL_PROPAGATORS":         {" Baggage ", nil, func(e environment) bool { return e.noTraceContext && !e.noBaggage }},

		"OTEL_BSP_SCHEDULE_DELAY":        {"7", nil, func(e environment) bool { return e.batch.delay == 7*time.Millisecond }},
		"OTEL_BSP_EXPORT_TIMEOUT":        {"0", nil, func(e environment) bool { return e.batch.timeout == time.Hour }},
		"OTEL_BSP_MAX_QUEUE_SIZE":        {"100", nil, func(e environment) bool { return e.batch.queue == 100 && e.batch.size == 100 }},
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": {"7", nil, func(e environment) bool { return e.batch.size == 7 }},

		"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT":      {"7", nil, func(e environment) bool { return e.limits.AttributeValueLengthLimit == 7 }},
		"OTEL_ATTRIBUTE_COUNT_LIMIT":             {"7", nil, func(e environment) bool { return e.limits.AttributeCountLimit == 7 }},
		"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": {"7", map[string]string{"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "9"}, func(e environment) bool { return e.limits.AttributeValueLengthLimit == 7 }},
		"OTEL_SPAN_ATTRIBUTE_VALUE_DEPTH_LIMIT":  {"7", nil, func(e environment) bool { return e.limits.AttributeValueDepthLimit == 7 }},
		"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT":        {"0", nil, func(e environment) bool { return e.limits.AttributeCountLimit == 0 }},
		"OTEL_SPAN_EVENT_COUNT_LIMIT":            {"7", nil, func(e environment) bool { return e.limits.EventCountLimit == 7 }},
		"OTEL_SPAN_LINK_COUNT_LIMIT":             {"7", nil, func(e environment) bool { return e.limits.LinkCountLimit == 7 }},
		"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT":       {"7", nil, func(e environment) bool { return e.limits.AttributePerEventCountLimit == 7 }},
		"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT":        {"7", nil, func(e environment) bool { return e.limits.AttributePerLinkCountLimit == 7 }},

		"OTEL_METRIC_EXPORT_INTERVAL":  {"1500", nil, func(e environment) bool { return e.metricInterval == 1500*time.Millisecond }},
		"OTEL_METRIC_EXPORT_TIMEOUT":   {"1500", nil, func(e environment) bool { return e.metricTimeout == 1500*time.Millisecond }},
		"OTEL_METRICS_EXEMPLAR_FILTER": {"always_off", nil, func(e environment) bool { return e.noExemplars }},

		"OTEL_EXPORTER_PROMETHEUS_HOST": {"[::1]", nil, func(e environment) bool { return e.adminAddress == "[::1]:9464" }},
		"OTEL_EXPORTER_PROMETHEUS_PORT": {"9000", nil, func(e environment) bool { return e.adminAddress == "127.0.0.1:9000" }},
	}
	signals := map[string]func(environment) []signal{
		"":         func(e environment) []signal { return []signal{e.metrics, e.traces} },
		"METRICS_": func(e environment) []signal { return []signal{e.metrics} },
		"TRACES_":  func(e environment) []signal { return []signal{e.traces} },
	}
	for name, of := range signals {
		each := func(is func(signal) bool) func(environment) bool {
			return func(e environment) bool {
				for _, s := range of(e) {
					if !is(s) {
						return false
					}
				}
				return name == "" || (e.metrics.url == "") != (e.traces.url == "") || is(e.metrics) != is(e.traces)
			}
		}
		secure := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c:4318"}
		with := func(more map[string]string) map[string]string {
			all := map[string]string{}
			for _, m := range []map[string]string{secure, more} {
				for k, v := range m {
					all[k] = v
				}
			}
			return all
		}
		prefix := "OTEL_EXPORTER_OTLP_" + name
		all[prefix+"ENDPOINT"] = effect{"http://user:pw@c:4318/base", nil, each(func(s signal) bool {
			return strings.HasPrefix(s.url, "http://c:4318/base") && (name == "") == strings.Contains(s.url, "/v1/") && s.headers["Authorization"] == "Basic dXNlcjpwdw=="
		})}
		all[prefix+"HEADERS"] = effect{"x-tenant=a%20b", secure, each(func(s signal) bool { return s.headers["X-Tenant"] == "a b" })}
		all[prefix+"TIMEOUT"] = effect{"1500", secure, each(func(s signal) bool { return s.timeout == 1500*time.Millisecond })}
		all[prefix+"COMPRESSION"] = effect{"GZIP", secure, each(func(s signal) bool { return s.gzip })}
		all[prefix+"CERTIFICATE"] = effect{cert, secure, each(func(s signal) bool { return s.tls != nil && s.tls.RootCAs != nil })}
		client := func(s signal) bool { return s.tls != nil && len(s.tls.Certificates) == 1 }
		all[prefix+"CLIENT_CERTIFICATE"] = effect{cert, with(map[string]string{prefix + "CLIENT_KEY": key}), each(client)}
		all[prefix+"CLIENT_KEY"] = effect{key, with(map[string]string{prefix + "CLIENT_CERTIFICATE": cert}), each(client)}
		all[prefix+"PROTOCOL"] = effect{"HTTP/protobuf", secure, func(e environment) bool { return e.metrics.url != "" && e.traces.url != "" }}
		all[prefix+"INSECURE"] = effect{"true", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, func(e environment) bool { return strings.HasPrefix(e.metrics.url, "http:") }}
	}
	endpoint := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}
	all["OTEL_TRACES_EXPORTER"] = effect{"none", endpoint, func(e environment) bool { return e.traces.url == "" && e.metrics.url != "" }}
	all["OTEL_METRICS_EXPORTER"] = effect{"prometheus", endpoint, func(e environment) bool { return e.traces.url != "" && e.metrics.url == "" }}
	return all
}

// elsewhere are the variables whose effect other tests show: TestSampledSpans, and
// those of package continuous.
var elsewhere = []string{"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "LATIDO_USER", "LATIDO_PASSWORD", "LATIDO_ALERTS", "PYROSCOPE_SERVER_ADDRESS", "PYROSCOPE_BASIC_AUTH_USER", "PYROSCOPE_BASIC_AUTH_PASSWORD", "PYROSCOPE_TENANT_ID"}

// TestVariables walks all of them: what is obeyed has its effect and no
// warning, and what is not is told once.
func TestVariables(t *testing.T) {
	shown := effects(t)
	for _, name := range elsewhere {
		shown[name] = effect{"", nil, func(environment) bool { return true }}
	}
	for _, v := range knownVariables {
		t.Run(v.name, func(t *testing.T) {
			e, ok := shown[v.name]
			delete(shown, v.name)
			if v.support == notObeyed {
				_, log := read(t, map[string]string{v.name: "secret"}, OTLP{})
				wantTold(t, log, v.name+" has no effect: ")
				if len(log.told("secret")) > 0 {
					t.Errorf("the value is logged: %q", log.told(""))
				}
				if len(v.same) > 0 {
					if _, log := read(t, map[string]string{v.name: v.same[0]}, OTLP{}); len(log.told("")) > 0 {
						t.Errorf("%s is what is done anyway: %q", v.same[0], log.told(""))
					}
				}
				return
			}
			if !ok {
				t.Fatal("it is said to be obeyed, and nothing shows it")
			}
			if before, _ := read(t, e.also, OTLP{}); e.value != "" && e.of(before) && v.support == obeyed {
				t.Error("its effect is there without it")
			}
			all := map[string]string{v.name: e.value}
			maps.Copy(all, e.also)
			env, log := read(t, all, OTLP{})
			if !e.of(env) {
				t.Errorf("no effect: %+v", env)
			}
			if len(log.told("")) > 0 {
				t.Errorf("told %q", log.told(""))
			}
		})
	}
	for name := range shown {
		t.Errorf("%s has an effect and is not among the known variables", name)
	}
}

// TestVariablesAreDocumented holds docs/environment.md against the code, both
// ways, and the code against the list.
func TestVariablesAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/environment.md")
	must(t, err)
	rows := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| (yes|partly|no) \\| (.+) \\|$").FindAllStringSubmatch(string(page), -1) {
		if rows[row[1]] != "" {
			t.Errorf("%s is there twice", row[1])
		}
		rows[row[1]] = row[2] + " " + row[3]
	}
	known := map[string]bool{}
	for _, v := range knownVariables {
		known[v.name] = true
		if got := rows[v.name]; !strings.HasPrefix(got, string(v.support)+" ") || v.instead != "" && got != "no "+v.instead {
			t.Errorf("docs/environment.md says of %s %q, want\n| `%s` | %s | %s |", v.name, got, v.name, v.support, v.instead)
		}
		delete(rows, v.name)
	}
	for name := range rows {
		t.Errorf("docs/environment.md has %s, which the code does not know", name)
	}
	for _, pattern := range []string{"*.go", "../continuous/*.go"} {
		files, err := filepath.Glob(pattern)
		must(t, err)
		for _, file := range files {
			source, err := os.ReadFile(file)
			must(t, err)
			for _, name := range regexp.MustCompile(`"((?:OTEL|PYROSCOPE)_[A-Z_]*[A-Z])"`).FindAllStringSubmatch(string(source), -1) {
				if !strings.HasSuffix(file, "_test.go") && !known[name[1]] {
					t.Errorf("%s reads %s, which is not among the known variables", file, name[1])
				}
			}
		}
	}
}

// TestVariablesThatMakeNoSense: each is told once, by name, and counts as not
// set, whatever the SDK would do with it.
func TestVariablesThatMakeNoSense(t *testing.T) {
	endpoint := "http://c:4318"
	set := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	sends := func(metrics, traces bool) func(environment) bool {
		return func(e environment) bool { return (e.metrics.url != "") == metrics && (e.traces.url != "") == traces }
	}
	address := func(want string) func(environment) bool {
		return func(e environment) bool { return e.adminAddress == want }
	}
	for name, c := range map[string]struct {
		set  map[string]string
		of   func(environment) bool
		told string
	}{
		"disabled by 1":              {set("OTEL_SDK_DISABLED", "1"), func(e environment) bool { return !e.disabled }, "OTEL_SDK_DISABLED"},
		"disabled by yes":            {set("OTEL_SDK_DISABLED", "yes"), func(e environment) bool { return !e.disabled }, "OTEL_SDK_DISABLED"},
		"interval with unit":         {set("OTEL_METRIC_EXPORT_INTERVAL", "10s"), func(e environment) bool { return e.metricInterval == time.Minute }, "OTEL_METRIC_EXPORT_INTERVAL"},
		"interval too long":          {set("OTEL_METRIC_EXPORT_INTERVAL", "9223372036854775807"), func(e environment) bool { return e.metricInterval == time.Minute }, "OTEL_METRIC_EXPORT_INTERVAL"},
		"interval below 0":           {set("OTEL_METRIC_EXPORT_INTERVAL", "-1"), func(e environment) bool { return e.metricInterval == time.Minute }, "OTEL_METRIC_EXPORT_INTERVAL"},
		"timeout with unit":          {set("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), func(e environment) bool { return e.traces.timeout == 10*time.Second }, "OTEL_EXPORTER_OTLP_TIMEOUT"},
		"queue that would panic":     {set("OTEL_BSP_MAX_QUEUE_SIZE", "-1"), func(e environment) bool { return e.batch.queue == 2048 }, "OTEL_BSP_MAX_QUEUE_SIZE"},
		"queue of all memory":        {set("OTEL_BSP_MAX_QUEUE_SIZE", "2000000000"), func(e environment) bool { return e.batch.queue == 2048 }, "OTEL_BSP_MAX_QUEUE_SIZE"},
		"batch beyond the queue":     {set("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"), func(e environment) bool { return e.batch.size == 512 }, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"},
		"limit below 0":              {set("OTEL_SPAN_EVENT_COUNT_LIMIT", "-1"), func(e environment) bool { return e.limits.EventCountLimit == 128 }, "OTEL_SPAN_EVENT_COUNT_LIMIT"},
		"log level":                  {set("OTEL_LOG_LEVEL", "verbose"), func(e environment) bool { return e.sdkLevel == slog.LevelWarn }, "OTEL_LOG_LEVEL"},
		"exemplar filter":            {set("OTEL_METRICS_EXEMPLAR_FILTER", "never"), func(e environment) bool { return !e.noExemplars }, "OTEL_METRICS_EXEMPLAR_FILTER"},
		"propagators, none known":    {set("OTEL_PROPAGATORS", "b3"), func(e environment) bool { return !e.noTraceContext && !e.noBaggage }, "OTEL_PROPAGATORS"},
		"propagators, some known":    {set("OTEL_PROPAGATORS", "b3multi,tracecontext,tracecontext"), func(e environment) bool { return !e.noTraceContext && e.noBaggage }, "OTEL_PROPAGATORS"},
		"attributes with a comma":    {set("OTEL_RESOURCE_ATTRIBUTES", "a=b,"), func(e environment) bool { return len(e.attributes) == 1 }, "OTEL_RESOURCE_ATTRIBUTES"},
		"attributes without a value": {set("OTEL_RESOURCE_ATTRIBUTES", "a,b=%zz,=c,d="), func(e environment) bool { return len(e.attributes) == 1 }, "OTEL_RESOURCE_ATTRIBUTES"},
		"host with brackets":         {set("OTEL_EXPORTER_PROMETHEUS_HOST", "::1"), address("[::1]:9464"), ""},
		"host that is a name":        {set("OTEL_EXPORTER_PROMETHEUS_HOST", "localhost"), address("127.0.0.1:9464"), ""},
		"host with port":             {set("OTEL_EXPORTER_PROMETHEUS_HOST", "0.0.0.0:9464"), address("127.0.0.1:9464"), "OTEL_EXPORTER_PROMETHEUS_HOST"},
		"host that is a URL":         {set("OTEL_EXPORTER_PROMETHEUS_HOST", "http://0.0.0.0"), address("127.0.0.1:9464"), "OTEL_EXPORTER_PROMETHEUS_HOST"},
		"port that is a name":        {set("OTEL_EXPORTER_PROMETHEUS_PORT", "http"), address("127.0.0.1:9464"), "OTEL_EXPORTER_PROMETHEUS_PORT"},
		"port too high":              {set("OTEL_EXPORTER_PROMETHEUS_PORT", "94640"), address("127.0.0.1:9464"), "OTEL_EXPORTER_PROMETHEUS_PORT"},
		"two exporters":              {set("OTEL_METRICS_EXPORTER", "otlp,prometheus", "OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), sends(true, true), ""},
		"exporter in capitals":       {set("OTEL_METRICS_EXPORTER", "OTLP", "OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), sends(true, true), ""},
		"exporter with a space":      {set("OTEL_TRACES_EXPORTER", " otlp", "OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), sends(true, true), ""},
		"exporter console":           {set("OTEL_TRACES_EXPORTER", "console", "OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), sends(true, false), "OTEL_TRACES_EXPORTER"},
		"exporter of two, one known": {set("OTEL_TRACES_EXPORTER", "console,otlp", "OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), sends(true, true), "OTEL_TRACES_EXPORTER"},
		"exporter without endpoint":  {set("OTEL_TRACES_EXPORTER", "otlp"), sends(false, false), "OTEL_TRACES_EXPORTER"},
		"spans to Prometheus":        {set("OTEL_TRACES_EXPORTER", "prometheus", "OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), sends(true, false), "OTEL_TRACES_EXPORTER"},
		"grpc":                       {set("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317"), sends(false, false), "http/protobuf"},
		"grpc of traces":             {set("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), sends(true, false), "http/protobuf"},
		"json":                       {set("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), sends(true, true), "http/protobuf is used"},
		"socket":                     {set("OTEL_EXPORTER_OTLP_ENDPOINT", "unix:///x.sock"), sends(false, false), "write one such as http://localhost:4318"},
		"compression":                {set("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), func(e environment) bool { return !e.traces.gzip }, "OTEL_EXPORTER_OTLP_COMPRESSION"},
		"headers":                    {set("OTEL_EXPORTER_OTLP_HEADERS", "secret,a=b", "OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), func(e environment) bool { return e.traces.headers["A"] == "b" }, "OTEL_EXPORTER_OTLP_HEADERS"},
		"certificate for http":       {set("OTEL_EXPORTER_OTLP_CERTIFICATE", "/none.pem", "OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), func(e environment) bool { return e.traces.tls == nil }, "not https"},
		"certificate that is none":   {set("OTEL_EXPORTER_OTLP_CERTIFICATE", "environment_test.go", "OTEL_EXPORTER_OTLP_ENDPOINT", "https://c"), func(e environment) bool { return e.traces.tls.RootCAs == nil }, "OTEL_EXPORTER_OTLP_CERTIFICATE"},
		"certificate without key":    {set("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "x.pem", "OTEL_EXPORTER_OTLP_ENDPOINT", "https://c"), func(e environment) bool { return len(e.traces.tls.Certificates) == 0 }, "OTEL_EXPORTER_OTLP_CLIENT_KEY"},
		"insecure with https":        {set("OTEL_EXPORTER_OTLP_INSECURE", "true", "OTEL_EXPORTER_OTLP_ENDPOINT", "https://c"), func(e environment) bool { return strings.HasPrefix(e.traces.url, "https:") }, "OTEL_EXPORTER_OTLP_INSECURE"},
		"a typing mistake":           {set("OTEL_EXPORTER_OTLP_ENDPIONT", endpoint), sends(false, false), "nearest=OTEL_EXPORTER_OTLP_ENDPOINT"},
		"a variable of tomorrow":     {set("OTEL_WHATEVER_COMES_NEXT", "1"), sends(false, false), "OTEL_WHATEVER_COMES_NEXT is not known"},
		"empty":                      {set("OTEL_EXPORTER_OTLP_ENDPOINT", " ", "OTEL_LOG_LEVEL", "", "OTEL_CONFIG_FILE", ""), sends(false, false), ""},
	} {
		t.Run(name, func(t *testing.T) {
			e, log := read(t, c.set, OTLP{})
			if !c.of(e) {
				t.Errorf("%+v", e)
			}
			switch {
			case c.told == "" && len(log.told("")) > 0:
				t.Errorf("told %q", log.told(""))
			case c.told != "" && (len(log.told("")) != 1 || len(log.told(c.told)) != 1):
				t.Errorf("told %q, want once %q", log.told(""), c.told)
			}
			if len(log.told("secret")) > 0 {
				t.Errorf("a secret is told: %q", log.told(""))
			}
			for name, value := range c.set { // and Init goes on with it
				t.Setenv(name, value)
			}
			tel, err := Init(t.Context(), quiet(func(cfg *Config) { cfg.Profiling = continuous.Config{Disabled: true} }))
			must(t, err)
			_ = tel.Shutdown(t.Context()) // nobody listens
		})
	}
}

// TestCodeWins over the environment: in where to send, in what, and how often.
// Whether to send at all, who runs the service may say.
func TestCodeWins(t *testing.T) {
	set := map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": "http://environment:4318", "OTEL_EXPORTER_OTLP_HEADERS": "x=environment",
		"OTEL_METRIC_EXPORT_INTERVAL": "1000", "OTEL_TRACES_EXPORTER": "none",
	}
	e, log := read(t, set, OTLP{Endpoint: "http://code:4318/", Headers: map[string]string{"x": "code"}, MetricInterval: time.Hour})
	if e.metrics.url != "http://code:4318/v1/metrics" || e.metrics.headers["x"] != "code" || e.metricInterval != time.Hour || e.traces.url != "" {
		t.Errorf("%+v", e)
	}
	if len(log.told("")) > 0 {
		t.Errorf("told %q", log.told(""))
	}
	if e, _ := read(t, set, OTLP{MetricInterval: -1, NoTraces: true}); e.metrics.url != "" || e.traces.url != "" {
		t.Errorf("%+v", e)
	}
}

// TestNumbersAtTheirEdges: both bounds of a number are taken, and nothing beyond.
func TestNumbersAtTheirEdges(t *testing.T) {
	const name = "OTEL_BSP_MAX_QUEUE_SIZE"
	r := variables{log: slog.New(slog.DiscardHandler), said: map[string]bool{}}
	for value, want := range map[string]int{"": 7, "2": 7, "3": 3, "9": 9, "10": 7, "-3": 7, "3.5": 7, " 4 ": 4} {
		t.Setenv(name, value)
		if got := r.number(name, 7, 3, 9); got != want {
			t.Errorf("%q is %d, want %d", value, got, want)
		}
	}
	for value, want := range map[string]time.Duration{"": time.Hour, "2": time.Hour, "3": 3 * time.Millisecond, "2147483647": 2147483647 * time.Millisecond, "2147483648": time.Hour} {
		t.Setenv(name, value)
		if got := r.milliseconds(name, time.Hour, 3); got != want {
			t.Errorf("%q is %v, want %v", value, got, want)
		}
	}
}
