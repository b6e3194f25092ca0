package importer

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/domain"
)

// perWindow is how many events a heartbeat's window should have, so that none in
// it is no chance: e^-20 is one in five hundred million.
const perWindow = 20

// limits are rules on the events, of what there was so far.
func (d *draft) limits() {
	if d.age < 600 {
		d.note("the process runs for less than ten minutes, or does not say since when: there are no limits of its events")
		return
	}
	for _, e := range d.d.Events {
		n := d.seen[e.Name]
		if e.Kind != "" || n == 0 {
			continue
		}
		name := camel(e.Name)
		trouble := slices.ContainsFunc([]string{"error", "fail", "drop", "reject", "timeout", "panic", "lost", "invalid"}, func(word string) bool { return strings.Contains(e.Name, word) })
		switch rate := n / d.age; {
		case trouble:
			limit := domain.Quantity(nice(max(10, 5*rate*300)))
			d.d.Thresholds = append(d.d.Thresholds, domain.Threshold{
				Name: name + "High", Event: e.Name, Stat: domain.StatIncrease, Window: domain.Duration(5 * time.Minute), Above: &limit, For: domain.Duration(time.Minute),
				Summary: d.say("Too many: ") + strings.ReplaceAll(e.Name, "_", " "),
			})
			d.about[name+"High"] = []string{d.say("five times the mean so far, %s in 5 minutes, and 10 at least", short(rate*300))}
		case rate > 0:
			window := window(perWindow / rate)
			if window == 0 {
				continue // so seldom that none of it says nothing
			}
			one := domain.Quantity(1)
			d.d.Thresholds = append(d.d.Thresholds, domain.Threshold{
				Name: "No" + name, Event: e.Name, Stat: domain.StatIncrease, Window: domain.Duration(window), Below: &one, For: domain.Duration(5 * time.Minute),
				Summary: d.say("None any more: ") + strings.ReplaceAll(e.Name, "_", " "),
			})
			d.about["No"+name] = []string{d.say("so far there were %s in such a time", short(rate*window.Seconds()))}
		}
	}
}

// window is the shortest usual one that has so many seconds, 0 for none.
func window(seconds float64) time.Duration {
	for _, w := range []time.Duration{10 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour} {
		if w.Seconds() >= seconds {
			return w
		}
	}
	return 0
}

// nice is the next number above that begins with 1, 2 or 5.
func nice(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, digit := range []float64{1, 2, 5, 10} {
		if digit*power >= v*0.999 {
			return digit * power
		}
	}
	return v
}

// camel is a name as alerts have it.
func camel(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "_") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// write is the file, which loads as it stands.
func (d *draft) write(from string) ([]byte, error) {
	var root yaml.Node
	if err := root.Encode(d.d); err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i+1].Kind != yaml.SequenceNode {
			continue
		}
		for _, item := range root.Content[i+1].Content {
			if item.Kind != yaml.MappingNode || len(item.Content) < 2 {
				continue
			}
			if item.Content[0].Value == "name" {
				item.HeadComment = comment(d.about[item.Content[1].Value])
			}
		}
	}
	var b bytes.Buffer
	head := []string{
		d.say("A draft, from %s: read it, delete what nobody asks for, and add the values that were not seen yet.", from),
		d.say("Limits are of what there was so far. How often they would have fired on stored data: latido backtest -url PROMETHEUS"),
	}
	b.WriteString(comment(head) + "\n")
	if len(d.notes) > 0 {
		b.WriteString("#\n" + comment(d.notes) + "\n")
	}
	b.WriteString("\n")
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(&root); err != nil {
		return nil, err
	}
	if err := encoder.Close(); err != nil {
		return nil, err
	}
	if _, err := domain.Parse("domain.yaml", b.Bytes()); err != nil {
		return nil, fmt.Errorf("the draft does not load: %w", err)
	}
	return b.Bytes(), nil
}

// comment is lines as YAML's comments.
func comment(lines []string) string {
	var b strings.Builder
	for i, line := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString("# " + strings.Join(strings.Fields(line), " "))
	}
	return b.String()
}
