package diff

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/yamlpos"
)

// source is one of the two domains.
type source struct {
	name  string
	dir   string // of the file, "" for one of a revision
	d     domain.Domain
	notes []string
}

// load reads both. What lies at a revision, and the old one, may have what is
// refused today: it was right when it was written.
func load(o Options) (before, after source, err error) {
	old, now := o.Old, o.New
	if !strings.Contains(old, ":") && !there(old) && there(now) { // a revision alone
		old += ":./" + filepath.ToSlash(now)
	}
	if !strings.Contains(now, ":") && !there(now) {
		if _, path, ok := strings.Cut(old, ":"); ok {
			now += ":" + path
		} else if there(old) {
			now += ":./" + filepath.ToSlash(old)
		}
	}
	before.name, after.name = old, now
	text, err := read(old)
	if err != nil {
		return before, after, err
	}
	if before.d, before.notes, err = lenient(old, text); err != nil {
		return before, after, err
	}
	if text, err = read(now); err != nil {
		return before, after, err
	}
	if !there(now) {
		after.d, after.notes, err = lenient(now, text)
		return before, after, err
	}
	after.dir = filepath.Dir(now)
	after.d, err = domain.Parse(now, text)
	return before, after, err
}

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// read is a file's text, on disk or at a revision.
func read(name string) ([]byte, error) {
	if there(name) || !strings.Contains(name, ":") {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%w: write a file, or a file at a revision, such as HEAD~1:domain.yaml", err)
		}
		defer func() { _ = f.Close() }() // nothing was written
		return io.ReadAll(io.LimitReader(f, domain.MaxFileSize+1))
	}
	text, err := show(name)
	if err != nil { // git counts from the top of the repository
		revision, path, _ := strings.Cut(name, ":")
		if here, errHere := show(revision + ":./" + path); errHere == nil {
			return here, nil
		}
		return nil, err
	}
	return text, nil
}

// show asks git for a file at a revision. Nothing that the name says is an
// option to it.
func show(name string) ([]byte, error) {
	cmd := exec.Command("git", "show", "--no-textconv", "--end-of-options", name)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		said, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
		return nil, fmt.Errorf("%s: %s (%w): write a file, or a file at a revision, such as HEAD~1:domain.yaml", name, strings.TrimPrefix(said, "fatal: "), err)
	}
	return stdout.Bytes(), nil
}

// lenient reads a domain file without what is refused today, and says what that
// is.
func lenient(name string, text []byte) (domain.Domain, []string, error) {
	d, err := domain.Parse(name, text)
	if err == nil {
		return d, nil, nil
	}
	var root yaml.Node
	if yaml.Unmarshal(text, &root) != nil || len(root.Content) != 1 {
		return d, nil, err
	}
	var notes []string
	for range 20 {
		var mistakes domain.Errors
		if !errors.As(err, &mistakes) {
			return d, nil, err
		}
		removed := false
		for i := len(mistakes) - 1; i >= 0; i-- { // from the end: an index stays what it was
			if m := mistakes[i]; drop(root.Content[0], m) {
				notes = append(notes, m.Error()+": left out of the comparison")
				removed = true
			}
		}
		if !removed {
			return d, nil, err
		}
		if text, err = yaml.Marshal(&root); err != nil {
			return d, nil, err
		}
		if d, err = domain.Parse(name, text); err == nil {
			return d, notes, nil
		}
	}
	return d, nil, err
}

var unknownKey = regexp.MustCompile(`^unknown key ("(?:[^"\\]|\\.)*")`)

// drop removes what a mistake is about: a key, or if it is not there what it is
// missing from.
func drop(root *yaml.Node, m *domain.Error) bool {
	steps := yamlpos.PathStep.FindAllString(m.Path, -1)
	if found := unknownKey.FindStringSubmatch(m.Message); found != nil {
		steps = append(steps, found[1])
	}
	for ; len(steps) > 0; steps = steps[:len(steps)-1] {
		n := root
		for _, step := range steps[:len(steps)-1] {
			if n = yamlpos.Child(n, step); n == nil {
				break
			}
		}
		if n != nil && remove(n, steps[len(steps)-1]) {
			return true
		}
	}
	return false
}

func remove(n *yaml.Node, step string) bool {
	n = yamlpos.Target(n)
	if unquoted, err := strconv.Unquote(step); err == nil {
		step = unquoted
	}
	if i, err := strconv.Atoi(step); n.Kind == yaml.SequenceNode && err == nil && i < len(n.Content) {
		n.Content = append(n.Content[:i:i], n.Content[i+1:]...)
		return true
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if yamlpos.Target(n.Content[i]).Value == step {
			n.Content = append(n.Content[:i:i], n.Content[i+2:]...)
			return true
		}
	}
	return false
}
