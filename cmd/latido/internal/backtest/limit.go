package backtest

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/domain"
)

// limit is the bound of a rule, and how people read it.
type limit struct {
	value float64
	text  string
}

// unit is how limits are written: 1.4 s are 1400 ms.
type unit struct {
	name   string // "" for plain numbers
	base   string // s, By or %
	factor float64
}

var written = regexp.MustCompile(`^\s*[-+]?[0-9.eE+-]+\s*([A-Za-zµ%]+)\s*$`)

// unitIn is the unit of a quantity as the domain file writes it; the zero unit
// for a plain number, and for one of several units such as 1m30s.
func unitIn(text string) unit {
	m := written.FindStringSubmatch(text)
	if m == nil {
		if strings.ContainsAny(text, "smhdwy") { // 1m30s
			return unit{"s", "s", 1}
		}
		return unit{}
	}
	factor, err := domain.ParseQuantity("1" + m[1])
	if err != nil {
		return unit{}
	}
	u := unit{m[1], "s", float64(factor)}
	switch {
	case m[1] == "%":
		u.base = "%"
	case strings.HasSuffix(m[1], "B"):
		u.base = "By"
	}
	return u
}

// text writes a quantity in the unit, with three digits that matter.
func (u unit) text(v float64) string {
	return strings.TrimSpace(cli.Figure(v/u.factor) + " " + u.name)
}

// writtenUnits are the units in which a domain file writes its limits, by
// threshold.
func writtenUnits(data []byte) map[string]unit {
	var file struct {
		Thresholds []struct {
			Name                 string
			Above, Below, Equals yaml.Node
		}
	}
	units := map[string]unit{}
	if yaml.Unmarshal(data, &file) != nil { // it was read before
		return units
	}
	for _, t := range file.Thresholds {
		if u := unitIn(t.Above.Value + t.Below.Value + t.Equals.Value); u.base != "" { // one of the three
			units[t.Name] = u
		}
	}
	return units
}

// unitOf is the unit of a rule's limit: the one that the file writes it in, or
// else that of what is compared.
func (b *replay) unitOf(r alerting.Rule) unit {
	if u, ok := b.units[r.Alert]; ok {
		return u
	}
	base := b.measured(r)
	switch {
	case base == "By" && r.Bound >= 1<<20:
		return unit{"MiB", base, 1 << 20}
	case base == "By":
		return unit{"B", base, 1}
	}
	return unit{base, base, 1}
}

// measured is the unit of what a rule compares: s, By or %, or "" for a plain
// number, such as how often something happened.
func (b *replay) measured(r alerting.Rule) string {
	m, known := b.d.Metric(r.Metric)
	for _, t := range b.d.Thresholds {
		switch {
		case t.Name != r.Alert:
		case t.Stat == domain.StatRatio:
			return "%"
		case t.Stat == domain.StatRate, t.Stat == domain.StatIncrease, t.Stat == "" && m.Kind == domain.KindCounter:
			return ""
		}
	}
	switch {
	case strings.HasPrefix(r.Value, "100 * "): // a share, in percent
		return "%"
	case !known, strings.Contains(r.Value, "increase("):
		return ""
	case m.Unit == "s", m.Unit == "By", m.Unit == "%":
		return m.Unit
	}
	return ""
}

// suggest is the limit nearest to the rule's, of two digits in its unit, with
// which it would have fired once at most. There is none for a rule that did not
// fire more often, or that no limit would quieten.
func (p *replayed) suggest() (limit, bool) {
	if len(p.now.episodes) < 2 || p.rule.Op == "==" {
		return limit{}, false
	}
	farthest, ok := p.farthest()
	if !ok {
		return limit{}, false
	}
	for v := range roundNumbers(p.rule.Bound/p.unit.factor, farthest/p.unit.factor, p.rule.Op) {
		bound := v * p.unit.factor
		if len(p.at(bound).episodes) <= 1 {
			return limit{bound, p.unit.text(bound)}, true
		}
	}
	return limit{}, false
}

// farthest is the value that is the most beyond a limit, or the nearest to it.
func (p *replayed) farthest() (float64, bool) {
	if !p.limited || p.rule.Op == "==" {
		return 0, false
	}
	best, any := 0.0, false
	for _, l := range p.lines {
		for _, v := range l.values {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				continue
			}
			if !any || p.rule.Op == ">" && v > best || p.rule.Op == "<" && v < best {
				best, any = v, true
			}
		}
	}
	return best, any
}

// roundNumbers are numbers of two digits beyond a bound, the nearest first, up
// to the first one that is as far as another. They have the sign of the bound:
// below 1 there is no limit on how few orders there are.
func roundNumbers(bound, farthest float64, op string) func(yield func(float64) bool) {
	const most = 400 // of each decade 90
	return func(yield func(float64) bool) {
		up := (op == ">") == (bound >= 0) // away from 0
		v := math.Abs(bound)
		if v == 0 {
			if v = math.Abs(farthest) / 1000; v == 0 || !up {
				return
			}
		}
		for range most {
			v = nextRound(v, up)
			signed := math.Copysign(v, bound)
			if v == 0 || !yield(signed) {
				return
			}
			if op == ">" && signed >= farthest || op == "<" && signed <= farthest {
				return
			}
		}
	}
}

// nextRound is the next number of two digits.
func nextRound(v float64, up bool) float64 {
	exponent := math.Floor(math.Log10(v)) - 1
	digits := v / math.Pow(10, exponent) // 10 to 100
	if up {
		digits = math.Floor(digits+1e-9) + 1
	} else if digits = math.Ceil(digits-1e-9) - 1; digits < 10 {
		digits, exponent = 99, exponent-1
	}
	// By its digits: 14 * 0.1 is not 1.4.
	next, _ := strconv.ParseFloat(strconv.FormatFloat(digits, 'f', 0, 64)+"e"+strconv.Itoa(int(exponent)), 64)
	return next
}
