package receivers

import (
	"bytes"
	"fmt"
	"os"
	"path"
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

// assignment is a line of .env that sets a variable.
var assignment = regexp.MustCompile(`(?m)^(?:export +)?([A-Za-z_][A-Za-z0-9_]*)=[ \t]*(.*?)[ \t\r]*$`)

// Misread are the variables of dir's .env whose value is another one to Compose,
// or to a shell that reads the file: pa$word is pa to both. What stands in
// single quotes is as it is written; ${NAME} is meant.
func Misread(dir string) (names []string) {
	dotenv, _ := os.ReadFile(filepath.Join(dir, ".env")) // none sets nothing
	for _, m := range assignment.FindAllSubmatch(dotenv, -1) {
		value, special := strings.ReplaceAll(string(m[2]), "${", ""), "$`\\\"'&;|<>() \t"
		switch {
		case len(value) > 1 && value[0] == '\'' && strings.IndexByte(value[1:], '\'') == len(value)-2:
			continue
		case len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"':
			value, special = value[1:len(value)-1], "$`\\\""
		default: // a comment is none of it
			value, _, _ = strings.Cut(value, " #")
			value = strings.TrimRight(value, " \t")
		}
		if strings.ContainsAny(value, special) {
			names = append(names, string(m[1]))
		}
	}
	return names
}

// Lacking says what an Alertmanager without those secrets does.
func Lacking(missing []string) string {
	return "no secret is in " + cli.Few(missing) + ": what is sent with it is lost; write it there for the Alertmanager of docker-compose.yml, into a file without a line end"
}

// Relative says of a secret's file without a whole path where an Alertmanager
// that is a server looks for it; "" if there is none.
func Relative(d domain.Domain) string {
	for _, s := range alerting.Secrets(d) {
		if s.Env == "" && !path.IsAbs(s.File) {
			return fmt.Sprintf("the file %s has no whole path, and a server looks for it where it was started: what is sent with it is lost; write %s", s.File, mounted+"secrets/"+path.Base(s.File))
		}
	}
	return ""
}
