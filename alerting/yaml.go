package alerting

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

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

// node writes the fields in their order. Lists of fields are written here too:
// what goes through the encoder loses its comments.
func (f fields) node() (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, each := range f {
		value, err := nodeOf(each.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", each.key, err)
		}
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: each.key, HeadComment: each.comment}, value)
	}
	return n, nil
}

func nodeOf(value any) (*yaml.Node, error) {
	switch v := value.(type) {
	case fields:
		return v.node()
	case []fields:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, each := range v {
			item, err := each.node()
			if err != nil {
				return nil, err
			}
			if len(item.Content) > 0 { // its first comment is about all of it
				item.HeadComment, item.Content[0].HeadComment = item.Content[0].HeadComment, ""
			}
			n.Content = append(n.Content, item)
		}
		return n, nil
	case string:
		return textNode(v)
	case map[string]string:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			for _, text := range []string{name, v[name]} {
				item, err := textNode(text)
				if err != nil {
					return nil, err
				}
				n.Content = append(n.Content, item)
			}
		}
		return n, nil
	default:
		return encodedNode(v)
	}
}

func encodedNode(v any) (*yaml.Node, error) {
	var n yaml.Node
	return &n, n.Encode(v)
}

// textNode is the node that the encoder makes of a text. It writes each text as
// a file of its own and reads that, which takes longer than all else about a
// file of rules: it is asked only for what may look like something else than
// text, such as yes, 1:30 and 0x1f.
func textNode(text string) (*yaml.Node, error) {
	if len(text) <= len("false") || !utf8.ValidString(text) || text[0] < 'a' || text[0] > 'z' {
		return encodedNode(text)
	}
	n := &yaml.Node{}
	n.SetString(text)
	return n, nil
}

// file writes a generated file: how it was made, then its content.
func file(head string, content fields) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(head)
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	root, err := content.node()
	if err != nil {
		return nil, err
	}
	if err := encoder.Encode(root); err != nil {
		return nil, err
	}
	return b.Bytes(), encoder.Close()
}
