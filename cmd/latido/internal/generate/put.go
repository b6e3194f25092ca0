package generate

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
)

// unix has the line ends that are written: a checkout on Windows may have
// turned them into CRLF.
func unix(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) }

// look compares a file with what is there.
func (g Generation) look(f File) (state State, got []byte, why string, err error) {
	got, err = os.ReadFile(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Missing, nil, "", nil
	case err != nil:
		return "", nil, "", err
	case bytes.Equal(unix(got), f.Content):
		return Fresh, got, "", nil
	}
	if why = g.stranger(f, got); why != "" {
		return Foreign, got, why, nil
	}
	return Changed, got, "", nil
}

// put writes a file, or only says what would become of it.
func (g Generation) put(w io.Writer, f File) (State, error) {
	state, got, why, err := g.look(f)
	switch {
	case err != nil || state == Fresh:
		return state, err
	case state == Foreign && !g.force:
		fmt.Fprintf(w, "%s  FAIL  %s\n", f.Path, why)
		return state, cli.ErrProblems
	case g.diff:
		before := f.Path
		if state == Missing {
			before = os.DevNull
		}
		fmt.Fprint(w, udiff.Unified(before, f.Path, string(unix(got)), string(f.Content)))
		if g.stale {
			return state, cli.ErrProblems
		}
		return state, nil
	case g.stale:
		fmt.Fprintf(w, "%s  FAIL  not as %s says; write it again with: %s\n", f.Path, g.File, f.again)
		return state, cli.ErrProblems
	}
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return state, err
	}
	if err := os.WriteFile(f.Path, f.Content, 0o644); err != nil {
		return state, err
	}
	fmt.Fprintln(w, strings.TrimSuffix(fmt.Sprintf("%s  written from %s: %s", f.Path, g.File, f.About), ": "))
	return state, nil
}

// streams tells whether -out is no file that could be compared and written
// over: standard output by any name, a pipe, a device.
func (g Generation) streams() bool {
	if g.out == "-" {
		return true
	}
	info, err := os.Stat(g.out)
	if err != nil || info.IsDir() {
		return false
	}
	stdout, err := os.Stdout.Stat()
	return !info.Mode().IsRegular() || err == nil && os.SameFile(info, stdout)
}

// stream writes to standard output or another stream, which is never read.
func (g Generation) stream(stdout io.Writer, content []byte) error {
	info, err := os.Stat(g.out)
	standard, errStandard := os.Stdout.Stat()
	if g.out == "-" || err == nil && errStandard == nil && os.SameFile(info, standard) {
		_, _ = stdout.Write(content) // cli.Run tells
		return nil
	}
	f, err := os.OpenFile(g.out, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// leftBehind are the files of the chosen kinds that were written from the
// domain file and that it no longer makes: of an earlier prefix, of events
// that are gone.
func (g Generation) leftBehind(chosen []generator, files []File) []string {
	var folders, kinds, made []string
	for _, each := range chosen {
		kinds = append(kinds, each.name)
		out := g.usual(each)
		if each.folder {
			out = cmp.Or(g.out, out)
			folders = append(folders, out)
		} else {
			folders = append(folders, filepath.Dir(out))
		}
		if each.name == "stack" {
			folders = append(folders, foldersIn(filepath.Join(out, "deploy"))...)
		}
	}
	for _, f := range files {
		made = append(made, f.Path)
	}
	return g.extras(folders, kinds, made)
}

// foldersIn is a folder, and all in it.
func foldersIn(dir string) []string {
	var all []string
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			all = append(all, path)
		}
		return nil // what cannot be read is not known to be ours
	})
	return all
}

// ends are those of the names that are written: under another one, a copy that
// somebody keeps is read by nobody.
var ends = []string{".go", ".yaml", ".yml", ".json", ".md", ".tmpl", ""}

// extras are the files in folders whose head says that they come from the
// domain file, and that are none of those that it makes.
func (g Generation) extras(folders, kinds, made []string) []string {
	var known []fs.FileInfo // not names: a file system may take two for the same
	for _, path := range made {
		if info, err := os.Stat(path); err == nil {
			known = append(known, info)
		}
	}
	slices.Sort(folders)
	var all []string
	for _, folder := range slices.Compact(folders) {
		entries, _ := os.ReadDir(folder)
		for _, e := range entries {
			path := filepath.Join(folder, e.Name())
			if !e.Type().IsRegular() || !slices.Contains(ends, filepath.Ext(path)) {
				continue
			}
			h, _, ok := headOf(beginning(path))
			if !ok || !slices.Contains(kinds, h.what) || !g.ours(path, h) {
				continue
			}
			info, err := e.Info()
			if err == nil && !slices.ContainsFunc(known, func(k fs.FileInfo) bool { return os.SameFile(k, info) }) {
				all = append(all, path)
			}
		}
	}
	return all
}

// beginning is what a file begins with; nothing of one that cannot be read.
func beginning(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // nothing was written
	text, _ := io.ReadAll(io.LimitReader(f, headSize))
	return text
}

// tidy names what was left behind, or removes it.
func (g Generation) tidy(w io.Writer, left []string, how string) error {
	var failed error
	for _, path := range left {
		switch {
		case g.prune && g.diff:
			got, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprint(w, udiff.Unified(path, os.DevNull, string(unix(got)), ""))
		case g.prune:
			if err := os.Remove(path); err != nil {
				return err
			}
			fmt.Fprintf(w, "%s  removed: %s no longer makes it\n", path, g.File)
		default:
			fmt.Fprintf(w, "%s  FAIL  was written from %s, which no longer makes it: remove it with: %s\n", path, g.File, how)
			failed = cli.ErrProblems
		}
	}
	return failed
}
