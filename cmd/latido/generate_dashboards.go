package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/latido-dev/latido/dashboards"
)

// dashboardTargets are the dashboards in the folder out, and the files there
// whose names say that they are of this domain but which are none of its
// dashboards: Grafana would show them too.
func dashboardTargets(g generation, out, again string) ([]target, error) {
	files, err := dashboards.All(g.d, dashboards.Options{RunbookURL: g.alerting.RunbookURL})
	if err != nil {
		return nil, err
	}
	var targets []target
	for _, f := range files {
		targets = append(targets, target{path: filepath.Join(out, f.Name), again: again, content: f.JSON})
	}
	entries, err := os.ReadDir(out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		name := e.Name()
		ours := strings.HasPrefix(name, g.d.Prefix+"-") && strings.HasSuffix(name, ".json")
		if ours && !slices.ContainsFunc(files, func(f dashboards.File) bool { return f.Name == name }) {
			targets = append(targets, target{path: filepath.Join(out, name), extra: true})
		}
	}
	return targets, nil
}
