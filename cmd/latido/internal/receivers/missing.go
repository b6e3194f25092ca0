package receivers

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/domain"
)

// mounted is where the Alertmanager of the Compose file has deploy/alertmanager.
const mounted = "/etc/alertmanager/"

// Missing are the receivers' secrets that the Alertmanager of the Compose file
// below dir would not have: variables that neither .env nor the environment
// sets, and files that are not there or empty. Without deploy/alertmanager nobody
// runs it from here.
func Missing(dir string, d domain.Domain) []string {
	folder := filepath.Join(dir, "deploy", "alertmanager")
	if _, err := os.Stat(folder); err != nil {
		return nil
	}
	dotenv, _ := os.ReadFile(filepath.Join(dir, ".env")) // none sets nothing
	var missing []string
	for _, s := range alerting.Secrets(d) {
		if s.Env != "" {
			set := regexp.MustCompile(`(?m)^(?:export +)?` + regexp.QuoteMeta(s.Env) + `=[ "']*[^ "'\r\n]`)
			if os.Getenv(s.Env) == "" && !set.Match(dotenv) {
				missing = append(missing, s.Env+" ("+filepath.Join(dir, ".env")+")")
			}
			continue
		}
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

// Lacking says what an Alertmanager without those secrets does.
func Lacking(missing []string) string {
	return "no secret is in " + cli.Few(missing) + ": what is sent with it is lost; write it there for the Alertmanager of docker-compose.yml, into a file without a line end"
}
