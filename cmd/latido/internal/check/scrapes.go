package check

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/expr"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/yamlpos"
)

const (
	// embedded is how often the store in the process scrapes by default, and
	// byDefault a Prometheus whose file does not say.
	embedded, byDefault = 5 * time.Second, time.Minute
)

// scrapeInterval is the time between two scrapes of the set-up: of the Prometheus
// whose file lies above the rules, or else of the store in the process.
func (in *inspection) scrapeInterval() time.Duration {
	if in.fast {
		return time.Second
	}
	data, err := os.ReadFile(filepath.Join(filepath.Dir(in.rulesGlob), "..", "prometheus.yaml"))
	if err != nil {
		return embedded
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
		return embedded // what is wrong with it, promtool says
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
func checkWindows(in *inspection) result.Check {
	var f result.Check
	every := in.scrape
	least := expr.LeastScrapes * every
	for i, t := range in.d.Thresholds {
		if window := time.Duration(t.Window); window > 0 && window < least {
			path := fmt.Sprintf("thresholds[%d].window", i)
			line, column := yamlpos.Of(in.data, path, 0)
			f.Problems = append(f.Problems, result.Problem{File: in.file, Line: line, Column: column, Path: path,
				Message: fmt.Sprintf("%s has less than four scrapes, which come every %s: write %s or more", t.Window, domain.Duration(every), domain.Duration(least))})
		}
	}
	f.Detail = fmt.Sprintf("%s, scraped every %s", cli.Count(len(in.d.Thresholds), "threshold"), domain.Duration(every))
	return f
}
