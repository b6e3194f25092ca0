// Command mutants asks whether the tests notice: it changes the code a little,
// one change at a time, and runs the tests of the package that was changed.
//
//	go run ./mutants [-changed REF] [-budget 5m] [-one-in N] [package...]
//	go run ./mutants -by-hand [name...]
//
// The small changes are those of gremlins, https://gremlins.dev; equivalent.txt
// lists those that change nothing anybody could notice. The others are patches
// in by-hand/, of kinds that gremlins has no operator for: a step that is left
// out, two steps in the other order, a defer that is forgotten.
//
// No file of the checkout is written: the compiler is given a changed file in the
// place of the real one. Where a test reads files that are generated, a copy of
// the checkout is changed, generated again, and tested.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	if filepath.Base(os.Args[0]) == "go" {
		os.Exit(standIn(os.Args[1:]))
	}
	var c campaign
	flag.StringVar(&c.changed, "changed", "", "only files that differ from this `revision`")
	flag.DurationVar(&c.budget, "budget", 0, "stop after this `time`, 0 for never")
	flag.IntVar(&c.oneIn, "one-in", 1, "try one in so many mutants, the same ones each time")
	flag.IntVar(&c.workers, "workers", 1, "how many mutants are tried at once")
	byHand := flag.Bool("by-hand", false, "apply the patches of by-hand/")
	flag.Parse()
	top, err := output("git", "rev-parse", "--show-toplevel")
	if err == nil {
		c.top = strings.TrimSpace(top)
		if *byHand {
			err = c.patches(flag.Args())
		} else {
			err = c.gremlins(flag.Args())
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// campaign is what is asked for.
type campaign struct {
	top     string // the folder of the repository
	changed string
	budget  time.Duration
	oneIn   int
	workers int
}

// overlay writes the file by which the go command takes one file for another,
// and returns the environment that says so. It holds for builds that a test
// makes, too.
func overlay(folder string, replace map[string]string) ([]string, error) {
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return nil, err
	}
	return append(os.Environ(), "GOWORK=off", "GOFLAGS=-vet=off -overlay="+path), nil
}

func output(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return string(out), nil
}
