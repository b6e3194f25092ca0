package domain

import (
	"fmt"
	"strings"

	"github.com/latido-dev/latido/internal/spelling"
)

// didYouMean is the end of an error about a name, or "" if nothing is near.
func didYouMean(name string, candidates []string) string {
	if near := spelling.Nearest(name, candidates); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}

// meantOr is didYouMean, or else a sentence that lists the candidates.
func meantOr(name string, candidates []string, sentence string) string {
	if meant := didYouMean(name, candidates); meant != "" {
		return meant
	}
	return ": " + sentence + " " + list(candidates)
}

// list writes names with commas, and cuts a long list short.
func list(names []string) string {
	const most = 12
	if len(names) == 0 {
		return "none"
	}
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}
