package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/stack"
	"github.com/latido-dev/latido/dashboards"
)

// stackTargets are the files that put servers around the service, in the folder
// out.
func stackTargets(g generation, out, again string) ([]target, error) {
	files, err := stackFiles(g)
	if err != nil {
		return nil, err
	}
	var targets []target
	for _, f := range files {
		targets = append(targets, target{path: filepath.Join(out, filepath.FromSlash(f.Path)), again: again, content: f.Content})
	}
	return targets, nil
}

func stackFiles(g generation) ([]stack.File, error) {
	o := stack.Options{Main: g.main}
	var err error
	if o.Rules, err = alerting.RuleFile(g.d, g.alerting); err != nil {
		return nil, err
	}
	boards, err := dashboards.All(g.d, dashboards.Options{RunbookURL: g.alerting.RunbookURL})
	if err != nil {
		return nil, err
	}
	for _, f := range boards {
		o.Dashboards = append(o.Dashboards, f.Name)
	}
	return stack.Files(g.d, o)
}

// mainFolder is a folder as go build takes it: ./cmd/shop.
func mainFolder(text string) string {
	if text == "" || strings.HasPrefix(text, ".") {
		return text
	}
	return "./" + text
}

// composeMain is where a Compose file says which main package is built.
var composeMain = regexp.MustCompile(`(?m)^ +MAIN: (\S+)$`)

// generatedStack are the files of the stack in the folder of generated files. Which main
// package they build is no matter of the domain: it stays as they have it.
func generatedStack(in *inspection) []source {
	g := generation{d: in.d}
	again := in.again("stack")
	compose, _ := os.ReadFile(filepath.Join(in.cfg.dir, "docker-compose.yml")) // one that cannot be read is told by its own check
	if m := composeMain.FindSubmatch(compose); m != nil && string(m[1]) != "." {
		g.main = string(m[1])
		again += " -main " + g.main
	}
	// All of them at once, for each of the options that one may have been
	// written with.
	made := map[alerting.Options][]stack.File{}
	all := func(o alerting.Options) ([]stack.File, error) {
		if made[o] != nil {
			return made[o], nil
		}
		g := g
		g.alerting = o
		files, err := stackFiles(g)
		made[o] = files
		return files, err
	}
	files, err := all(alerting.Options{})
	if err != nil {
		return nil // a domain that checkDomain has found mistakes in
	}
	sources := make([]source, len(files))
	for i, file := range files {
		sources[i] = source{filepath.Join(in.cfg.dir, filepath.FromSlash(file.Path)), again, func(o alerting.Options) ([]byte, error) {
			files, err := all(o)
			if err != nil {
				return nil, err
			}
			return files[i].Content, nil
		}}
	}
	return sources
}
