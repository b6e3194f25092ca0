package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/dashboards"
	"github.com/latido-dev/latido/domain"
)

// use is an expression, and what asks with it: a rule, an objective, a panel.
type use struct{ who, expr string }

// uses are all that a domain's rules and dashboards ask for.
type uses struct {
	all    []use
	series []string
}

func usesOf(d domain.Domain) *uses {
	u := &uses{series: alerting.SeriesOf(d).Names()}
	for _, r := range alerting.Rules(d, alerting.Options{}) {
		who := "rule " + r.Alert
		if slo := r.Labels["slo"]; slo != "" {
			who = "objective " + slo
		}
		u.all = append(u.all, use{who, r.Expr})
	}
	files, err := dashboards.All(d, dashboards.Options{})
	if err != nil {
		return u // of a valid domain there are all
	}
	for _, f := range files {
		var board struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		if json.Unmarshal(f.JSON, &board) != nil {
			continue
		}
		for _, p := range board.Panels {
			for _, t := range p.Targets {
				u.all = append(u.all, use{fmt.Sprintf("panel %q of %s", p.Title, strings.TrimSuffix(f.Name, ".json")), t.Expr})
			}
		}
	}
	return u
}

// of lists who asks for one of some series and has all the words beside it.
func (u *uses) of(series []string, words ...string) []string {
	var all []string
	for _, each := range u.all {
		if asks(each.expr, series) && !slices.ContainsFunc(words, func(w string) bool { return !hasWord(each.expr, w) }) {
			all = append(all, each.who)
		}
	}
	return unique(all)
}

var name = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)

// asks tells whether a text names one of some series.
func asks(text string, series []string) bool {
	for _, n := range name.FindAllString(text, -1) {
		if slices.Contains(series, n) {
			return true
		}
	}
	return false
}

func hasWord(text, word string) bool {
	return slices.Contains(name.FindAllString(text, -1), word) || strings.Contains(text, `"`+word+`"`) || strings.Contains(text, word+"|") || strings.Contains(text, "|"+word)
}

// seriesOf are the names of a metric's series.
func seriesOf(m domain.Metric) []string {
	if m.Kind == domain.KindHistogram {
		return []string{m.Family + "_bucket", m.Family + "_sum", m.Family + "_count"}
	}
	return []string{m.Family}
}

// maxScanned is how large a file may be in which series are looked for.
const maxScanned = 4 << 20

// byHand adds to each change the files below dir, by hand, that ask for series
// which end. Those that latido generate writes are written anew.
func byHand(changes []Change, before domain.Domain, dir string) {
	if dir == "" {
		return
	}
	_ = filepath.WalkDir(filepath.Join(dir, "deploy"), func(path string, e fs.DirEntry, err error) error {
		text := []byte(nil) // what cannot be read asks for nothing that is known
		if err == nil && e.Type().IsRegular() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
			text = handwritten(path)
		}
		for i, c := range changes {
			if series := ends(c, before); len(series) > 0 && asks(string(text), series) {
				changes[i].Breaks = append(changes[i].Breaks, path+", which was not generated")
			}
		}
		return nil
	})
}

// handwritten is the text of a file that a person wrote, nil for one that cannot
// be read, is too large or was generated.
func handwritten(path string) []byte {
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxScanned {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil || bytes.Contains(text[:min(len(text), 4<<10)], []byte("latido generate")) {
		return nil
	}
	return text
}

// ends are the series that a change ends.
func ends(c Change, before domain.Domain) []string {
	switch {
	case len(c.Breaks) == 0:
	case c.What == "prefix":
		return alerting.SeriesOf(before).Names()
	case c.What == "event":
		if m, ok := before.Metric(c.Name); ok {
			return seriesOf(m)
		}
	}
	return nil
}
