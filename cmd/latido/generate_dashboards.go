package main

import (
	"path/filepath"

	"github.com/latido-dev/latido/dashboards"
)

// dashboardTargets are the dashboards in the folder out.
func dashboardTargets(g generation, out, again string) ([]target, error) {
	files, err := dashboards.All(g.d, dashboards.Options{RunbookURL: g.alerting.RunbookURL})
	if err != nil {
		return nil, err
	}
	var targets []target
	for _, f := range files {
		targets = append(targets, target{path: filepath.Join(out, f.Name), again: again, content: f.JSON})
	}
	return targets, nil
}
