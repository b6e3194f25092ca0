package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/latido-dev/latido/cmd/latido/internal/remote"
)

// incidentFiles are those of an incident, by the end of their names here and
// their place in the service.
var incidentFiles = []struct {
	suffix, path, after string
	kept                string // the name by which the incident lists it, "" if it always has it
}{
	{".json", "api/incidents/", "", ""},
	{".html", "incidents/", "", ""},
	{"-before.pb.gz", "incidents/", "/before.pb.gz", "before.pb.gz"},
	{"-after.pb.gz", "incidents/", "/after.pb.gz", "after.pb.gz"},
	{"-trace.out", "incidents/", "/trace.out", "trace.out"},
}

type file struct {
	path    string
	content []byte
}

// saveIncident saves the files of an incident in a folder, and says of each
// whether it was there. All are asked for before the first one is written.
func saveIncident(ctx context.Context, w io.Writer, base *url.URL, id, folder string) error {
	var kept struct{ Files []string }
	var saved []file
	for _, f := range incidentFiles {
		data, err := remote.Ask(ctx, base, remote.Request{Path: f.path + id + f.after})
		var refused remote.StatusError
		if f.kept != "" && !slices.Contains(kept.Files, f.kept) && errors.As(err, &refused) && refused.Code == http.StatusNotFound {
			if f.kept != "trace.out" { // which is only there on request
				fmt.Fprintf(w, "%s  none: the incident has no such profile\n", filepath.Join(folder, id+f.suffix))
			}
			continue
		}
		if err != nil {
			return err
		}
		if f.suffix == ".json" {
			if err := json.Unmarshal(data, &kept); err != nil {
				return fmt.Errorf("%s answers /%s with something that is no JSON: %w", remote.Address(base), f.path+id, err)
			}
		}
		saved = append(saved, file{filepath.Join(folder, id+f.suffix), data})
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, t := range saved {
		state := "written"
		old, err := os.ReadFile(t.path)
		switch {
		case err == nil && bytes.Equal(old, t.content):
			fmt.Fprintf(w, "%s  ok, as it was\n", t.path)
			continue
		case err == nil:
			state = "written over an older one"
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		if err := os.WriteFile(t.path, t.content, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s  %s\n", t.path, state)
	}
	return nil
}
