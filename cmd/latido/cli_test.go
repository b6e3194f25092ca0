package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
)

var all = clitest.Verbs(verbs)

var latido, latidoReads = all.Run, all.Read

func TestCalls(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string
	}{
		{"", 2, "", "latido generate"},
		{"help", 0, "latido report", ""},
		{"help report", 0, "-last", ""},
		{"help reprot", 2, "", `did you mean "report"?`},
		{"reprot", 2, "", `did you mean "report"?`},
		{"report -h", 0, "-last", ""},
		{"report -lats 5m", 2, "", "-lats"},
		{"report now", 2, "", `unexpected "now"`},
		{"report -format xml", 2, "", "text, json, pprof or html"},
		{"report -url 127.0.0.1:9464", 2, "", "http://127.0.0.1:9464"},
		{"report -url user:hunter2@127.0.0.1", 2, "", "write one such as"},
		{"report -url http://user:hunter2%@127.0.0.1", 2, "", "write one such as"},
		{"report -url http://user:hunter2@127.0.0.1:1", 1, "", "nothing answers at http://127.0.0.1:1: "},
		{"report -url http://127.0.0.1:1", 1, "", "is the service running?"},
		{"help backtest", 0, "-try NAME=VALUE", ""},
		{"help fire", 0, "-wait", ""},
		{"help incidents", 0, "-out folder", ""},
		{"fire X -url http://user:hunter2@127.0.0.1:1", 1, "", "is the service running?"},
		{"incidents -url http://user:hunter2@127.0.0.1:1", 1, "", "nothing answers at http://127.0.0.1:1: "},
		{"schema", 0, `"prefix"`, ""},
		{"schema x", 2, "", "no arguments"},
		{"version", 0, "latido ", ""},
		{"check internal/generate/testdata/tienda.yaml", 0, "tienda.yaml  ok    3 events", ""},
		{"check -h", 0, "-max-series", ""},
		{"check internal/none.yaml", 1, "", "none.yaml"},
		{"check a b", 2, "", "one file"},
		{"check -format xml", 2, "", "text, json or junit"},
		{"check -max-series 0", 2, "", "positive"},
		{"check -url http://user:hunter2@127.0.0.1:1", 2, "", "there is no option -url"},
		{"generate", 2, "", "say what to generate"},
		{"generate events -domain internal/none.yaml", 1, "", "none.yaml"},
		{"generate events -domain internal/generate/testdata/tienda.yaml -package a-b", 2, "", "no package name"},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, stdout, stderr := latido(strings.Fields(c.args)...)
			if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
				t.Errorf("exit %d, want %d\nstdout: %s\nstderr: %s", code, c.code, stdout, stderr)
			}
			if code == cli.Wrong && stdout != "" {
				t.Errorf("a wrong call has results: %s", stdout)
			}
			if strings.Contains(stdout+stderr, "hunter2") {
				t.Errorf("the password is printed: %s%s", stdout, stderr)
			}
		})
	}
}

func TestCheckMistakes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "domain.yaml")
	if err := os.WriteFile(file, []byte("prefix: tu_prefijo\nentity: pedido\nevent: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, _ := latido("check", file)
	for _, want := range []string{file + ":1:", file + ":3:", `did you mean "events"?`} {
		if code != 1 || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, no %q in\n%s", code, want, stdout)
		}
	}
	code, stdout, _ = latido("check", "-format", "json", file)
	var found result.Set
	if err := json.Unmarshal([]byte(stdout), &found); err != nil || code != 1 || found.OK || len(found.Checks) != 1 ||
		len(found.Checks[0].Problems) != 2 || found.Checks[0].Problems[1].Line != 3 {
		t.Errorf("exit %d, error %v, %s", code, err, stdout)
	}
}

func TestCheckInput(t *testing.T) {
	t.Parallel()
	yaml, err := os.ReadFile("internal/generate/testdata/tienda.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := latidoReads(string(yaml), "check", "-"); code != 0 || !strings.Contains(stdout, "ok    3 events, 2 thresholds, 1 SLO\n") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, _ := latidoReads("prefix: 7\n", "check", "-"); code != 1 || !strings.Contains(stdout, "-:1:") {
		t.Errorf("exit %d\n%s", code, stdout)
	}
}

// full is a disk without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestUnwritten(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"help", "schema", "version", "check internal/generate/testdata/tienda.yaml", "check -format json internal/generate/testdata/tienda.yaml"} {
		var stderr strings.Builder
		if code := cli.Run(verbs, strings.Fields(args), strings.NewReader(""), full{}, &stderr); code != 1 || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%s: exit %d, %s", args, code, stderr.String())
		}
	}
}
