package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/latido-dev/latido/domain"
)

// checked is what check found, as -format json prints it.
type checked struct {
	File       string    `json:"file"`
	OK         bool      `json:"ok"`
	Events     int       `json:"events"`
	Thresholds int       `json:"thresholds"`
	SLOs       int       `json:"slos"`
	Problems   []problem `json:"problems"`
}

type problem struct {
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Path    string `json:"path"`
	Message string `json:"message"`
}

// check loads and validates a domain file.
func check(c *call) error {
	format := c.flags.String("format", "text", "text or json")
	rest, err := c.parse()
	if err != nil {
		return err
	}
	file := "domain.yaml"
	switch len(rest) {
	case 0:
	case 1:
		file = rest[0]
	default:
		return usageError{"one file at a time"}
	}
	if *format != "text" && *format != "json" {
		return usageError{fmt.Sprintf("-format %q: write text or json", *format)}
	}
	d, err := load(c, file)
	found := checked{File: file, OK: err == nil, Events: len(d.Events), Thresholds: len(d.Thresholds), SLOs: len(d.SLOs), Problems: []problem{}}
	var mistakes domain.Errors
	if errors.As(err, &mistakes) {
		for _, m := range mistakes {
			found.Problems = append(found.Problems, problem{m.Line, m.Column, m.Path, m.Message})
		}
	} else if err != nil {
		return err // the file cannot be read at all
	}
	if *format == "json" {
		encoder := json.NewEncoder(c.stdout)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(found) // run tells
	} else if found.OK {
		fmt.Fprintf(c.stdout, "%s  ok    %s\n", file, strings.Join([]string{
			count(found.Events, "event"), count(found.Thresholds, "threshold"), count(found.SLOs, "SLO")}, ", "))
	} else {
		fmt.Fprintf(c.stdout, "%v\n", err)
	}
	if !found.OK {
		return errProblems
	}
	return nil
}

// load loads a domain file; "-" is standard input.
func load(c *call, file string) (domain.Domain, error) {
	if file != "-" {
		return domain.Load(file)
	}
	data, err := io.ReadAll(io.LimitReader(c.stdin, domain.MaxFileSize+1))
	if err != nil {
		return domain.Domain{}, fmt.Errorf("read standard input: %w", err)
	}
	return domain.Parse("-", data)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
