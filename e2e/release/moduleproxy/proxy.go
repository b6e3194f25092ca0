// Package moduleproxy writes a Go module proxy into a folder, as
// https://go.dev/ref/mod#goproxy-protocol has it, and runs the go command with it.
package moduleproxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// Proxy is a folder that has one version of some modules.
type Proxy struct {
	dir, version string
	cache        string // the machine's GOMODCACHE
	paths        []string
}

// New has a proxy in the folder, for modules of the version. The folder may have
// modules already; those of paths are in it, or will be published.
func New(dir, version string, paths ...string) (*Proxy, error) {
	cache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOMODCACHE: %w", err)
	}
	dir, err = filepath.Abs(dir)
	return &Proxy{dir: dir, version: version, cache: strings.TrimSpace(string(cache)), paths: paths}, err
}

// Publish writes a module as it is in the last commit of the repository at tree.
func (p *Proxy) Publish(tree, folder, path string) error {
	var packed bytes.Buffer
	if err := zip.CreateFromVCS(&packed, module.Version{Path: path, Version: p.version}, tree, "HEAD", folder); err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(tree, filepath.FromSlash(folder), "go.mod"))
	if err != nil {
		return err
	}
	info, err := json.Marshal(map[string]string{"Version": p.version, "Time": time.Now().UTC().Format(time.RFC3339)})
	if err != nil {
		return err
	}
	dir := filepath.Dir(p.file(path))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, content := range map[string][]byte{p.version + ".zip": packed.Bytes(), p.version + ".mod": mod, p.version + ".info": info, "list": []byte(p.version + "\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Sums are the lines of go.sum about a module that was published.
func (p *Proxy) Sums(path string) ([]string, error) {
	whole, err := dirhash.HashZip(p.file(path)+".zip", dirhash.DefaultHash)
	if err != nil {
		return nil, err
	}
	mod, err := dirhash.DefaultHash([]string{"go.mod"}, func(string) (io.ReadCloser, error) { return os.Open(p.file(path) + ".mod") })
	return []string{path + " " + p.version + " " + whole, path + " " + p.version + "/go.mod " + mod}, err
}

// file is where the files of a module's version are, but for their endings.
func (p *Proxy) file(path string) string {
	return filepath.Join(p.dir, filepath.FromSlash(path), "@v", p.version)
}

// Environment is that of a person whose go command knows the proxy, what this
// machine has downloaded, and nothing else, and installs into home/bin. The
// module cache is the machine's: in one of its own everything would be compiled
// again, since what is compiled depends on where it lies. Forget is due at the end.
// The go command's index of modules is off: it takes a version for what it was once.
func (p *Proxy) Environment(home string) []string {
	return append(os.Environ(),
		"GOPROXY=file://"+filepath.ToSlash(p.dir)+",file://"+filepath.ToSlash(filepath.Join(p.cache, "cache", "download")),
		"GONOSUMDB=*", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOWORK=", "GOFLAGS=-modcacherw", "GODEBUG=goindex=0", "GOBIN="+filepath.Join(home, "bin"),
		"PATH="+filepath.Join(home, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// Forget takes the modules out of the machine's module cache, also those that an
// earlier call has left: what is published later under this version may differ.
func (p *Proxy) Forget() error {
	var errs []error
	for _, path := range p.paths {
		errs = append(errs, os.RemoveAll(filepath.Join(p.cache, filepath.FromSlash(path)+"@"+p.version)))
		downloads := filepath.Join(p.cache, "cache", "download", filepath.FromSlash(path), "@v")
		files, err := filepath.Glob(filepath.Join(downloads, p.version+".*"))
		for _, file := range append(files, filepath.Join(downloads, "list")) { // the go command writes the list again
			if err := os.Remove(file); !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, err)
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
