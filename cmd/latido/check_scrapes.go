package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/domain"
)

const (
	// leastScrapes is how many a window has, so that one that is late or lost is
	// no gap.
	leastScrapes = 4
	// inProcess is how often the store in the process scrapes by default, and
	// byDefault a Prometheus whose file does not say.
	inProcess, byDefault = 5 * time.Second, time.Minute
)

// scrapeInterval is the time between two scrapes of the set-up: of the Prometheus
// whose file lies above the rules, or else of the store in the process.
func (in *inspection) scrapeInterval() time.Duration {
	if in.cfg.fast {
		return time.Second
	}
	data, err := os.ReadFile(filepath.Join(filepath.Dir(in.cfg.rules), "..", "prometheus.yaml"))
	if err != nil {
		return inProcess
	}
	type interval struct {
		Every model.Duration `yaml:"scrape_interval"`
	}
	var file struct {
		Global interval
		Jobs   []struct {
			interval `yaml:",inline"`
			Name     string `yaml:"job_name"`
		} `yaml:"scrape_configs"`
	}
	if yaml.Unmarshal(data, &file) != nil {
		return inProcess // what is wrong with it, promtool says
	}
	every := cmp.Or(time.Duration(file.Global.Every), byDefault)
	for _, job := range file.Jobs {
		if job.Name == in.d.Service() || job.Name == in.d.Prefix {
			every = cmp.Or(time.Duration(job.Every), every)
		}
	}
	return every
}

// checkWindows checks that the windows of thresholds have enough scrapes.
func checkWindows(in *inspection) finding {
	var f finding
	every := in.scrapeInterval()
	least := leastScrapes * every
	for i, t := range in.d.Thresholds {
		if window := time.Duration(t.Window); window > 0 && window < least {
			path := fmt.Sprintf("thresholds[%d].window", i)
			line, column := domain.Position(in.data, path, 0)
			f.Problems = append(f.Problems, problem{File: in.cfg.file, Line: line, Column: column, Path: path,
				Message: fmt.Sprintf("%s has less than four scrapes, which come every %s: write %s or more", t.Window, domain.Duration(every), domain.Duration(least))})
		}
	}
	f.Detail = fmt.Sprintf("%s, scraped every %s", count(len(in.d.Thresholds), "threshold"), domain.Duration(every))
	return f
}
