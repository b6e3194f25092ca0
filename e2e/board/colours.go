package main

import (
	"hash/fnv"
	"strings"
)

// The picture's own colours: a dark page with quiet panels.
const (
	pageColour  = "#0e1217"
	panelColour = "#161c24"
	edgeColour  = "#242d39"
	gridColour  = "#232b36"
	textColour  = "#d9dfe8"
	quietColour = "#8b97a8"
)

// named are the colours that Grafana's files name.
var named = map[string]string{
	"red": "#ee6a6a", "orange": "#f0994b", "yellow": "#e8c74a", "green": "#6cc28a", "blue": "#63a4e8", "purple": "#b48ae0",
	"super-light-red": "#f9c0c0", "super-light-orange": "#fbd5b0", "super-light-yellow": "#f7e8ae", "super-light-green": "#c4ead0", "super-light-blue": "#bcd9f8", "super-light-purple": "#dccaf2",
	"dark-red": "#b83b3b", "dark-orange": "#c26a1d", "dark-yellow": "#b3921f", "dark-green": "#3d8f5b", "dark-blue": "#3571b3", "dark-purple": "#7f55ad",
	"text": textColour,
}

// colour is that of a name; what is none is taken as it is, such as #a0b0c0.
func colour(name string) string {
	if c, ok := named[name]; ok {
		return c
	}
	for _, shade := range []string{"light-", "semi-dark-"} { // between those above
		if c, ok := named[strings.TrimPrefix(name, shade)]; ok && strings.HasPrefix(name, shade) {
			return c
		}
	}
	return name
}

// palette is for series without a colour of their own.
var palette = []string{
	"#6cc28a", "#63a4e8", "#e8c74a", "#b48ae0", "#4fc3c3", "#f0994b", "#e583b5",
	"#93b85a", "#8f9df0", "#d9a679", "#5fb0a0", "#c77ad0",
}

// colours gives each series one of the palette by its name, so that it has the
// same one in every panel, but no two of a panel the same while there are any left.
func colours(names []string) []string {
	taken := make([]bool, len(palette))
	chosen := make([]string, len(names))
	for i, name := range names {
		k := hash(name) % len(palette)
		for n := 0; taken[k] && n < len(palette); n++ {
			k = (k + 1) % len(palette)
		}
		taken[k] = true
		chosen[i] = palette[k]
	}
	return chosen
}

func hash(text string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(text)) // never fails
	return int(h.Sum32() >> 1)
}
