package scaffold

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
	"github.com/latido-dev/latido/domain"
)

// TestInitReceiver: whoever is named hears of alerts, from the process and from
// the Alertmanager alike, and no secret is in a file that git or an image takes.
func TestInitReceiver(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, want, env, lacks string }{
		{"", "webhook: {url_env: ALERT_WEBHOOK}", "\nALERT_WEBHOOK=\n", "ALERT_WEBHOOK"},
		{"https://hooks.example.com/hunter2", "webhook: {url_env: ALERT_WEBHOOK}", "\nALERT_WEBHOOK=https://hooks.example.com/hunter2\n", ""},
		{"https://hooks.slack.com/services/hunter2", "slack: {url_env: ALERT_SLACK_URL", "\nALERT_SLACK_URL=https://hooks.slack.com/services/hunter2\n", ""},
		{"ana@example.com", `email: {to: ["ana@example.com"]`, "\nSMTP_PASSWORD=\n", "SMTP_PASSWORD"},
	} {
		dir := t.TempDir()
		args := []string{"-kind", "saas", "-dir", dir}
		if c.name != "" {
			args = append(args, "-notify", c.name)
		}
		out, err := start(starter{}, "", args...)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		files := clitest.Contents(t, dir)
		if _, err := domain.Load(filepath.Join(dir, cli.DomainFile)); err != nil || !strings.Contains(files[cli.DomainFile], c.want) {
			t.Errorf("%s: %v\n%s", c.name, err, files[cli.DomainFile])
		}
		if !strings.Contains(files[".env"], c.env) || !regexp.MustCompile(`(?m)^LATIDO_PASSWORD=[0-9a-f]{32}$`).MatchString(files[".env"]) {
			t.Errorf("%s: .env\n%s", c.name, files[".env"])
		}
		if told := strings.Contains(out, "Nobody hears of alerts yet: write "+c.lacks+" ("); told != (c.lacks != "") {
			t.Errorf("%s: what is to be written is told: %v\n%s", c.name, told, out)
		}
		if info, err := os.Stat(filepath.Join(dir, ".env")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: .env is %v, %v: others can read it", c.name, info.Mode(), err)
		}
		secret := regexp.MustCompile(`(?m)^LATIDO_PASSWORD=(.*)$`).FindStringSubmatch(files[".env"])[1]
		for name, text := range files {
			if name != ".env" && (strings.Contains(text, "hunter2") || strings.Contains(text, secret)) {
				t.Errorf("%s: %s has a secret in it", c.name, name)
			}
		}
	}
}

// TestInitKeepsSecrets: .env and what its owner says of .gitignore stay, and
// git takes no .env.
func TestInitKeepsSecrets(t *testing.T) {
	t.Parallel()
	for there, want := range map[string]string{
		"": ".env\n", "/bin/": "/bin/\n.env\n", "*.env\n": "*.env\n", "/.env\r\n": "/.env\r\n", "# .env\n": "# .env\n.env\n", "!.env\n": "!.env\n.env\n",
	} {
		dir := t.TempDir()
		clitest.Put(t, dir, ".env", "MINE=1\n")
		if there != "" {
			clitest.Put(t, dir, ".gitignore", there)
		}
		out, err := start(starter{}, "", "-kind", "saas", "-dir", dir, "-force")
		if files := clitest.Contents(t, dir); err != nil || files[".gitignore"] != want || files[".env"] != "MINE=1\n" {
			t.Errorf("%q becomes %q, .env is %q, %v\n%s", there, files[".gitignore"], files[".env"], err, out)
		}
	}
}

// Who can hear: a mail address, or the address of a webhook that has a host.
func TestWhoCanHear(t *testing.T) {
	t.Parallel()
	for who, ok := range map[string]bool{
		"": true, "ana@example.com": true, "https://hooks.example.com/x": true, "http://127.0.0.1:9000/x": true,
		"ana": false, "Ana <ana@example.com>": false, "https://": false, "https:///x": false, "ftp://example.com/x": false, "hooks.example.com/x": false,
	} {
		if err := checkWho(who); (err == nil) != ok {
			t.Errorf("%q: %v", who, err)
		}
	}
}
