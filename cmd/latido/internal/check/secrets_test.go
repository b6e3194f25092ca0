package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
)

// TestMissingSecrets: what a receiver of the generated stack logs in with is
// named while it is not there, and its folder is in neither git nor the image.
func TestMissingSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, cli.DomainFile)
	text := "prefix: tienda\nentity: pedido\nnotify:\n  - webhook: {url_env: HOOK}\n  - slack: {channel: \"#x\", url_file: /etc/alertmanager/secrets/slack}\n  - pagerduty: {routing_key_file: /run/secrets/pd}\n  - opsgenie: {api_key_file: secrets/og}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func() string {
		t.Helper()
		code, stdout, stderr := latido("check", file)
		if code != 0 {
			t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
		}
		return stdout
	}
	const told = "what is sent with it is lost"
	if out := check(); strings.Contains(out, told) || strings.Contains(out, "og") {
		t.Errorf("nobody runs an Alertmanager from here:\n%s", out)
	}
	if code, stdout, stderr := latido("generate", "all", "-domain", file); code != 0 {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	secrets, dotenv := filepath.Join(dir, "deploy", "alertmanager", "secrets"), filepath.Join(dir, ".env")
	if out := check(); !strings.Contains(out, told) || !strings.Contains(out, "HOOK ("+filepath.Join(dir, ".env")+")") || !strings.Contains(out, filepath.Join(secrets, "slack")) || strings.Contains(out, "/run/secrets/pd") {
		t.Errorf("the missing secrets are not told:\n%s", out)
	} else if !strings.Contains(out, "the file secrets/og has no whole path") || !strings.Contains(out, "write /etc/alertmanager/secrets/og") {
		t.Errorf("a path that leads nowhere on a server is not told:\n%s", out)
	}
	if err := os.Mkdir(secrets, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{dotenv: "# mine\nHOOK=https://example.com/x\n", filepath.Join(secrets, "slack"): "\n"} { // an empty one is none
		if err := os.WriteFile(name, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out := check(); !strings.Contains(out, filepath.Join(secrets, "slack")) || strings.Contains(out, "HOOK (") {
		t.Errorf("one is there, the other is empty:\n%s", out)
	}
	if err := os.WriteFile(dotenv, []byte("HOOK=\n#HOOK=x\nMY_HOOK=y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := check(); !strings.Contains(out, "HOOK (") {
		t.Errorf("an empty variable is taken for one that is set:\n%s", out)
	}
	if err := os.WriteFile(dotenv, []byte("HOOK='https://example.com/?a=1&b'\nGRAFANA_PASSWORD=pa$word1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := check(); !strings.Contains(out, "GRAFANA_PASSWORD in "+dotenv+" has characters that a shell or Compose reads as something else") {
		t.Errorf("a password that Compose cuts at its $ is not told:\n%s", out)
	}
	for name, want := range map[string]string{"deploy/alertmanager/.gitignore": "\nsecrets/\n", ".dockerignore": "\n.env\n.env.*\n!.env.example\ndeploy/alertmanager/secrets\n"} {
		if got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s lacks %q: %v\n%s", name, want, err, got)
		}
	}
}
