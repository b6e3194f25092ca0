package e2e

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/e2e/servers"
)

// How many random domains a run tries, and from which seed: DOMAINS=500 SEED=7.
const (
	domainsVariable = "DOMAINS"
	seedVariable    = "SEED"
	defaultDomains  = 8
)

// TestRandomDomains makes domains by chance. Of each, the projects' own tools
// load what is generated, and Prometheus evaluates every rule on series that
// are made from what the rule says in words, with the scrape interval of the
// set-up: each fires where it must, and none where all is well.
func TestRandomDomains(t *testing.T) {
	t.Parallel()
	number := func(name string, otherwise uint64) uint64 {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				t.Fatalf("%s=%q is no number", name, text)
			}
			return n
		}
		return otherwise
	}
	seed := number(seedVariable, uint64(time.Now().UnixNano()))
	t.Logf("%s=%d", seedVariable, seed)
	for i := range number(domainsVariable, defaultDomains) {
		t.Run(strconv.FormatUint(seed+i, 10), func(t *testing.T) {
			t.Parallel()
			tryDomain(t, seed+i)
		})
	}
}

func tryDomain(t *testing.T, seed uint64) {
	c := newChance(seed)
	c.draw()
	text, err := yaml.Marshal(c.d)
	if err != nil {
		t.Fatal(err)
	}
	d, err := domain.Parse("domain.yaml", text)
	if err != nil {
		t.Fatalf("a domain that should be valid: %v\n%s", err, text)
	}
	dir := t.TempDir()
	rules, config := filepath.Join(dir, "p.rules.yaml"), filepath.Join(dir, "alertmanager.yaml")
	write(t, rules, must(alerting.RuleFile(d, alerting.Options{}))(t))
	write(t, config, must(alerting.AlertmanagerFile(d, alerting.Options{}))(t))
	write(t, filepath.Join(dir, alerting.TemplatesName), alerting.Templates(d, alerting.Options{}))
	tests := filepath.Join(dir, "p.test.yaml")
	write(t, tests, must(yaml.Marshal(c.tests()))(t))
	for _, args := range [][]string{{"check", "rules", "--lint=all", "--lint-fatal", rules}, {"test", "rules", tests}} {
		if out, err := servers.Promtool(t, "", args...); err != nil {
			t.Errorf("%s=%d: %v\n%s\n%s", seedVariable, seed, err, out, text)
		}
	}
	if out, err := servers.Amtool(t, "", "check-config", config); err != nil {
		t.Errorf("%s=%d: %v\n%s\n%s", seedVariable, seed, err, out, text)
	}
}

func (c *chance) onCounter(t domain.Threshold, m domain.Metric, labels map[string]string, high bool) {
	t.Window = c.window()
	limit := max(1, c.limit())
	var perSecond float64 // of one unit of the statistic
	switch {
	case c.IntN(2) == 0:
		t.Stat, perSecond = domain.StatIncrease, 1/seconds(t.Window)
	default:
		t.Stat, perSecond = domain.StatRate, 1
		if t.Per = domain.Duration(oneOfThese(c, 0, time.Minute, time.Hour)); t.Per != 0 {
			perSecond = 1 / time.Duration(t.Per).Seconds()
		}
	}
	if high { // one event would be counted for as long as the window is, and no longer
		limit = max(limit, math.Ceil(1/(perSecond*seconds(t.Window))))
	}
	fires, well := aboveOrBelow(&t, limit, high)
	if high && t.Stat == domain.StatIncrease {
		fires += 2
	}
	step := perSecond * scrape.Seconds()
	c.line(&c.fires, m.Family, labels, 0, fires*step)
	c.line(&c.well, m.Family, labels, 0, well*step)
	if beside := leftOut(t, labels); beside != nil {
		c.line(&c.fires, m.Family, beside, 0, well*step)
		c.line(&c.well, m.Family, beside, 0, fires*step)
	}
	c.threshold(t)
}

func (c *chance) onLevel(t domain.Threshold, m domain.Metric, labels map[string]string, high bool) {
	t.Stat = oneOfThese(c, "", domain.StatMean, domain.StatMax, domain.StatMin)
	if t.Stat != "" {
		t.Window = c.window()
	}
	limit := c.limit() * oneOfThese(c, 1.0, 1, -1)
	if m.Kind == domain.KindUpDown { // which is counted
		limit = math.Ceil(limit)
	}
	far := 1 + max(limit, -limit)
	fires, well := limit-far, limit+far
	switch {
	case t.Stat == "" && c.IntN(5) == 0:
		t.Equals, fires = quantity(limit), limit
	case high:
		t.Above, fires, well = quantity(limit), limit+far, limit-far
	default:
		t.Below = quantity(limit)
	}
	if t.Stat == "" && t.By == "" && len(t.Where) == 0 && c.IntN(3) == 0 {
		t.Event, t.Expr = "", "max by (job, instance) ("+m.Family+")"
	}
	c.line(&c.fires, m.Family, labels, fires, 0)
	c.line(&c.well, m.Family, labels, well, 0)
	if beside := leftOut(t, labels); beside != nil {
		c.line(&c.fires, m.Family, beside, well, 0)
		c.line(&c.well, m.Family, beside, fires, 0)
	}
	c.threshold(t)
}

func (c *chance) onHistogram(t domain.Threshold, m domain.Metric, labels map[string]string, high bool) {
	t.Window = c.window()
	t.Stat = oneOfThese(c, "", domain.StatP50, domain.StatP99, domain.StatMean)
	limit := float64(2 + c.IntN(900))
	fires, well := aboveOrBelow(&t, limit, high)
	c.threshold(t)
	m, _ = c.d.Metric(m.Key) // the limit is a bound now
	each := 20 / seconds(t.Window) * scrape.Seconds() * 2
	for into, values := range map[*[]inputSeries][2]float64{&c.fires: {fires, well}, &c.well: {well, fires}} {
		c.distribution(into, m, labels, values[0], each)
		if beside := leftOut(t, labels); beside != nil {
			c.distribution(into, m, beside, values[1], 3*each)
		}
	}
}

// distribution are the series of a histogram in which every value is the same.
func (c *chance) distribution(into *[]inputSeries, m domain.Metric, labels map[string]string, value, each float64) {
	bucket := func(le string, n float64) {
		all := map[string]string{"le": le}
		for k, v := range labels {
			all[k] = v
		}
		c.line(into, m.Family+"_bucket", all, 0, n)
	}
	for _, b := range m.Buckets {
		n := 0.0
		if value <= b {
			n = each
		}
		bucket(strconv.FormatFloat(b, 'f', -1, 64), n)
	}
	bucket("+Inf", each)
	c.line(into, m.Family+"_count", labels, 0, each)
	c.line(into, m.Family+"_sum", labels, 0, each*value)
}
