package am

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	amalert "github.com/prometheus/alertmanager/alert"
	"go.yaml.in/yaml/v3"
)

// unbuilt stands for a receiver that is wrong: each delivery to it fails, is
// counted and is logged with the reason.
type unbuilt struct{ why string }

// Notify implements notify.Notifier.
func (u unbuilt) Notify(context.Context, ...*amalert.Alert) (bool, error) {
	return false, errors.New("the receiver was left out: " + u.why)
}

// lineOf is where a parser found something, in a text that is not the user's.
var lineOf = regexp.MustCompile(`\bline \d+: `)

// withoutBroken tries each receiver of the file with nothing beside it but what
// is common to all. It returns the file with those that are wrong reduced to
// their name, and what is wrong with them.
func withoutBroken(cfg Config) (file []byte, broken map[string]error) {
	var doc yaml.Node
	if yaml.Unmarshal(cfg.File, &doc) != nil || doc.Kind != yaml.DocumentNode || doc.Content[0].Kind != yaml.MappingNode {
		return nil, nil
	}
	var common []*yaml.Node
	var receivers *yaml.Node
	for i := 0; i+1 < len(doc.Content[0].Content); i += 2 {
		switch key, value := doc.Content[0].Content[i], doc.Content[0].Content[i+1]; key.Value {
		case "global", "templates":
			common = append(common, key, value)
		case "receivers":
			receivers = value
		}
	}
	if receivers == nil {
		return nil, nil
	}
	broken = map[string]error{}
	for _, r := range receivers.Content {
		var named struct{ Name string }
		if r.Decode(&named) != nil || named.Name == "" {
			continue
		}
		one := yaml.Node{Kind: yaml.MappingNode, Content: append(common[:len(common):len(common)],
			scalar("route"), mapping("receiver", named.Name), scalar("receivers"), &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{r}})}
		err := recovered(func() error {
			text, err := yaml.Marshal(&one)
			if err != nil {
				return err
			}
			alone := cfg
			alone.File = text
			_, err = loadWhole(alone)
			return err
		})
		if err != nil {
			broken[named.Name] = errors.New(lineOf.ReplaceAllString(err.Error(), ""))
			*r = *mapping("name", named.Name)
		}
	}
	file, err := yaml.Marshal(&doc)
	if err != nil {
		return nil, nil
	}
	return file, broken
}

func scalar(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

func mapping(key, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{scalar(key), scalar(value)}}
}

// recovered calls f and returns what it panicked with as an error.
func recovered(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}
