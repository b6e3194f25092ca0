package check

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/expr"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/internal/yamlpos"
)

// ruleSet are the rules that are checked: those of the files that are there,
// or else those that would be generated.
type ruleSet struct {
	from     string // the files, for people
	rules    []fileRule
	recorded []string // the series that they record
}

// fileRule is a rule with the place where it stands; line is 0 for one that
// stands in no file.
type fileRule struct {
	rulefmt.Rule
	file         string
	line, column int
	path         string // of the rule in the file
	data         []byte // the file
}

// alerts are those of the rules that alert.
func (s ruleSet) alerts() []fileRule {
	var alerts []fileRule
	for _, r := range s.rules {
		if r.Alert != "" {
			alerts = append(alerts, r)
		}
	}
	return alerts
}

// name is the alert's, or that of the series which the rule records.
func (r fileRule) name() string { return r.Alert + r.Record }

// problem adds a problem with the rule.
func (r fileRule) problem(f *result.Check, format string, args ...any) *result.Problem {
	p := f.Fail(format, args...)
	p.File, p.Line, p.Column = r.file, r.line, r.column
	return p
}

// checkRules loads the rules, for itself and for all checks of rules.
func checkRules(in *inspection) result.Check {
	var f result.Check
	files, err := filepath.Glob(in.rulesGlob)
	if err != nil {
		f.Fail("-rules %s: %v", in.rulesGlob, err)
		return f
	}
	// promtool's unit tests lie beside the rules.
	files = slices.DeleteFunc(files, func(file string) bool {
		return strings.HasSuffix(file, ".test.yaml") || strings.HasSuffix(file, "_test.yaml")
	})
	switch {
	case len(files) > 0:
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fail("%v", err)
				continue
			}
			in.rules.load(&f, file, data)
		}
		in.rules.from = strings.Join(files, ", ")
	case in.given("rules"):
		f.Fail("-rules %s: there is no such file", in.rulesGlob).Fix = "write one with: latido generate rules"
	default:
		data, err := alerting.RuleFile(in.d, in.options())
		if err != nil {
			f.Fail("the domain's rules cannot be made: %v", err)
			break
		}
		in.rules.load(&f, "", data)
		in.rules.from = "what latido generate rules would write"
	}
	seen := map[string]fileRule{}
	for _, r := range in.rules.rules {
		checkRule(in, &f, r)
		key := r.Record + "\xff" + r.Alert + "\xff" + remote.LabelText(r.Labels)
		if first, twice := seen[key]; twice {
			r.problem(&f, "%s is there twice, with the same labels%s: give one another name, or another label", r.name(), first.place(" first at "))
		}
		seen[key] = r
	}
	f.Detail = fmt.Sprintf("%s and %d recorded series in %s", cli.Count(len(in.rules.alerts()), "alert"), len(in.rules.recorded), in.rules.from)
	return f
}

// place is where the rule stands, with a word before; "" for no file.
func (r fileRule) place(before string) string {
	if r.line == 0 {
		return ""
	}
	return fmt.Sprintf("%s%s:%d", before, r.file, r.line)
}

// load reads one rule file, as Prometheus does. file is "" for none.
func (s *ruleSet) load(f *result.Check, file string, data []byte) {
	groups, errs := rulefmt.Parse(data, false, model.UTF8Validation, expr.Parser, slog.New(slog.DiscardHandler))
	for _, err := range errs {
		f.Problems = append(f.Problems, ruleError(file, err))
	}
	if groups == nil {
		return
	}
	var places struct{ Groups []rulefmt.RuleGroupNode }
	_ = yaml.Unmarshal(data, &places) // it was read before
	for i, g := range groups.Groups {
		for j, rule := range g.Rules {
			r := fileRule{Rule: rule, file: file, data: data, path: fmt.Sprintf("groups[%d].rules[%d]", i, j)}
			if file != "" {
				at := places.Groups[i].Rules[j]
				r.line, r.column = max(at.Alert.Line, at.Record.Line), max(at.Alert.Column, at.Record.Column)
			}
			s.rules = append(s.rules, r)
			if r.Record != "" && !slices.Contains(s.recorded, r.Record) {
				s.recorded = append(s.recorded, r.Record)
			}
		}
	}
}

// ruleError is a mistake that Prometheus finds in a rule file. It has line and
// column of its own in front of most.
func ruleError(file string, err error) result.Problem {
	p := result.Problem{File: file, Message: err.Error()}
	var line, column int
	if n, _ := fmt.Sscanf(p.Message, "%d:%d:", &line, &column); n == 2 {
		p.Message = strings.TrimPrefix(p.Message, fmt.Sprintf("%d:%d: ", line, column))
		if file != "" {
			p.Line, p.Column = line, column
		}
	}
	if wrapped, ok := errors.AsType[*rulefmt.Error](err); ok && file == "" {
		p.Message = wrapped.RuleName + ": " + p.Message
	}
	p.Message = fmt.Sprintf("Prometheus cannot read it: %s", p.Message)
	return p
}

// checkRule looks for the metrics that a rule asks for. What does not parse
// was found when the file was loaded.
func checkRule(in *inspection, f *result.Check, r fileRule) {
	if _, _, wrong := expr.Parse(r.Expr); wrong != nil || r.file == "" { // or checkExpressions looks at it
		return
	}
	for _, m := range in.world().Mistakes(r.Expr, expr.Condition{Alert: r.Alert != "", Wait: time.Duration(r.For)}) {
		p := r.problem(f, "%s: %s", r.name(), m.Message)
		p.Line, p.Column = yamlpos.Of(r.data, r.path+".expr", m.Offset)
	}
}

// read reads a file of the checks. A file that is not there, and was not asked
// for, is what would be generated; from says which of the two it is.
func (in *inspection) read(file, flag string, generated func() ([]byte, error)) (text []byte, from string, wrong *result.Problem) {
	text, err := os.ReadFile(file)
	switch {
	case err == nil:
		return text, file, nil
	case !errors.Is(err, os.ErrNotExist):
		return nil, "", &result.Problem{Message: err.Error()}
	case in.given(flag):
		return nil, "", &result.Problem{Message: fmt.Sprintf("-%s %s: there is no such file", flag, file), Fix: "write one with: latido generate " + flag}
	}
	if text, err = generated(); err != nil {
		return nil, "", &result.Problem{Message: fmt.Sprintf("%s cannot be made: %v", file, err)}
	}
	return text, "what latido generate " + flag + " would write", nil
}
