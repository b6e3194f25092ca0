package check

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/expr"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
)

// checkDashboards reads every query of every dashboard.
func checkDashboards(in *inspection) result.Check {
	folder := in.dashboards
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		if in.given("dashboards") {
			return result.Check{Problems: []result.Problem{{Message: "-dashboards " + folder + ": there is no such folder"}}}
		}
		return result.Skip("no dashboards in %s", folder)
	}
	var f result.Check
	files, queries := 0, 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".json") {
			return err
		}
		files++
		n, problems := dashboardProblems(in, path)
		queries += n
		f.Problems = append(f.Problems, problems...)
		return nil
	})
	if err != nil {
		f.Fail("%v", err)
	}
	f.Detail = fmt.Sprintf("%d queries of %s in %s", queries, cli.Count(files, "dashboard"), folder)
	return f
}

// dashboardProblems are what is wrong with the queries of a dashboard.
func dashboardProblems(in *inspection, path string) (queries int, problems []result.Problem) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, []result.Problem{{Message: err.Error()}}
	}
	var board map[string]any
	if err := json.Unmarshal(data, &board); err != nil {
		return 0, []result.Problem{{File: path, Message: "not a dashboard in JSON: " + err.Error()}}
	}
	if inner, ok := board["dashboard"].(map[string]any); ok { // as Grafana's API has it
		board = inner
	}
	all := dashboardQueries(board)
	for _, q := range all {
		for _, message := range q.problems(in.world()) {
			problems = append(problems, result.Problem{File: path, Path: q.where, Message: message, Fix: "the query is: " + q.expr})
		}
	}
	return len(all), problems
}

// query is one query of a dashboard.
type query struct {
	where string // the panel's title, or the variable's name
	expr  string
	vars  variables
}

// dashboardQueries finds the PromQL of a dashboard: the targets of its panels,
// the annotations, and what its variables ask.
func dashboardQueries(board map[string]any) []query {
	vars := variablesOf(board)
	var found []query
	var walk func(v any, where string, prometheus bool)
	walk = func(v any, where string, prometheus bool) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				walk(item, where, prometheus)
			}
		case map[string]any:
			if title, ok := v["title"].(string); ok && title != "" {
				where = title
			} else if name, ok := v["name"].(string); ok && name != "" && where == "" {
				where = name
			}
			if is, known := isPrometheus(v["datasource"]); known {
				prometheus = is
			}
			if expr, ok := v["expr"].(string); ok && prometheus && strings.TrimSpace(expr) != "" {
				found = append(found, query{where, expr, vars})
			}
			for _, key := range slices.Sorted(maps.Keys(v)) {
				walk(v[key], where, prometheus)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(board)) {
		if key != "title" && key != "templating" {
			walk(board[key], "", true)
		}
	}
	return append(found, vars.queries()...)
}

// isPrometheus tells whether a data source is one of Prometheus', if it says
// what it is: a variable's name, or a uid, does not.
func isPrometheus(source any) (is, known bool) {
	switch s := source.(type) {
	case map[string]any:
		kind, ok := s["type"].(string)
		return kind == "prometheus", ok && kind != "" && !strings.HasPrefix(kind, "$")
	case string:
		if s == "-- Grafana --" || s == "-- Mixed --" || s == "-- Dashboard --" {
			return false, true
		}
	}
	return false, false
}

// problems are what is wrong with the query.
func (q query) problems(world expr.World) []string {
	var wrong *expr.Mistake
	for text := range q.vars.expanded(q.expr) {
		_, names, m := expr.Parse(text)
		if m != nil {
			wrong = cmp.Or(wrong, m)
			continue
		}
		var all []string
		for _, n := range names {
			if !strings.Contains(n.Name, anyValue) && !world.Exists(n.Name) {
				all = append(all, world.Missing(n.Name))
			}
		}
		return all
	}
	return []string{"not PromQL: " + wrong.Message}
}
