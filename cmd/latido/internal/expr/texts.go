package expr

import (
	"fmt"
	"maps"
	"slices"

	"github.com/latido-dev/latido/internal/ruletext"
	"github.com/latido-dev/latido/internal/spelling"
)

// TextMistakes finds labels in a text of an alert that the result of its
// expression has not: they would be empty. What else is wrong with a text is
// found when the domain file is read.
func (w World) TextMistakes(expression, text string) []Mistake {
	parsed, err := ruletext.Parse(text)
	e, _, wrong := Parse(expression)
	if err != nil || wrong != nil {
		return nil
	}
	x := newReading(w)
	result := x.of(e).labels
	var mistakes []Mistake
	for _, l := range parsed.Labels() {
		has := slices.Sorted(maps.Keys(result.has))
		near := spelling.Nearest(l.Name, has)
		if _, there := result.has[l.Name]; there || !result.lacks(l.Name, x) && l.Name != "alertname" && near == "" {
			continue
		}
		meant := ": leave it out, or keep it in the expression"
		if near != "" {
			meant = fmt.Sprintf(" (did you mean $labels.%s?)", near)
		}
		mistakes = append(mistakes, Mistake{l.Offset, fmt.Sprintf("$labels.%s is empty: the result of the expression has no such label%s", l.Name, meant)})
	}
	return mistakes
}
