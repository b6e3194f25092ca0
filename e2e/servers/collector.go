package servers

import (
	"encoding/json"
	"os/exec"
	"testing"
)

// CollectorConfig says what an OpenTelemetry Collector does.
type CollectorConfig struct {
	// Files are the paths of configuration files; a later one adds to those
	// before and wins over them.
	Files []string

	// Extra is a configuration that wins over the files, with whatever
	// encoding/json can write: the exporters' endpoints, for example.
	Extra map[string]any

	// Env is added to the environment of the test, as in "NAME=value".
	Env []string
}

// Collector is a running OpenTelemetry Collector. It has what the manifest
// beside its module lists. Its URL is that of the health check.
type Collector struct {
	*Running
}

// StartCollector starts an OpenTelemetry Collector and waits until it is ready.
//
// The configuration has to use the extension "health_check", which tells when
// that is, and the receiver "otlp". Whatever addresses it gives them, and the
// Collector's own metrics, they get free ones.
func StartCollector(t testing.TB, cfg CollectorConfig) *Collector {
	t.Helper()
	binary := Path(t, "collector")
	return &Collector{Run(t, Process{
		Name:  "collector",
		Ports: 4,
		Ready: "/",
		Command: func(addrs []string) *exec.Cmd {
			type object = map[string]any
			cmd := exec.Command(binary)
			for _, file := range cfg.Files {
				cmd.Args = append(cmd.Args, "--config=file:"+file)
			}
			for _, config := range []object{cfg.Extra, {
				"extensions": object{"health_check": object{"endpoint": addrs[0]}},
				"receivers": object{"otlp": object{"protocols": object{
					"http": object{"endpoint": addrs[1]},
					"grpc": object{"endpoint": addrs[2]},
				}}},
				"service": object{"telemetry": object{"metrics": object{"readers": []object{
					{"pull": object{"exporter": object{"prometheus": object{"host": "127.0.0.1", "port": json.Number(port(addrs[3]))}}}},
				}}}},
			}} {
				if config == nil {
					continue
				}
				text, err := json.Marshal(config)
				if err != nil {
					t.Fatalf("collector configuration: %v", err)
				}
				cmd.Args = append(cmd.Args, "--config=yaml:"+string(text))
			}
			cmd.Env = append(cmd.Environ(), cfg.Env...)
			return cmd
		},
	})}
}

// OTLP returns the base URL that takes OTLP over HTTP, for an exporter that
// adds /v1/metrics and the like to it.
func (c *Collector) OTLP() string { return "http://" + c.Addr(1) }

// MetricsAddr returns the address, host and port, of the metrics of the
// Collector itself, such as what it refused.
func (c *Collector) MetricsAddr() string { return c.Addr(3) }
