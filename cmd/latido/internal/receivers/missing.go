package receivers

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/domain"
)

// mounted is where the Alertmanager of the Compose file has deploy/alertmanager.
const mounted = "/etc/alertmanager/"

// Missing are the files from which that Alertmanager would read its
// receivers' secrets, below dir, and which are not there or empty. Without the
// folder nobody runs it from here.
func Missing(dir string, d domain.Domain) []string {
	folder := filepath.Join(dir, "deploy", "alertmanager")
	if _, err := os.Stat(folder); err != nil {
		return nil
	}
	var missing []string
	for _, s := range alerting.Secrets(d) {
		below, ok := strings.CutPrefix(s.File, mounted)
		if !ok {
			continue
		}
		file := filepath.Join(folder, filepath.FromSlash(below))
		if text, err := os.ReadFile(file); err != nil || len(bytes.TrimSpace(text)) == 0 {
			missing = append(missing, file)
		}
	}
	return missing
}

// Lacking says what an Alertmanager without those files does.
func Lacking(missing []string) string {
	return "no secret is in " + cli.Few(missing) + ": what is sent with it is lost; write it there, without a line end, for the Alertmanager of docker-compose.yml"
}
