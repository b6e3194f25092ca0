package doctor

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
)

// TestDoctorSecrets: an Alertmanager on this machine that lacks what a receiver
// logs in with would lose the first alert. One that has it is well.
func TestDoctorSecrets(t *testing.T) {
	const (
		webhook = `webhook: {url: "https://example.com/alerts"}`
		file    = "deploy/alertmanager/secrets/hook"
	)
	for name, c := range map[string]struct {
		notify string
		put    map[string]string // below the folder of the domain file
		lacks  string            // "" for nothing
	}{
		"a file that is there":       {"webhook: {url_file: /etc/alertmanager/secrets/hook}", map[string]string{file: "https://example.com/x"}, ""},
		"no file":                    {"webhook: {url_file: /etc/alertmanager/secrets/hook}", nil, file},
		"an empty file":              {"webhook: {url_file: /etc/alertmanager/secrets/hook}", map[string]string{file: " \n"}, file},
		"a folder in its place":      {"webhook: {url_file: /etc/alertmanager/secrets/hook}", map[string]string{file + "/x": "y"}, file}, // as Docker makes of a file that is not there
		"a variable that is set":     {"webhook: {url_env: LATIDO_TEST_HOOK}", map[string]string{".env": "LATIDO_TEST_HOOK=https://example.com/x\n"}, ""},
		"a variable that nobody set": {"webhook: {url_env: LATIDO_TEST_HOOK}", map[string]string{".env": "OTHER=1\n"}, "LATIDO_TEST_HOOK ("},
		"somebody else's file":       {"webhook: {url_file: /run/secrets/hook}", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPatient(t)
			dir := w.domain(webhook, c.notify)
			clitest.Put(t, dir, "deploy/alertmanager/alertmanager.yaml", "")
			for path, text := range c.put {
				clitest.Put(t, dir, path, text)
			}
			names, said := brokenLinks(w.links())
			if c.lacks == "" {
				if len(names) > 0 {
					t.Errorf("%v: %s", names, said)
				}
				return
			}
			if fmt.Sprint(names) != "[alertmanager]" || !strings.Contains(said, "no secret is in ") || !strings.Contains(said, filepath.FromSlash(c.lacks)) {
				t.Errorf("%v: %s", names, said)
			}
		})
	}
}
