package stacks

import (
	"path"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/pprof/profile"
)

// Whose code a function is.
const (
	Own        = "own"        // the main module's
	Dependency = "dependency" // another module's
	Runtime    = "runtime"    // Go's runtime and standard library
)

// Frame is one function on a stack, inlined ones too.
type Frame struct {
	Function string // whose code it is, with its package's path: see Named
	File     string // as compiled, with its folder
	Line     int64
	Symbol   string // the compiler's name, which is one for each place that it was inlined in
}

// Of lists a sample's frames, the innermost first.
func Of(s *profile.Sample) []Frame {
	frames := make([]Frame, 0, len(s.Location)+4)
	for _, location := range s.Location {
		for _, line := range location.Line {
			if line.Function != nil {
				frames = append(frames, Frame{Named(line.Function.Name, line.Function.Filename), line.Function.Filename, line.Line, line.Function.Name})
			}
		}
	}
	return frames
}

// Package is the import path in a function's name. Dots in its last element
// are escaped there, so that the first one ends it.
func Package(function string) string {
	function = plain(function)
	slash := strings.LastIndexByte(function, '/')
	if dot := strings.IndexByte(function[slash+1:], '.'); dot >= 0 {
		return function[:slash+1+dot]
	}
	return function
}

// Short is a function's name with its package's last element only, and without
// type arguments, which are those of the compiler.
func Short(function string) string {
	function = plain(function)
	return function[strings.LastIndexByte(function, '/')+1:]
}

// plain is a function's name without type arguments. They hold paths, dots and
// brackets of their own: Sort[go.shape.[]github.com/x/y.T].
func plain(function string) string {
	first := strings.IndexByte(function, '[')
	if first < 0 {
		return function
	}
	var b strings.Builder
	b.WriteString(function[:first])
	depth := 0
	for _, r := range function[first:] {
		switch r {
		case '[':
			depth++
		case ']':
			depth--
		default:
			if depth <= 0 {
				b.WriteRune(r)
			}
		}
	}
	return b.String()
}

// ShortFile is a file with its folder.
func ShortFile(file string) string {
	folder, name := path.Split(file)
	return path.Join(path.Base(folder), name)
}

// SDK starts the packages that stand between the router and the handler in
// every stack: nobody's bottleneck.
const SDK = "github.com/latido-dev/latido/"

var mainModule = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Path
	}
	return ""
})

// Owner says whose code a function is: Own, Dependency or Runtime.
func Owner(function string) string {
	pkg := Package(function)
	if pkg == "main" {
		return Own
	}
	if pkg == SDK+"telemetry" || pkg == SDK+"continuous" {
		return Dependency
	}
	if _, ok := learned.Load(pkg); ok {
		return Own
	}
	if module := mainModule(); module != "" {
		if below, ok := strings.CutPrefix(pkg, module); ok && (below == "" || below[0] == '/') {
			return Own
		}
	}
	first, _, _ := strings.Cut(pkg, "/")
	if strings.Contains(first, ".") {
		return Dependency
	}
	return Runtime
}

// learned are the packages of services whose profiles this process reads.
var learned sync.Map

// Learn has the packages of another program's own code count as Own: those whose
// source lies in no module's cache, no vendor folder and not with Go's own. A
// process that explains its own profiles knows its module, and needs none of this.
// It is safe for concurrent use.
func Learn(p *profile.Profile) {
	goroot, module := "", "" // "" for a program that was built with -trimpath, and for one that was not
	for _, f := range p.Function {
		switch Package(f.Name) {
		case "runtime":
			if root := gorootOf(f.Filename); root != "" {
				goroot = root
				goroots().LoadOrStore(root, true)
			}
		case "main":
			if !path.IsAbs(f.Filename) && inlined(f.Name) == "" {
				module, _, _ = strings.Cut(f.Filename, "/")
				roots.LoadOrStore(module, true)
			}
		}
	}
	for _, f := range p.Function {
		pkg := Package(f.Name)
		first, _, below := strings.Cut(pkg, "/")
		elsewhere := goroot != "" && path.IsAbs(f.Filename) && !strings.HasPrefix(f.Filename, goroot)
		if !below || !strings.Contains(first, ".") && first != module && !elsewhere || packageIn(f.Filename) != "" {
			continue
		}
		if rest, sdk := strings.CutPrefix(pkg, SDK); !sdk || strings.HasPrefix(rest, "examples/") || strings.HasPrefix(rest, "e2e/") {
			learned.LoadOrStore(pkg, true)
		}
	}
}

// DeepestOwn is the place of the innermost frame of own code: what the service
// was doing, in whatever library the time was spent. It is -1 without one.
func DeepestOwn(frames []Frame) int {
	return slices.IndexFunc(frames, func(f Frame) bool { return Owner(f.Function) == Own })
}

// Label is the first value of a sample's label, "" without one.
func Label(s *profile.Sample, name string) string {
	if v := s.Label[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Index is the place of a sample type in a profile, -1 if it has none of that.
func Index(p *profile.Profile, sampleType string) int {
	return slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == sampleType })
}

// Rounds is how often the goroutines of a profile of waits were looked at: its
// comment rounds=N, or 1.
func Rounds(p *profile.Profile) int {
	for _, c := range p.Comments {
		if n, ok := strings.CutPrefix(c, "rounds="); ok {
			if n, err := strconv.Atoi(n); err == nil {
				return n
			}
		}
	}
	return 1
}
