package scaffold

import (
	"embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/domain"
)

// templateFiles are domain files that load as they stand, by kind of business
// and language, and in service the Go files of a service.
//
//go:embed templates
var templateFiles embed.FS

// kinds are the kinds of business that there is a domain file for.
var kinds = []string{"ecommerce", "education", "health", "logistics", "saas"}

// kindAliases are other names of them, which people have for their business.
var kindAliases = map[string]string{
	"e-commerce": "ecommerce", "comercio": "ecommerce",
	"educacion": "education", "educación": "education",
	"salud":     "health",
	"logistica": "logistics", "logística": "logistics",
}

// checkKind finds a kind by its name or alias.
func checkKind(name string) (string, error) {
	lower := strings.ToLower(strings.TrimSpace(name))
	if kind, ok := kindAliases[lower]; ok {
		return kind, nil
	}
	if slices.Contains(kinds, lower) {
		return lower, nil
	}
	return "", fmt.Errorf("there is no template %q%s: write one of %s", name, cli.DidYouMean(lower, kinds), strings.Join(kinds, ", "))
}

// choice is what a domain file is made of.
type choice struct {
	kind, language      string
	prefix, app, entity string // "" means the template's own
}

// defaults are the names that the template has.
func (ch choice) defaults() (domain.Domain, error) {
	text, err := ch.template()
	if err != nil {
		return domain.Domain{}, err
	}
	return domain.Parse(ch.kind, text)
}

func (ch choice) template() ([]byte, error) {
	return templateFiles.ReadFile("templates/" + ch.kind + "." + ch.language + ".yaml")
}

// domainFile is the template with the names that were chosen: those in its
// head, and the entity's route wherever it stands. Its last line is who hears of
// alerts.
func (ch choice) domainFile(who hears) ([]byte, error) {
	text, err := ch.template()
	if err != nil {
		return nil, err
	}
	own, err := ch.defaults()
	if err != nil {
		return nil, err
	}
	if ch.app == "" && ch.prefix != "" && ch.prefix != own.Prefix {
		ch.app = domain.Domain{Prefix: ch.prefix}.Service()
	}
	for key, value := range map[string]string{"prefix": ch.prefix, "app": ch.app, "entity": ch.entity} {
		if value == "" {
			continue
		}
		scalar, err := yaml.Marshal(value) // with quotes for a word such as null
		if err != nil {
			return nil, err
		}
		line := regexp.MustCompile(`(?m)^` + key + `: .*\n`)
		text = line.ReplaceAllLiteral(text, append([]byte(key+": "), scalar...))
	}
	if ch.entity != "" && ch.entity != own.Entity {
		route := regexp.MustCompile(`/` + plural(own.Entity, ch.language) + `\b`)
		text = route.ReplaceAllLiteral(text, []byte("/"+plural(ch.entity, ch.language)))
	}
	line, _ := who.receiver()
	return append(text, line...), nil
}

// checkApp and checkEntity report what is wrong with a name, in the domain's
// own words.
func checkApp(app string) error {
	return mistakeAt(domain.Domain{Prefix: "prefix0", App: app, Entity: "x"}, "app")
}

func checkEntity(entity string) error {
	return mistakeAt(domain.Domain{Prefix: "prefix0", Entity: entity}, "entity")
}

// mistakeAt is what a domain has wrong at a path, nil for nothing.
func mistakeAt(d domain.Domain, path string) error {
	if all, ok := errors.AsType[domain.Errors](d.Validate()); ok {
		for _, m := range all {
			if m.Path == path {
				return errors.New(m.Message)
			}
		}
	}
	return nil
}

// plural is how a route calls many of an entity. It knows the regular ones:
// whoever has another changes the route.
func plural(entity, language string) string {
	ends := func(suffixes ...string) bool {
		return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(entity, s) })
	}
	stem := entity[:max(0, len(entity)-1)]
	if language == "es" {
		switch {
		case ends("a", "e", "i", "o", "u"):
			return entity + "s"
		case ends("z"):
			return stem + "ces"
		case ends("s"):
			return entity
		}
		return entity + "es"
	}
	switch {
	case ends("ay", "ey", "oy", "uy"):
		return entity + "s"
	case ends("y"):
		return stem + "ies"
	case ends("s", "x", "z", "ch", "sh"):
		return entity + "es"
	}
	return entity + "s"
}
