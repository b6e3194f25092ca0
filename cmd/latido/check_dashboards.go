package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// checkDashboards reads every query of every dashboard.
func checkDashboards(in *inspection) finding {
	folder := in.cfg.dashboards
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		if in.cfg.given["dashboards"] {
			return finding{Problems: []problem{{Message: "-dashboards " + folder + ": there is no such folder"}}}
		}
		return skip("no dashboards in %s", folder)
	}
	var f finding
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
		f.fail("%v", err)
	}
	f.Detail = fmt.Sprintf("%d queries of %s in %s", queries, count(files, "dashboard"), folder)
	return f
}

// dashboardProblems are what is wrong with the queries of a dashboard.
func dashboardProblems(in *inspection, path string) (queries int, problems []problem) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, []problem{{Message: err.Error()}}
	}
	var board map[string]any
	if err := json.Unmarshal(data, &board); err != nil {
		return 0, []problem{{File: path, Message: "not a dashboard in JSON: " + err.Error()}}
	}
	if inner, ok := board["dashboard"].(map[string]any); ok { // as Grafana's API has it
		board = inner
	}
	all := dashboardQueries(board)
	for _, q := range all {
		for _, message := range q.problems(in) {
			problems = append(problems, problem{File: path, Path: q.where, Message: message, Fix: "the query is: " + q.expr})
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
			for _, key := range sortedKeys(v) {
				walk(v[key], where, prometheus)
			}
		}
	}
	for _, key := range sortedKeys(board) {
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
func (q query) problems(in *inspection) []string {
	var wrong *mistake
	for text := range q.vars.expanded(q.expr) {
		names, m := parseExpr(text)
		if m != nil {
			if wrong == nil {
				wrong = m
			}
			continue
		}
		var all []string
		for _, n := range names {
			if !strings.Contains(n.name, anyValue) && !in.exists(n.name) {
				all = append(all, in.missing(n.name))
			}
		}
		return all
	}
	return []string{"not PromQL: " + wrong.message}
}
