package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/latido-dev/latido/e2e/servers"
)

// TestTwoServicesOneStack follows docs/stack.md: a second service beside the stack
// of the first is in its network, takes none of its ports, and Prometheus reads
// the targets and the rules of both.
func TestTwoServicesOneStack(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for prefix, entity := range map[string]string{"tienda": "pedido", "clinica": "cita"} {
		folder := filepath.Join(root, prefix)
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(folder, "domain.yaml")
		write(t, file, []byte("prefix: "+prefix+"\nentity: "+entity+"\nnotify: [{webhook: {url: \"https://a.example.com\"}}]\n"))
		latido(t, "generate", "all", "-domain", file, "-dir", folder, "-language", "en")
	}
	document := string(must(os.ReadFile(filepath.Join(repository, "docs", "stack.md")))(t))
	_, section, _ := strings.Cut(document, "\n### Two services on one machine\n")
	_, override, _ := strings.Cut(section, "```yaml\n")
	override, _, ok := strings.Cut(override, "```\n")
	if !ok {
		t.Fatalf("docs/stack.md has no override:\n%s", section)
	}
	second := filepath.Join(root, "clinica")
	write(t, filepath.Join(second, "docker-compose.override.yml"), []byte(override))
	commands := regexp.MustCompile(`(?m)^    ((?:latido|sed) .*)$`).FindAllStringSubmatch(strings.SplitN(section, "\n## ", 2)[0], -1)
	if len(commands) != 3 {
		t.Errorf("the commands are %q, want those for rules, dashboards and targets", commands)
	}
	for _, command := range commands {
		sh := exec.Command("sh", "-c", `latido() { "$LATIDO" "$@"; }; `+command[1])
		sh.Dir = second
		sh.Env = append(os.Environ(), "LATIDO="+program(t, "cmd/latido"))
		if out, err := sh.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", command[1], err, out)
		}
	}

	first, err := composeIn(filepath.Join(root, "tienda"), cli.WithEnv(passwords), cli.WithProfiles([]string{"*"}))
	if err != nil {
		t.Fatal(err)
	}
	options, err := cli.NewProjectOptions([]string{filepath.Join(second, "docker-compose.yml"), filepath.Join(second, "docker-compose.override.yml")},
		cli.WithWorkingDirectory(second), cli.WithEnv(passwords))
	if err != nil {
		t.Fatal(err)
	}
	beside, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := beside.Services["clinica-api"]
	if network := beside.Networks["default"]; !bool(network.External) || network.Name != first.Networks["default"].Name {
		t.Errorf("it is in the network %q, the stack in %q", network.Name, first.Networks["default"].Name)
	}
	if len(s.DependsOn) > 0 || len(s.Ports) != 2 {
		t.Errorf("it starts %v as well, and has the ports %v", s.DependsOn, s.Ports)
	}
	for name, other := range first.Services {
		for _, theirs := range other.Ports {
			if slices.ContainsFunc(s.Ports, func(p types.ServicePortConfig) bool { return p.Published == theirs.Published }) {
				t.Errorf("the port %s is %s's", theirs.Published, name)
			}
		}
	}
	config := filepath.Join(root, "tienda", "deploy", "prometheus", "prometheus.yaml")
	if out, err := servers.Promtool(t, "", "check", "config", config); err != nil || !strings.Contains(out, "tienda.rules.yaml") || !strings.Contains(out, "clinica.rules.yaml") {
		t.Errorf("Prometheus does not read the rules of both: %v\n%s", err, out)
	}
	text := string(must(os.ReadFile(filepath.Join(root, "tienda", "deploy", "prometheus", "targets", "clinica.yaml")))(t))
	if !strings.Contains(text, "clinica-api:9464") {
		t.Errorf("Prometheus asks\n%s", text)
	}
	// To the first one the files are another's, and stay.
	latido(t, "check", filepath.Join(root, "tienda", "domain.yaml"))
	latido(t, "generate", "all", "-prune", "-domain", filepath.Join(root, "tienda", "domain.yaml"), "-dir", filepath.Join(root, "tienda"))
	if _, err := os.Stat(filepath.Join(root, "tienda", "deploy", "prometheus", "rules", "clinica.rules.yaml")); err != nil {
		t.Error(err)
	}
}

// TestSmallVariantAsksNobody: with what .env.example offers for the small variant,
// nothing is configured to reach a server that does not start.
func TestSmallVariantAsksNobody(t *testing.T) {
	t.Parallel()
	set := append(slices.Clone(passwords), offered(t, "then take the\n")...)
	project, err := loadCompose(set)
	if err != nil {
		t.Fatal(err)
	}
	config := ""
	for _, variable := range set {
		if name, ok := strings.CutPrefix(variable, "PROMETHEUS_CONFIG="); ok {
			config = filepath.Join(repository, "deploy", "prometheus", name)
		}
	}
	texts := map[string]string{"Prometheus": string(must(os.ReadFile(config))(t))}
	for name, s := range project.Services {
		for variable, value := range s.Environment {
			if value != nil {
				texts[name] += variable + "=" + *value + "\n"
			}
		}
	}
	all, err := loadCompose(passwords, "*")
	if err != nil {
		t.Fatal(err)
	}
	for who, text := range texts {
		for name := range all.Services {
			if _, starts := project.Services[name]; !starts && regexp.MustCompile(`(?m)^[^#]*\b`+name+`:\d`).MatchString(text) {
				t.Errorf("%s asks %s, which does not start:\n%s", who, name, text)
			}
		}
	}
	if !strings.Contains(texts["tienda-api"], "LATIDO_ALERTS=process\n") {
		t.Errorf("no Alertmanager starts, and the process tells nobody of alerts:\n%s", texts["tienda-api"])
	}
}
