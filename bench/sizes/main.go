// Command sizes measures what each direct dependency adds to a stripped binary,
// and writes it into the last column of the tables of docs/dependencies.md:
//
//	cd bench && GOWORK=off go run ./sizes
//
// A table belongs to the module and the program that the comment above it
// names. A dependency adds what would go if the module no longer imported it:
// the packages that are reached through it only. The last row is what several
// bring along.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const document = "../docs/dependencies.md"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "sizes:", err)
		os.Exit(1)
	}
}

// measured begins the table of a module: its path, and the folder of the
// program, from the root.
var measured = regexp.MustCompile(`^<!-- sizes of (\S+) in (\S+) -->$`)

func run() error {
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	var p *program
	for i, line := range lines {
		if m := measured.FindStringSubmatch(line); m != nil {
			if p, err = measure(m[1], m[2]); err != nil {
				return fmt.Errorf("%s in %s: %w", m[1], m[2], err)
			}
			fmt.Printf("%s: %.1f MB stripped\n", m[2], float64(p.stripped)/1e6)
			continue
		}
		cells := strings.Split(line, " | ")
		switch {
		case !strings.HasPrefix(line, "| "):
			if line == "" && i > 0 && strings.HasPrefix(lines[i-1], "|") {
				p = nil // the table has ended
			}
		case p != nil && !strings.HasPrefix(line, "| module"):
			size := p.row(strings.TrimPrefix(cells[0], "| "))
			cells[len(cells)-1] = size + " |"
			lines[i] = strings.Join(cells, " | ")
			fmt.Printf("  %-60s %s\n", cells[0][2:], size)
		}
	}
	return os.WriteFile(document, []byte(strings.Join(lines, "\n")), 0o600)
}

// pkg is a package as go list describes it.
type pkg struct {
	ImportPath string
	Imports    []string
	Module     *struct{ Path string }
}

func (p pkg) module() string {
	if p.Module == nil { // the standard library
		return ""
	}
	return p.Module.Path
}

// program is a binary, with what is in it.
type program struct {
	of       string // the module whose imports are looked at
	main     string
	packages map[string]pkg
	bytes    map[string]float64 // by package, in the stripped binary
	stripped int64

	listed []string // modules of the rows so far
	sum    float64  // of what these add
}

// shared is the row of what is in no other one.
const shared = "what several of them bring along"

// row is the last column of a row.
func (p *program) row(first string) string {
	if first == shared {
		_, all := p.adds(p.listed)
		return fmt.Sprintf("%.2f MB", (all-p.sum)/1e6)
	}
	modules := strings.Split(first, ", ")
	used, size := p.adds(modules)
	p.listed, p.sum = append(p.listed, modules...), p.sum+size
	switch {
	case !used:
		return "not in it"
	case size < 5000:
		return "0: others bring it too"
	default:
		return fmt.Sprintf("%.2f MB", size/1e6)
	}
}

func measure(of, folder string) (*program, error) {
	p := &program{of: of, packages: map[string]pkg{}, bytes: map[string]float64{}}
	dir := filepath.Join("..", folder)
	list, err := output(dir, "go", "list", "-deps", "-json=ImportPath,Imports,Module", ".")
	if err != nil {
		return nil, err
	}
	for decoder := json.NewDecoder(bytes.NewReader(list)); ; {
		var each pkg
		if err := decoder.Decode(&each); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		p.packages[each.ImportPath] = each
		p.main = each.ImportPath // the last one
	}
	temp, err := os.MkdirTemp("", "sizes")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	for name, flags := range map[string]string{"stripped": "-s -w", "symbols": "-w"} {
		if _, err := output(dir, "go", "build", "-trimpath", "-ldflags="+flags, "-o", filepath.Join(temp, name), "."); err != nil {
			return nil, err
		}
	}
	info, err := os.Stat(filepath.Join(temp, "stripped"))
	if err != nil {
		return nil, err
	}
	p.stripped = info.Size()
	symbols, err := output(dir, "go", "tool", "nm", "-size", filepath.Join(temp, "symbols"))
	if err != nil {
		return nil, err
	}
	p.share(symbols)
	return p, nil
}

// share gives every package its share of the binary: that of its symbols. What
// the linker writes for all of them together, such as the table of lines, is
// shared out as they are.
func (p *program) share(symbols []byte) {
	total := 0.0
	for lines := bufio.NewScanner(bytes.NewReader(symbols)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		// Code and constants: of variables nm does not tell which take room in the file.
		if len(fields) < 4 || !slices.Contains([]string{"T", "t", "R", "r"}, fields[2]) {
			continue
		}
		size, err := strconv.ParseFloat(fields[1], 64)
		if err != nil {
			continue
		}
		name := packageOf(strings.Join(fields[3:], " "))
		if _, known := p.packages[name]; known {
			total += size
			p.bytes[name] += size
		}
	}
	for name := range p.bytes {
		p.bytes[name] *= float64(p.stripped) / total
	}
}

var decoration = regexp.MustCompile(`^(type:|go:itab\.|\.eq\.|\.hash\.|\.namedata\.|[*.\[\]\d])*`)

// packageOf is the package of a symbol, "" if it has none.
func packageOf(symbol string) string {
	symbol = decoration.ReplaceAllString(symbol, "")
	if i := strings.IndexAny(symbol, "[{(, "); i >= 0 && !strings.Contains(symbol[:i], ".") || i == 0 {
		return ""
	} else if i > 0 {
		symbol = symbol[:i]
	}
	slash := strings.LastIndex(symbol, "/") + 1
	dot := strings.Index(symbol[slash:], ".")
	if dot < 0 {
		return ""
	}
	return strings.ReplaceAll(symbol[:slash+dot], "%2e", ".")
}

// adds is what modules add to the program, in bytes, and whether the module
// imports them there.
func (p *program) adds(modules []string) (used bool, size float64) {
	with, without := p.reached(nil), p.reached(modules)
	for name := range with {
		used = used || slices.Contains(modules, p.packages[name].module()) && p.direct(name)
		if !without[name] {
			size += p.bytes[name]
		}
	}
	return used, size
}

// direct tells whether the module itself imports a package.
func (p *program) direct(name string) bool {
	for _, each := range p.packages {
		if each.module() == p.of && slices.Contains(each.Imports, name) {
			return true
		}
	}
	return false
}

// reached are the packages of the program if the module did not import some
// others.
func (p *program) reached(without []string) map[string]bool {
	seen := map[string]bool{}
	var visit func(string)
	visit = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		from := p.packages[name]
		for _, next := range from.Imports {
			if from.module() == p.of && slices.Contains(without, p.packages[next].module()) {
				continue
			}
			visit(next)
		}
	}
	visit(p.main)
	visit("runtime")
	return seen
}

func output(dir, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stderr, cmd.Env = dir, os.Stderr, append(os.Environ(), "GOWORK=off")
	return cmd.Output()
}
