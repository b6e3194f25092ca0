package e2e

import (
	"cmp"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"sigs.k8s.io/yaml"

	"github.com/latido-dev/latido/e2e/servers"
)

// TestStackFiles has each server's own tool read what the Compose file starts
// it on.
func TestStackFiles(t *testing.T) {
	t.Parallel()
	deploy := filepath.Join(repository, "deploy")
	for _, file := range []string{"prometheus.yaml", "longterm.yaml", "small.yaml"} {
		if out, err := servers.Promtool(t, "", "check", "config", filepath.Join(deploy, "prometheus", file)); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	config := filepath.Join(deploy, "otel-collector.yaml")
	if out, err := exec.Command(servers.Path(t, "collector"), "validate", "--config="+config).CombinedOutput(); err != nil {
		t.Errorf("collector: %v\n%s", err, out)
	}
}

// TestTempoFile reads Tempo's file as its documentation has it
// (https://grafana.com/docs/tempo/v2.10.x/configuration/): Tempo itself does not
// run here. Where spans go to is where it listens, and what it writes is in its
// volume.
func TestTempoFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(repository, "deploy/tempo/tempo.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	type endpoint struct {
		Endpoint string `json:"endpoint"`
	}
	var file struct {
		Server struct {
			Port int `json:"http_listen_port"`
		} `json:"server"`
		Distributor struct {
			Receivers struct {
				OTLP struct {
					Protocols struct {
						GRPC endpoint `json:"grpc"`
						HTTP endpoint `json:"http"`
					} `json:"protocols"`
				} `json:"otlp"`
			} `json:"receivers"`
		} `json:"distributor"`
		Storage struct {
			Trace struct {
				Backend string `json:"backend"`
				WAL     struct {
					Path string `json:"path"`
				} `json:"wal"`
				Local struct {
					Path string `json:"path"`
				} `json:"local"`
			} `json:"trace"`
		} `json:"storage"`
		Compactor struct {
			Compaction struct {
				Retention string `json:"block_retention"`
			} `json:"compaction"`
		} `json:"compactor"`
		UsageReport struct {
			Enabled bool `json:"reporting_enabled"`
		} `json:"usage_report"`
	}
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		t.Fatal(err)
	}
	project, err := loadCompose(passwords, "*")
	if err != nil {
		t.Fatal(err)
	}
	volume := project.Services["tempo"].Volumes[1].Target
	for _, path := range []string{file.Storage.Trace.WAL.Path, file.Storage.Trace.Local.Path} {
		if !strings.HasPrefix(path, volume+"/") {
			t.Errorf("%s is not in the volume %s", path, volume)
		}
	}
	collector, err := os.ReadFile(collectorFile)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(file.Distributor.Receivers.OTLP.Protocols.HTTP.Endpoint, ":")
	if !strings.Contains(string(collector), "http://tempo:"+port+"}") {
		t.Errorf("the Collector sends no spans to the port %s of Tempo", port)
	}
	if file.Storage.Trace.Backend != "local" || file.UsageReport.Enabled || file.Compactor.Compaction.Retention == "" {
		t.Errorf("%+v", file)
	}
}

// provisioned is a file of Grafana's data sources, as far as one leads to
// another (https://grafana.com/docs/grafana/latest/administration/provisioning/).
type provisioned struct {
	APIVersion  int  `json:"apiVersion"`
	Prune       bool `json:"prune"`
	Datasources []struct {
		Name, UID, Type, Access, URL string
		IsDefault, Editable          bool
		JSONData                     struct {
			HTTPMethod                  string
			PrometheusType              string
			TimeInterval                string
			MinStep                     string
			Implementation              string
			ExemplarTraceIDDestinations []struct{ Name, DatasourceUID, URLDisplayLabel string }
			NodeGraph                   struct{ Enabled bool }
			TracesToProfiles            struct {
				DatasourceUID, ProfileTypeID string
				Tags                         []struct{ Key, Value string }
			}
			TracesToMetrics struct {
				DatasourceUID                        string
				SpanStartTimeShift, SpanEndTimeShift string
				Tags                                 []struct{ Key, Value string }
				Queries                              []struct{ Name, Query string }
			}
		}
	}
}

// TestGrafanaDatasources follows every name in the data sources: each address
// is a service of the Compose file, each link leads to a source that is there.
func TestGrafanaDatasources(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(repository, "deploy/grafana/provisioning/datasources/datasources.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file provisioned
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		t.Fatal(err)
	}
	project, err := loadCompose(passwords, "*")
	if err != nil {
		t.Fatal(err)
	}
	leads := func(name, address, service string, project *types.Project) {
		t.Helper()
		u, err := url.Parse(os.Expand(address, func(variable string) string {
			return *cmp.Or(project.Services["grafana"].Environment[variable], new(string))
		}))
		if err != nil {
			t.Fatal(err)
		}
		published := ""
		for _, p := range project.Services[u.Hostname()].Ports {
			published += p.Published
		}
		if published != u.Port() || published == "" || service != "" && u.Hostname() != service {
			t.Errorf("%s is at %s, and the service %q has the port %s", name, u, u.Hostname(), published)
		}
	}
	var kinds []string
	uids := map[string]string{}
	for _, d := range file.Datasources {
		kinds = append(kinds, d.Type)
		uids[d.UID] = d.Type
		leads(d.Name, d.URL, "", project)
	}
	// What is kept for longer is what Grafana shows.
	longer, err := loadCompose(append(slices.Clone(passwords), offered(t, "# With the profile longterm")...), "*")
	if err != nil {
		t.Fatal(err)
	}
	leads("Prometheus", file.Datasources[0].URL, "prometheus", project)
	leads("Prometheus", file.Datasources[0].URL, "victoriametrics", longer)
	slices.Sort(kinds)
	if want := []string{"alertmanager", "grafana-pyroscope-datasource", "prometheus", "tempo"}; !slices.Equal(kinds, want) {
		t.Errorf("sources of the types %v, want %v: the dashboards ask them by type", kinds, want)
	}
	links := 0
	for _, d := range file.Datasources {
		for _, e := range d.JSONData.ExemplarTraceIDDestinations {
			links++
			if e.Name != "trace_id" || uids[e.DatasourceUID] != "tempo" {
				t.Errorf("exemplars lead by %q to %q", e.Name, e.DatasourceUID)
			}
		}
		if p := d.JSONData.TracesToProfiles; d.Type == "tempo" {
			links++
			if uids[p.DatasourceUID] != "grafana-pyroscope-datasource" || p.ProfileTypeID != "process_cpu:cpu:nanoseconds:cpu:nanoseconds" || len(p.Tags) != 1 || p.Tags[0].Value != "service_name" {
				t.Errorf("spans lead to the profiles %+v", p)
			}
			if m := d.JSONData.TracesToMetrics; uids[m.DatasourceUID] != "prometheus" {
				t.Errorf("spans lead to the metrics %+v", m)
			}
		}
	}
	if links != 2 {
		t.Errorf("%d links, want one from exemplars and one from spans", links)
	}
}

// offered are the variables that .env.example has, commented out, after a line
// with what they are for.
func offered(t *testing.T, what string) (set []string) {
	t.Helper()
	_, after, ok := strings.Cut(string(must(os.ReadFile(filepath.Join(repository, ".env.example")))(t)), what)
	if !ok {
		t.Fatalf(".env.example offers no %s", what)
	}
	for line := range strings.Lines(after) {
		variable, out := strings.CutPrefix(strings.TrimSpace(line), "#")
		if out && regexp.MustCompile(`^[A-Z_]+=`).MatchString(variable) {
			set = append(set, variable)
		} else if len(set) > 0 {
			break
		}
	}
	return set
}
