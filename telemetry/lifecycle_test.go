package telemetry

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.uber.org/goleak"

	"github.com/latido-dev/latido/continuous"
)

// everything is a Config with all parts on, against a server that takes all.
func everything(t *testing.T) Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	t.Cleanup(server.Close)
	domain := tienda()
	domain.Events[0].Endpoint = "/orders" // so that its cost is read
	return Config{
		Domain: domain, Logger: slog.New(&journal{}), Admin: AdminConfig{Address: "127.0.0.1:0"},
		OTLP:      OTLP{Endpoint: server.URL, MetricInterval: 20 * time.Millisecond},
		Profiling: continuous.Config{ServerAddress: server.URL, Interval: 100 * time.Millisecond},
	}
}

// otelGlobals are those that another library would find.
func otelGlobals() []any {
	return []any{otel.GetMeterProvider(), otel.GetTracerProvider(), otel.GetTextMapPropagator(), otel.GetErrorHandler()}
}

// TestInitFailsAtEachPart lets Init fail before the first part, after each of
// them, and half way in each of them: nothing is left, and Init works again.
func TestInitFailsAtEachPart(t *testing.T) {
	boom := errors.New("no more file descriptors")
	const parts = 9
	if n := len((&Telemetry{}).parts(environment{})); n != parts {
		t.Fatalf("%d parts, want %d: keep this test's number", n, parts)
	}
	for i := range parts + 1 {
		for name, fail := range map[string]func() error{"error": func() error { return boom }, "panic": func() error { panic(boom) }} {
			t.Run(strconv.Itoa(i)+" "+name, func(t *testing.T) {
				cfg := everything(t)
				before, goroutines := otelGlobals(), goleak.IgnoreCurrent()
				tel := newTelemetry(cfg)
				injected := part{name: "injected", start: func(context.Context) error { return fail() }}
				err := tel.run(t.Context(), slices.Insert(tel.parts(environment{metricInterval: time.Minute}), i, injected))
				if err == nil || !strings.Contains(err.Error(), boom.Error()) {
					t.Errorf("error %v, want what failed", err)
				}
				if !slices.Equal(otelGlobals(), before) {
					t.Error("OpenTelemetry's globals are not as they were")
				}
				if running.Load() != nil {
					t.Error("another Init would say that this one runs")
				}
				goleak.VerifyNone(t, goroutines)
				http.DefaultClient.CloseIdleConnections()
				again, err := Init(t.Context(), cfg)
				must(t, err)
				must(t, again.Shutdown(t.Context()))
			})
		}
	}
}

// TestInitFailsHalfWay has a View that makes OpenTelemetry refuse the Go
// runtime's instruments, with metrics that are to be sent: one part has begun
// when it fails.
func TestInitFailsHalfWay(t *testing.T) {
	goroutines := goleak.IgnoreCurrent()
	tel, err := Init(t.Context(), quiet(func(c *Config) {
		c.OTLP = OTLP{Endpoint: "http://" + nowhere(t), NoTraces: true}
		c.Views = []sdkmetric.View{func(sdkmetric.Instrument) (sdkmetric.Stream, bool) {
			return sdkmetric.Stream{Aggregation: sdkmetric.AggregationLastValue{}}, true
		}}
	}))
	if err == nil {
		t.Error("Init says nothing")
	}
	if tel.recording() {
		t.Error("what Init returns with an error records")
	}
	goleak.VerifyNone(t, goroutines)
}

// TestShutdownLeavesGlobals as they were before Init, and what somebody kept of
// them does no harm.
func TestShutdownLeavesGlobals(t *testing.T) {
	before := otelGlobals()
	tel, err := Init(t.Context(), everything(t))
	must(t, err)
	meter, tracer, propagator := otel.Meter("kept"), otel.Tracer("kept"), otel.GetTextMapPropagator()
	counter, err := meter.Int64Counter("kept")
	must(t, err)
	_, span := tracer.Start(t.Context(), "begun")
	must(t, tel.Shutdown(t.Context()))
	if !slices.Equal(otelGlobals(), before) {
		t.Error("OpenTelemetry's globals are not as they were")
	}
	counter.Add(t.Context(), 1)
	span.End()
	_, late := tracer.Start(t.Context(), "late")
	late.End()
	_, err = meter.Int64ObservableGauge("late", metric.WithInt64Callback(func(context.Context, metric.Int64Observer) error { return nil }))
	must(t, err)
	propagator.Inject(t.Context(), make(headerCarrier))
	otel.Handle(errors.New("late"))

	own := &sdkErrors{newDiagnostics(slog.New(&journal{}))}
	tel, err = Init(t.Context(), everything(t))
	must(t, err)
	otel.SetErrorHandler(own) // by another library, meanwhile
	must(t, tel.Shutdown(t.Context()))
	if otel.GetErrorHandler() != otel.ErrorHandler(own) {
		t.Error("Shutdown took away what another library set")
	}
	otel.SetErrorHandler(before[3].(otel.ErrorHandler))
}

type headerCarrier map[string]string

func (h headerCarrier) Get(key string) string { return h[key] }
func (h headerCarrier) Set(key, value string) { h[key] = value }
func (h headerCarrier) Keys() []string        { return nil }

// visit sends a request that Shutdown may answer or cut off.
func visit(url string) {
	if answer, err := http.Get(url); err == nil {
		_ = answer.Body.Close()
	}
}

// TestShutdownWithEachPartHanging: whatever hangs, Shutdown keeps to its
// context, and what it left behind ends when the hanging does.
func TestShutdownWithEachPartHanging(t *testing.T) {
	for name, hang := range map[string]func(t *testing.T, cfg *Config, release <-chan struct{}) (started func(*Telemetry)){
		"nothing": func(*testing.T, *Config, <-chan struct{}) func(*Telemetry) { return nil },
		"ten callbacks": func(t *testing.T, _ *Config, release <-chan struct{}) func(*Telemetry) {
			return func(tel *Telemetry) {
				for i := range 10 {
					_, err := tel.MeterProvider().Meter("library").Int64ObservableGauge("slow"+strconv.Itoa(i),
						metric.WithInt64Callback(func(context.Context, metric.Int64Observer) error { <-release; return nil }))
					must(t, err)
				}
			}
		},
		"a scrape": func(t *testing.T, _ *Config, release <-chan struct{}) func(*Telemetry) {
			return func(tel *Telemetry) {
				begun := make(chan struct{})
				for i := range 10 {
					_, err := tel.MeterProvider().Meter("library").Int64ObservableGauge("slow"+strconv.Itoa(i),
						metric.WithInt64Callback(func(context.Context, metric.Int64Observer) error {
							select {
							case begun <- struct{}{}:
							default:
							}
							<-release
							return nil
						}))
					must(t, err)
				}
				go visit(tel.Admin().URL() + "/metrics")
				<-begun
			}
		},
		"the host's figures": func(t *testing.T, _ *Config, release <-chan struct{}) func(*Telemetry) {
			return func(tel *Telemetry) {
				held := make(chan struct{})
				go func() { tel.host.mu.Lock(); close(held); <-release; tel.host.mu.Unlock() }()
				<-held
			}
		},
		"collector and Pyroscope": func(t *testing.T, cfg *Config, release <-chan struct{}) func(*Telemetry) {
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				select {
				case <-release:
				case <-r.Context().Done():
				}
			}))
			t.Cleanup(server.Close)
			cfg.OTLP.Endpoint, cfg.Profiling.ServerAddress = server.URL, server.URL
			return func(tel *Telemetry) {
				_, span := tel.TracerProvider().Tracer("t").Start(t.Context(), "pending")
				span.End()
			}
		},
		"an admin page": func(t *testing.T, _ *Config, release <-chan struct{}) func(*Telemetry) {
			return func(tel *Telemetry) {
				begun := make(chan struct{})
				tel.Admin().Handle("GET /slow", "", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(begun); <-release }))
				go visit(tel.Admin().URL() + "/slow")
				<-begun
			}
		},
		"a view": func(t *testing.T, cfg *Config, release <-chan struct{}) func(*Telemetry) {
			begun := make(chan struct{})
			cfg.Views = []sdkmetric.View{func(i sdkmetric.Instrument) (sdkmetric.Stream, bool) {
				if i.Name == "slow" {
					close(begun)
					<-release
				}
				return sdkmetric.Stream{}, false
			}}
			return func(tel *Telemetry) {
				go func() {
					defer func() { _ = recover() }() // begun is closed once
					_, _ = tel.MeterProvider().Meter("library").Int64Counter("slow")
				}()
				<-begun
			}
		},
	} {
		for allowance, timeout := range map[string]time.Duration{"done": 0, "a fifth of a second": 200 * time.Millisecond} {
			t.Run(name+" "+allowance, func(t *testing.T) {
				cfg := everything(t)
				cfg.KeepGlobals, cfg.OTLP.MetricInterval = true, time.Hour
				release := make(chan struct{})
				goOn := sync.OnceFunc(func() { close(release) })
				t.Cleanup(goOn)
				started := hang(t, &cfg, release)
				goroutines := goleak.IgnoreCurrent()
				tel, err := Init(t.Context(), cfg)
				must(t, err)
				if started != nil {
					started(tel)
				}
				ctx, cancel := context.WithTimeout(t.Context(), timeout)
				defer cancel()
				began := time.Now()
				err = tel.Shutdown(ctx)
				if took := time.Since(began); took > timeout+3*time.Second { // and what a busy machine takes
					t.Errorf("Shutdown took %v of %v", took, timeout)
				} else {
					t.Logf("Shutdown took %v of %v: %v", took.Round(time.Millisecond), timeout, err)
				}
				goOn()
				http.DefaultClient.CloseIdleConnections()
				eventually(t, "no goroutine is left", func() bool { return goleak.Find(goroutines) == nil })
			})
		}
	}
}

// TestShutdownAtOnce: a second Shutdown waits for the first as long as its own
// context allows.
func TestShutdownAtOnce(t *testing.T) {
	tel := newTelemetry(quiet())
	release, begun := make(chan struct{}), make(chan struct{})
	must(t, tel.run(t.Context(), append(tel.parts(environment{}), part{name: "slow", start: func(context.Context) error { return nil },
		stop: func(context.Context) error { close(begun); <-release; return nil }})))
	first := make(chan error)
	go func() { first <- tel.Shutdown(context.Background()) }()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tel.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the second Shutdown says %v, want that it did not wait", err)
	}
	close(release)
	must(t, <-first)
	must(t, tel.Shutdown(ctx))
}

// TestFlush: what happened arrives while the Telemetry runs on, for whoever
// asks, and a server that hangs holds nobody beyond the context.
func TestFlush(t *testing.T) {
	metrics, spans := startCollector(t), startSpanCollector(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/traces" {
			spans.Config.Handler.ServeHTTP(w, r)
			return
		}
		metrics.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	tel := start(t, func(c *Config) { c.OTLP = OTLP{Endpoint: server.URL, MetricInterval: time.Hour} })
	tel.Counter("pedidos_procesados").With("canal", "web").Add(3)
	_, span := tel.TracerProvider().Tracer("t").Start(t.Context(), "invocation")
	span.End()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { must(t, tel.Flush(t.Context())) })
	}
	wg.Wait()
	spans.mu.Lock()
	if len(spans.spans) != 1 {
		t.Errorf("%d spans arrived, want 1", len(spans.spans))
	}
	spans.mu.Unlock()
	metrics.mu.Lock()
	if metrics.last == nil || !strings.Contains(metrics.last.String(), "tienda.pedidos_procesados") {
		t.Error("the metrics did not arrive")
	}
	metrics.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tel.Flush(ctx); err == nil {
		t.Error("a Flush without time says that it sent all")
	}
	must(t, tel.Flush(nil)) //nolint:staticcheck // which people write
}

// TestLastPush: what is recorded after the last export is in the one that
// Shutdown makes.
func TestLastPush(t *testing.T) {
	t.Parallel()
	collector := startCollector(t)
	tel := start(t, func(c *Config) { c.OTLP = OTLP{Endpoint: collector.URL, MetricInterval: time.Hour, NoTraces: true} })
	must(t, tel.Flush(t.Context()))
	tel.Counter("pedidos_procesados").With("canal", "web").Add(7331)
	must(t, tel.Shutdown(t.Context()))
	collector.mu.Lock()
	defer collector.mu.Unlock()
	if !strings.Contains(collector.last.String(), "7331") {
		t.Error("what was recorded last did not arrive")
	}
}

// TestViewThatPanics costs its effect: Init and the instruments go on.
func TestViewThatPanics(t *testing.T) {
	t.Parallel()
	tel := start(t, func(c *Config) {
		c.Views = []sdkmetric.View{
			nil,
			func(i sdkmetric.Instrument) (sdkmetric.Stream, bool) { panic("no instrument " + i.Name) },
			func(i sdkmetric.Instrument) (sdkmetric.Stream, bool) {
				return sdkmetric.Stream{Name: "renamed"}, i.Name == "hits"
			},
		}
	})
	add(t, tel.MeterProvider().Meter("library"), "hits")
	scrape(t, tel).want(t, series{"tienda_renamed_total": 1})
	wantTold(t, journalOf(tel), "a view panicked")
}

// TestNilContext is context.Background() wherever it is given.
func TestNilContext(t *testing.T) {
	cfg := everything(t)
	goroutines := goleak.IgnoreCurrent()
	tel, err := Init(nil, cfg) //nolint:staticcheck // which people write
	must(t, err)
	//nolint:staticcheck // which people write
	{
		tel.Count("pedidos_procesados", "canal", "web")
		tel.Histogram("valor_pedido").With().Record(nil, 1)
		must(t, tel.Monitor("job", func(ctx context.Context) error { return ctx.Err() })(nil))
		continuous.Region(nil, "region", func(context.Context) {})
		slog.New(tel.LogHandler(slog.DiscardHandler)).InfoContext(nil, "done")
		must(t, tel.Flush(nil))
		must(t, tel.Shutdown(nil))
	}
	goleak.VerifyNone(t, goroutines)
}
