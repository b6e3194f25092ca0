package domain

import (
	_ "embed"
	"slices"
)

//go:generate go test -run ^TestSchema$ . -update

//go:embed domain.schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of the domain file, for editors:
// it knows keys, types and the shape of names. What depends on other parts of
// the file, such as the metric of a threshold, only Load checks.
func Schema() []byte { return slices.Clone(schema) }
