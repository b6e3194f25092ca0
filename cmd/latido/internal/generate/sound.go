package generate

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/expr"
	"github.com/latido-dev/latido/cmd/latido/internal/receivers"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/yamlpos"
)

// sound is the domain without the rules and receivers that servers refuse. A
// server that refuses one line of a file loads nothing of it, so that one mistake
// would cost all alerts. wrong says what is left out, and where it stands.
func (g Generation) sound() (d domain.Domain, wrong []result.Problem) {
	d = g.Domain
	data, _ := os.ReadFile(g.File) // for the lines only
	for _, r := range alerting.Rules(d, g.options()) {
		_, _, mistake := expr.Parse(r.Expr)
		i := slices.IndexFunc(d.Thresholds, func(t domain.Threshold) bool { return t.Expr != "" && t.Name == r.Alert })
		if mistake == nil || i < 0 {
			continue
		}
		offset := 0
		if _, _, own := expr.Parse(d.Thresholds[i].Expr); own != nil { // or it is what the limit makes of it
			mistake, offset = own, own.Offset
		}
		p := result.Problem{File: g.File, Path: fmt.Sprintf("thresholds[%d].expr", i), Message: "not PromQL: " + mistake.Message}
		p.Line, p.Column = yamlpos.Of(data, p.Path, offset)
		wrong = append(wrong, p)
	}
	wrong = append(wrong, receivers.OfDomain(g.File, data, d)...)
	d.Thresholds, d.Notify = without(d.Thresholds, "thresholds", wrong), without(d.Notify, "notify", wrong)
	return d, wrong
}

// without leaves out the items of a list that problems are about.
func without[T any](list []T, name string, wrong []result.Problem) []T {
	var kept []T
	for i, item := range list {
		if !slices.ContainsFunc(wrong, func(p result.Problem) bool { return strings.HasPrefix(p.Path, fmt.Sprintf("%s[%d]", name, i)) }) {
			kept = append(kept, item)
		}
	}
	return kept
}

// leftOut is the error of what the chosen files lack.
func leftOut(chosen []generator, wrong []result.Problem) error {
	has := func(names ...string) bool {
		return slices.ContainsFunc(chosen, func(g generator) bool { return slices.Contains(names, g.name) })
	}
	var errs []error
	for _, p := range wrong {
		if rule := strings.HasPrefix(p.Path, "thresholds"); rule && has("rules", testsOf, "stack") || !rule && has("alertmanager") {
			errs = append(errs, errors.New(p.String()+": left out, so that servers load the others"))
		}
	}
	return errors.Join(errs...)
}
