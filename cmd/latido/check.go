package main

import (
	"encoding/json"
	"errors"
	"fmt"
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
	d, err := domain.Load(file)
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
		if err := encoder.Encode(found); err != nil {
			return err
		}
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

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
