package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// unix has the line ends that are written: a checkout on Windows may have
// turned them into CRLF.
func unix(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) }

// put writes a file, or only says what would become of it.
func (g generation) put(w io.Writer, t target) error {
	got, err := os.ReadFile(t.path)
	switch there := err == nil; {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case there && bytes.Equal(unix(got), t.content):
		if !g.diff {
			fmt.Fprintf(w, "%s  ok    as %s says\n", t.path, g.file)
		}
		return nil
	case there && !g.force && g.stranger(t, got) != "":
		fmt.Fprintf(w, "%s  FAIL  %s\n", t.path, g.stranger(t, got))
		return errProblems
	case g.diff:
		before := t.path
		if !there {
			before = os.DevNull
		}
		fmt.Fprint(w, udiff.Unified(before, t.path, string(unix(got)), string(t.content)))
		if g.stale {
			return errProblems
		}
		return nil
	case g.stale:
		fmt.Fprintf(w, "%s  FAIL  not as %s says; write it again with: %s\n", t.path, g.file, t.again)
		return errProblems
	}
	if err := os.MkdirAll(filepath.Dir(t.path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(t.path, t.content, 0o644); err != nil {
		return err
	}
	fmt.Fprintln(w, strings.TrimSuffix(fmt.Sprintf("%s  written from %s: %s", t.path, g.file, t.about), ": "))
	return nil
}

// streams tells whether -out is no file that could be compared and written
// over: standard output by any name, a pipe, a device.
func (g generation) streams() bool {
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
func (g generation) stream(stdout io.Writer, content []byte) error {
	info, err := os.Stat(g.out)
	standard, errStandard := os.Stdout.Stat()
	if g.out == "-" || err == nil && errStandard == nil && os.SameFile(info, standard) {
		_, _ = stdout.Write(content) // run tells
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
func leftBehind(g generation, chosen []generator, targets []target) []string {
	var folders, kinds, made []string
	for _, each := range chosen {
		kinds = append(kinds, each.name)
		out := g.usual(each)
		switch {
		case each.folder == nil:
			folders = append(folders, filepath.Dir(out))
		case g.out != "":
			folders = append(folders, g.out)
		default:
			folders = append(folders, out)
		}
		if each.name == "stack" {
			folders = append(folders, foldersIn(filepath.Join(folders[len(folders)-1], "deploy"))...)
		}
	}
	for _, t := range targets {
		made = append(made, t.path)
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
func (g generation) extras(folders, kinds, made []string) []string {
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
func (g generation) tidy(w io.Writer, left []string, how string) error {
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
			fmt.Fprintf(w, "%s  removed: %s no longer makes it\n", path, g.file)
		default:
			fmt.Fprintf(w, "%s  FAIL  was written from %s, which no longer makes it: remove it with: %s\n", path, g.file, how)
			failed = errProblems
		}
	}
	return failed
}
