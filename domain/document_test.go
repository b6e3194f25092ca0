package domain

import (
	"bytes"
	"os"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/internal/testkit"
)

// TestDocuments holds the two documents of the file's keys against the schema:
// a key without a line, or a line without a key, fails.
func TestDocuments(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/keys.yaml")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := os.ReadFile("domain.schema.json") // as TestSchema has just written it, with -update
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]map[string]yaml.Node
	if err := yaml.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	keys, about := map[string]map[string]keyDoc{}, map[string]string{}
	for name, fields := range all {
		keys[name] = map[string]keyDoc{}
		for key, value := range fields {
			if key == "es" {
				about[name] = value.Value
				continue
			}
			d := yaml.NewDecoder(bytes.NewReader(encoded(t, value)))
			d.KnownFields(true)
			var one keyDoc
			if err := d.Decode(&one); err != nil {
				t.Errorf("%s.%s: %v", name, key, err)
			}
			var example map[string]any
			if err := yaml.Unmarshal([]byte(one.Example), &example); err != nil || len(example) != 1 {
				t.Errorf("%s.%s: the example %q is no YAML of one key (%v)", name, key, one.Example, err)
			}
			keys[name][key] = one
		}
	}
	for file, intro := range map[string]string{
		"../docs/domain-file.md": `# The domain file

Every key, from the [schema](../domain/domain.schema.json) that ` + "`latido schema`" + ` prints for editors. [En español](es/domain-file.md).

A duration is written as Prometheus has it: ` + "`300ms`, `90s`, `5m`, `1h30m`, `30d`" + `. A quantity is a number that may have a unit:
` + "`2s`, `80%`, `256MiB`" + `. What is wrong is told with its line and what to write instead: ` + "`latido check`" + `.
`,
		"../docs/es/domain-file.md": `# El archivo de dominio

Todas las claves, a partir del [esquema](../../domain/domain.schema.json) que ` + "`latido schema`" + ` imprime para los editores. [In English](../domain-file.md).

Una duración se escribe como en Prometheus: ` + "`300ms`, `90s`, `5m`, `1h30m`, `30d`" + `. Una cantidad es un número que puede tener unidad:
` + "`2s`, `80%`, `256MiB`" + `. Lo que está mal se dice con su línea y con lo que hay que escribir: ` + "`latido check`" + `.
`,
	} {
		page, err := writeDocument(schema, keys, about, file == "../docs/es/domain-file.md")
		if err != nil {
			t.Error(err)
		}
		testkit.Golden(t, file, append([]byte(intro), page...))
	}
}

func encoded(t *testing.T, n yaml.Node) []byte {
	t.Helper()
	text, err := yaml.Marshal(&n)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
