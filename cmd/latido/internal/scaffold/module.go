package scaffold

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/latido-dev/latido/cmd/latido/internal/gomod"
)

const (
	// goVersion is the least that a service needs, as embedded's go.mod says.
	goVersion = "1.26.7"
)

// origin is where the running command comes from, and so what a service can
// require: a version that everybody can download, or a checkout on this machine.
type origin struct {
	version  string // "" if it has none that was released
	checkout string // the folder, "" if it is not known
}

// pseudo matches a version that was made of a commit, and not released.
var pseudo = regexp.MustCompile(`[-.]\d{14}-[0-9a-f]{12}`)

// whence looks at the running binary. The module that a service requires is a
// dependency of the command's.
func whence() origin {
	var o origin
	if info, ok := debug.ReadBuildInfo(); ok {
		version := info.Main.Version
		if i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == gomod.Latido }); i >= 0 {
			version = info.Deps[i].Version
			if info.Deps[i].Replace != nil {
				version = ""
			}
		}
		if released(version) {
			o.version = version
		}
	}
	// The path of this very file, unless it was built with -trimpath.
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		if dir := filepath.Join(filepath.Dir(file), "..", "..", "..", ".."); checkCheckout(dir) == nil {
			o.checkout = dir
		}
	}
	return o
}

// released reports whether a module proxy may have a version.
func released(version string) bool {
	return strings.HasPrefix(version, "v") && version != "v0.0.0" && !strings.Contains(version, "+dirty") && !pseudo.MatchString(version)
}

// checkCheckout reports why a folder is no checkout of Latido.
func checkCheckout(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return fmt.Errorf("%s is no checkout of Latido: %w", dir, err)
	}
	if path := gomod.Path(text); path != gomod.Latido {
		return fmt.Errorf("%s is no checkout of Latido: its go.mod is of %q", dir, path)
	}
	return nil
}

// required is the version of Latido that a go.mod asks for.
func (o origin) required() string {
	if o.checkout != "" {
		return "v0.0.0" // any: the checkout takes its place
	}
	return o.version
}

// modules are what a new service requires: the SDK, alerts in the process, and
// the command, which go generate and the image of latido evidence run.
var modules = []string{gomod.Latido, gomod.Embedded, gomod.Command}

// goMod is the go.mod of a new service.
func (o origin) goMod(module string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "module %s\n\ngo %s\n\nrequire (\n", module, goVersion)
	for _, m := range modules {
		fmt.Fprintf(&b, "\t%s %s\n", m, o.required())
	}
	fmt.Fprintf(&b, ")\n\ntool %s\n", gomod.Command)
	if o.checkout != "" {
		b.WriteString("\n// A checkout, until there is a release to require.\nreplace (\n")
		for _, m := range modules {
			fmt.Fprintf(&b, "\t%s => %s\n", m, quotedPath(o.folder(m)))
		}
		b.WriteString(")\n")
	}
	return []byte(b.String())
}

// folder is where a module is in the checkout.
func (o origin) folder(module string) string {
	return filepath.Join(o.checkout, filepath.FromSlash(strings.TrimPrefix(module, gomod.Latido)))
}

// edit is the command that adds modules to a go.mod that is there.
func (o origin) edit(modules []string) string {
	command := "go mod edit"
	for _, m := range modules {
		command += fmt.Sprintf(" -require=%s@%s", m, o.required())
		if o.checkout != "" {
			command += fmt.Sprintf(" '-replace=%s=%s'", m, o.folder(m))
		}
	}
	return command
}

// quotedPath writes a path as a go.mod takes it.
func quotedPath(path string) string {
	if strings.ContainsAny(path, " \t'`\"()[]{},") || strings.Contains(path, "//") {
		return fmt.Sprintf("%q", path)
	}
	return path
}

// moduleName matches what can be the path of a module and of a folder in it.
var moduleName = regexp.MustCompile(`^[A-Za-z0-9_~][A-Za-z0-9._~-]*(/[A-Za-z0-9_~][A-Za-z0-9._~-]*)*$`)

// nameOf makes a module's path of its folder's name.
func nameOf(folder string) string {
	name := regexp.MustCompile(`[^a-z0-9._~-]+`).ReplaceAllString(strings.ToLower(filepath.Base(folder)), "-")
	name = strings.Trim(name, "-.")
	if !moduleName.MatchString(name) {
		return "service"
	}
	return name
}

// tidy has the go command download what the service needs, and write go.sum.
func tidy(dir string) error {
	cmd := exec.Command("go", "mod", "tidy")
	cmd.Dir = dir
	output, err := cmd.CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(output)), "\n")
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(lines[len(lines)-1]))
	}
	return nil
}

// workspace is the go.work that governs a folder without having it, which the
// go command does not build in; "" if there is none.
func workspace(dir string) string {
	cmd := exec.Command("go", "env", "GOWORK")
	cmd.Dir = dir
	output, err := cmd.Output()
	file := strings.TrimSpace(string(output))
	if err != nil || file == "" || file == "off" {
		return ""
	}
	list := exec.Command("go", "list", ".")
	list.Dir = dir
	if output, err := list.CombinedOutput(); err != nil && bytes.Contains(output, []byte("workspace")) {
		return file
	}
	return ""
}

// readIfThere is a file's content, nil if there is none.
func readIfThere(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err == nil && text == nil {
		text = []byte{}
	}
	return text, err
}
