package alerting

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// fields is a mapping that keeps its order.
type fields []field

// field is one key with its value: fields, a list of them, or anything that
// YAML can write. A comment stands above it.
type field struct {
	key     string
	value   any
	comment string
}

// MarshalYAML writes the fields in their order.
func (f fields) MarshalYAML() (any, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, each := range f {
		var value yaml.Node
		if err := value.Encode(each.value); err != nil {
			return nil, fmt.Errorf("%s: %w", each.key, err)
		}
		key := &yaml.Node{Kind: yaml.ScalarNode, Value: each.key, HeadComment: each.comment}
		n.Content = append(n.Content, key, &value)
	}
	return n, nil
}

// file writes a generated file: how it was made, then its content.
func file(head string, content fields) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(head)
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(content); err != nil {
		return nil, err
	}
	return b.Bytes(), encoder.Close()
}
