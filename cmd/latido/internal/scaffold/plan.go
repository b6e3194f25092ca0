package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// plan is what is to be written into a folder. Nothing is until write.
type plan struct {
	dir   string
	force bool
	asker *asker // nil if nobody answers
	out   io.Writer

	files []planned
	left  []string // paths that are there with other content, and stay
	said  []string
}

type planned struct {
	path          string // in the folder
	content, from []byte // from is what is there, nil for nothing
	about         string
	secret        bool // nobody else on the machine may read it
}

// add plans a file. What is there with other content is asked for, or stays.
func (p *plan) add(path string, content []byte, about string) error {
	there, err := readIfThere(filepath.Join(p.dir, path))
	if err != nil {
		return err
	}
	// A checkout on Windows may have turned line ends into CRLF.
	if there != nil && bytes.Equal(bytes.ReplaceAll(there, []byte("\r\n"), []byte("\n")), content) {
		p.say(path, "ok", "is there as it would be written")
		return nil
	}
	if there != nil && !p.force {
		yes := false
		if p.asker != nil {
			if yes, err = p.asker.agreed(path + " is there with other content: overwrite it?"); err != nil {
				return err
			}
		}
		if !yes {
			p.left = append(p.left, path)
			return nil
		}
	}
	p.files = append(p.files, planned{path: path, content: content, from: there, about: about})
	return nil
}

// takes tells whether a path is as planned, once all is written.
func (p *plan) takes(path string) bool { return !slices.Contains(p.left, path) }

// has tells whether all of the files are there just so.
func (p *plan) has(files map[string][]byte) bool {
	for name, content := range files {
		there, err := readIfThere(filepath.Join(p.dir, name))
		if err != nil || !bytes.Equal(bytes.ReplaceAll(there, []byte("\r\n"), []byte("\n")), content) {
			return false
		}
	}
	return true
}

// say prints a line about a file, once all is written.
func (p *plan) say(path, status, detail string) {
	p.said = append(p.said, strings.TrimRight(fmt.Sprintf("%s  %-7s  %s", path, status, detail), " "))
}

// write writes all files, or none: what was written before an error is taken
// back.
func (p *plan) write() (err error) {
	var undo []func() error
	defer func() {
		if err == nil {
			return
		}
		for i := len(undo) - 1; i >= 0; i-- {
			err = errors.Join(err, undo[i]())
		}
	}()
	for _, f := range p.files {
		path := filepath.Join(p.dir, f.path)
		made, err := makeFolders(filepath.Dir(path))
		for _, folder := range made {
			undo = append(undo, func() error { return os.Remove(folder) })
		}
		if err != nil {
			return err
		}
		undo = append(undo, func() error {
			if f.from != nil {
				return os.WriteFile(path, f.from, 0o644)
			}
			if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
				return err
			}
			return nil
		})
		mode := os.FileMode(0o644)
		if f.secret {
			mode = 0o600
		}
		if err := os.WriteFile(path, f.content, mode); err != nil {
			return err
		}
		p.say(f.path, "written", f.about)
	}
	for _, line := range p.said {
		fmt.Fprintln(p.out, line)
	}
	for _, path := range p.left {
		fmt.Fprintf(p.out, "%s  left     is there with other content\n", path)
	}
	return nil
}

// makeFolders makes a folder and those above it, and returns those that were
// not there, the highest first.
func makeFolders(dir string) (made []string, err error) {
	if exists(dir) {
		return nil, nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if made, err = makeFolders(parent); err != nil {
			return made, err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return made, err
	}
	return append(made, dir), nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
