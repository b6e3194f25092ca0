//go:build unix

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/e2e/servers"
)

// lastCell is the command in the last cell of a table's row.
var lastCell = regexp.MustCompile("(?m)^\\|.*\\| `(.+)` \\|$")

// TestPractice does what docs/es/practica-26.md says as a student does: makes
// the service, has its alerts in the process, and runs the command of each row.
func TestPractice(t *testing.T) {
	t.Parallel()
	const document = "docs/es/practica-26.md"
	text, err := os.ReadFile(filepath.Join(repository, document))
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, b := range blocks(t, document) {
		if b.language == "sh" {
			commands = append(commands, strings.Split(strings.TrimSpace(b.text), "\n")...)
		}
	}
	rows := lastCell.FindAllStringSubmatch(string(text), -1)
	if len(commands) != 4 || len(rows) < 45 {
		t.Fatalf("%d commands, %d rows", len(commands), len(rows))
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| ") && !lastCell.MatchString(strings.TrimSpace(line)) && !strings.HasSuffix(line, "| comando |\n") {
			t.Errorf("a row without a command: %s", line)
		}
	}

	home := t.TempDir()
	bin := filepath.Join(home, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program(t, "cmd/latido"), filepath.Join(bin, "latido")); err != nil {
		t.Fatal(err)
	}
	admin := servers.FreeAddr(t)
	host, port, _ := strings.Cut(admin, ":")
	p := &person{t: t, dir: home, env: append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "GOWORK=",
		"OTEL_EXPORTER_PROMETHEUS_HOST="+host, "OTEL_EXPORTER_PROMETHEUS_PORT="+port, "ALERT_WEBHOOK="+startWebhook(t).URL, "PPROF_TMPDIR="+t.TempDir(), "XDG_CACHE_HOME="+t.TempDir())}
	if cache, err := exec.Command("go", "env", "GOCACHE").Output(); err == nil { // which would be below that folder
		p.env = append(p.env, "GOCACHE="+strings.TrimSpace(string(cache)))
	}
	for _, command := range commands[:2] {
		p.types(command)
	}
	p.types(commands[2])
	service := p.leaves(commands[3] + " -addr " + servers.FreeAddr(t))
	servers.WaitFor(t, 15*time.Minute, "the service, with rules and a profile", func() error {
		service.running()
		if _, err := fetch("http://" + admin + "/api/v1/rules"); err != nil {
			return err
		}
		report, err := fetch("http://" + admin + "/debug/report?format=json")
		if err == nil && strings.Count(report, `"methods"`) < 3 {
			err = fmt.Errorf("less than three endpoints:\n%.300s", report)
		}
		return err
	})
	url := " -url http://" + admin
	for _, row := range rows {
		command := strings.NewReplacer(`\|`, "|", "127.0.0.1:9464", admin, "chromium --headless", "chromium --headless --no-sandbox --disable-gpu",
			"latido report", "latido report"+url, "latido fire", "latido fire"+url, "latido incidents", "latido incidents"+url).Replace(row[1])
		if output, err := typed(p.dir, p.env, command); err != nil {
			t.Errorf("%s: %v\n%.2000s", row[1], err, output)
		}
	}
	page, err := os.ReadFile(filepath.Join(p.dir, "informe.html"))
	if n := bytes.Count(page, []byte(`<h3 class="code">`)); err != nil || n != 3 || !bytes.Contains(page, []byte("<svg")) || !bytes.Contains(page, []byte("Plan de respuesta")) {
		t.Errorf("the report has %d endpoints (%v)", n, err)
	}
	for _, file := range []string{"tablero.png", "metricas.txt", "docs/runbook.md"} {
		if info, err := os.Stat(filepath.Join(p.dir, file)); err != nil || info.Size() < 10_000 {
			t.Errorf("%s: %v %v", file, info, err)
		}
	}
	_ = service.ctrlC() // go run has no good exit code for it
}
