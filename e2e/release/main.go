// Command release makes a release of the modules that are installed, in this
// repository and in a folder that is a module proxy:
//
//	go run ./release -version v0.1.0
//
// In a checkout the modules replace one another by folders, so that each can be
// built and tested before there is any version. What is installed must not, and
// must require versions that exist. So a release is one commit beside the
// branch, in which the replacements are gone and the requirements and checksums
// are those of the release, and a tag on it for each module. They are pushed in
// this order, and not by this command: what a proxy has seen stays for ever.
package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"

	"github.com/latido-dev/latido/e2e/release/moduleproxy"
)

const root = "github.com/latido-dev/latido"

// folders are those of the modules that are installed, each after those that it
// requires; "" is the repository's own.
var folders = []string{"", "embedded", "cmd/latido"}

func main() {
	version := flag.String("version", "", "the `version`, such as v0.1.0")
	proxy := flag.String("proxy", "", "the `folder` of the proxy to write; empty means a new one")
	flag.Parse()
	if err := release(*version, *proxy, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func release(version, proxy string, out io.Writer) error {
	if semver.Canonical(version) != version || version == "" {
		return fmt.Errorf("-version %q: write one such as v0.1.0", version)
	}
	top, err := output(".", nil, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	if changed, err := output(top, nil, "git", "status", "--porcelain"); err != nil || changed != "" {
		return cmp.Or(err, errors.New("there are changes that are not committed"))
	}
	for _, folder := range folders {
		if _, err := output(top, nil, "git", "rev-parse", "--verify", "--quiet", "refs/tags/"+tag(folder, version)); err == nil {
			return fmt.Errorf("the tag %s is there already", tag(folder, version))
		}
	}
	if proxy == "" {
		if proxy, err = os.MkdirTemp("", "latido-proxy-"); err != nil {
			return err
		}
	}
	modules, err := moduleproxy.New(proxy, version, path(""), path("embedded"), path("cmd/latido"))
	if err != nil {
		return err
	}
	tree, err := os.MkdirTemp("", "latido-release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tree) }() // what stays is in a folder for such
	if _, err := output(top, nil, "git", "clone", "--quiet", top, tree); err != nil {
		return err
	}
	for i, folder := range folders {
		if err := require(tree, folder, version, modules, folders[:i]); err != nil {
			return fmt.Errorf("%s: %w", cmp.Or(folder, root), err)
		}
		if _, err := output(tree, nil, "git", "commit", "--quiet", "--allow-empty", "--all", "--message", "release "+tag(folder, version)); err != nil {
			return err
		}
		if err := modules.Publish(tree, folder, path(folder)); err != nil {
			return fmt.Errorf("%s: %w", cmp.Or(folder, root), err)
		}
		fmt.Fprintf(out, "made     %s@%s\n", path(folder), version)
	}
	if err := check(version, modules); err != nil {
		return err
	}
	fmt.Fprintf(out, "checked  go install %s@%s, with the proxy %s\n", path("cmd/latido"), version, proxy)
	push := []string{"git", "push", "--atomic", "origin"}
	for _, folder := range folders { // all on the last commit: a module's files are the same in the others
		if _, err := output(tree, nil, "git", "tag", tag(folder, version)); err != nil {
			return err
		}
		push = append(push, tag(folder, version))
		if _, err := output(top, nil, "git", "fetch", "--quiet", tree, "tag", tag(folder, version), "--no-tags"); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "tagged   %s\n\nWhen all of it is right:\n\n    %s\n", strings.Join(push[4:], ", "), strings.Join(push, " "))
	return nil
}

func path(folder string) string { return strings.TrimSuffix(root+"/"+folder, "/") }

func tag(folder, version string) string { return strings.TrimPrefix(folder+"/"+version, "/") }

// require has a module require the release of those that were made before it,
// in place of their folders, and builds it so.
func require(tree, folder, version string, proxy *moduleproxy.Proxy, before []string) error {
	dir := filepath.Join(tree, filepath.FromSlash(folder))
	file := filepath.Join(dir, "go.mod")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	mod, err := modfile.Parse(file, text, nil)
	if err != nil {
		return err
	}
	var sums []string
	for _, other := range before {
		if !slices.ContainsFunc(mod.Require, func(r *modfile.Require) bool { return r.Mod.Path == path(other) }) {
			continue
		}
		if err := errors.Join(mod.DropReplace(path(other), ""), mod.AddRequire(path(other), version)); err != nil {
			return err
		}
		some, err := proxy.Sums(path(other))
		if err != nil {
			return err
		}
		sums = append(sums, some...)
	}
	mod.Cleanup()
	if len(mod.Replace) > 0 {
		return fmt.Errorf("%s is replaced: nobody could install it", mod.Replace[0].Old.Path)
	}
	if len(sums) == 0 {
		return nil
	}
	if text, err = mod.Format(); err != nil {
		return err
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return err
	}
	if text, err = os.ReadFile(filepath.Join(dir, "go.sum")); err != nil {
		return err
	}
	lines := append(strings.Split(strings.TrimSpace(string(text)), "\n"), sums...)
	slices.Sort(lines)
	return os.WriteFile(filepath.Join(dir, "go.sum"), []byte(strings.Join(lines, "\n")+"\n"), 0o644)
}

// check installs the command in an empty folder, from the proxy and what the
// go command would ask otherwise, and has it say its version. Nothing of it
// stays in the module cache of the person.
func check(version string, proxy *moduleproxy.Proxy) (err error) {
	home, err := os.MkdirTemp("", "latido-check-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(home) }() // what stays is in a folder for such
	if err := proxy.Forget(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, proxy.Forget()) }()
	env := proxy.Environment(home)
	if _, err := output(home, env, "go", "install", path("cmd/latido")+"@"+version); err != nil {
		return err
	}
	said, err := output(home, env, filepath.Join(home, "bin", "latido"), "version")
	if err == nil && !strings.Contains(said, version) {
		err = fmt.Errorf("the command says that it is %q", said)
	}
	return err
}

// output runs a command in a folder, and returns what it prints.
func output(dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, env
	var wrong bytes.Buffer
	cmd.Stderr = &wrong
	text, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, wrong.String())
	}
	return strings.TrimSpace(string(text)), err
}
