package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/latido-dev/latido/domain"
)

// generate writes what comes from the domain file.
func generate(c *call) error {
	file := c.flags.String("domain", "domain.yaml", "the domain `file`")
	out := c.flags.String("out", filepath.Join("events", "events_gen.go"), "the `file` to write")
	pkg := c.flags.String("package", "", "the package's `name`; empty means the folder's")
	stale := c.flags.Bool("check", false, "write nothing: exit with 1 if the file is not as it would be written")
	rest, err := c.parse()
	if err != nil {
		return err
	}
	if len(rest) != 1 || rest[0] != "events" {
		return usageError{"say what to generate: events"}
	}
	folder, err := filepath.Abs(filepath.Dir(*out))
	if err != nil {
		return err
	}
	again := fmt.Sprintf("latido generate events -domain %s -out %s", *file, *out)
	if *pkg == "" {
		*pkg = filepath.Base(folder)
	} else {
		again += " -package " + *pkg
	}
	d, err := domain.Load(*file)
	if err != nil {
		return err
	}
	want, err := eventsFile(d, filepath.Base(*file), *pkg)
	if err != nil {
		return err
	}
	got, err := os.ReadFile(*out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A checkout on Windows may have turned line ends into CRLF.
	if bytes.Equal(bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n")), want) {
		fmt.Fprintf(c.stdout, "%s  ok    as %s says\n", *out, *file)
		return nil
	}
	if *stale {
		fmt.Fprintf(c.stdout, "%s  FAIL  not as %s says; write it again with: %s\n", *out, *file, again)
		return errProblems
	}
	if err := os.MkdirAll(filepath.Dir(*out), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(*out, want, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%s  written from %s: %s\n", *out, *file, count(len(d.Events), "event"))
	return nil
}
