// Package gomod reads the go.mod of a service.
package gomod

import (
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/modfile"
)

const (
	// Latido is the module that a service requires.
	Latido = "github.com/latido-dev/latido"
	// Embedded evaluates rules and notifies receivers in the process.
	Embedded = Latido + "/embedded"
	// Command is the command latido.
	Command = Latido + "/cmd/latido"
)

// Above is the go.mod that governs a folder: the nearest one in it or above it.
// "" is none.
func Above(dir string) string {
	dir, err := filepath.Abs(dir)
	for ; err == nil; dir = filepath.Dir(dir) {
		file := filepath.Join(dir, "go.mod")
		if _, err := os.Stat(file); err == nil {
			return file
		}
		if filepath.Dir(dir) == dir {
			break
		}
	}
	return ""
}

// Path is the module that a go.mod declares, "" if it declares none.
func Path(text []byte) string { return modfile.ModulePath(text) }

// Requires tells whether a go.mod requires a module. One that cannot be read
// requires none.
func Requires(text []byte, module string) bool {
	file, err := modfile.ParseLax("go.mod", text, nil)
	return err == nil && slices.ContainsFunc(file.Require, func(r *modfile.Require) bool { return r.Mod.Path == module })
}
