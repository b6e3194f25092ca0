package continuous

import (
	"path"
	"runtime/debug"
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

// frame is one function on a stack, inlined ones too.
type frame struct {
	function string // with its package's path
	file     string
	line     int64
}

// stack lists a sample's frames, the innermost first.
func stack(s *profile.Sample) []frame {
	frames := make([]frame, 0, len(s.Location)+4)
	for _, location := range s.Location {
		for _, line := range location.Line {
			if line.Function != nil {
				frames = append(frames, frame{line.Function.Name, line.Function.Filename, line.Line})
			}
		}
	}
	return frames
}

// packageOf is the import path in a function's name. Dots in its last element
// are escaped there, so that the first one ends it.
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/')
	if dot := strings.IndexByte(function[slash+1:], '.'); dot >= 0 {
		return function[:slash+1+dot]
	}
	return function
}

// short is a function's name with its package's last element only.
func short(function string) string {
	// A type parameter may have a path of its own: func[github.com/x/y.T].
	end := len(function)
	if i := strings.IndexByte(function, '['); i >= 0 {
		end = i
	}
	return function[strings.LastIndexByte(function[:end], '/')+1:]
}

// shortFile is a file with its folder.
func shortFile(file string) string {
	folder, name := path.Split(file)
	return path.Join(path.Base(folder), name)
}

// sdkPath starts the packages that stand between the router and the handler in
// every stack: nobody's bottleneck.
const sdkPath = "github.com/latido-dev/latido/"

var mainModule = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Path
	}
	return ""
})

// owner says whose code a function is.
func owner(function string) string {
	pkg := packageOf(function)
	if pkg == "main" {
		return Own
	}
	if pkg == sdkPath+"telemetry" || pkg == sdkPath+"continuous" {
		return Dependency
	}
	if module := mainModule(); module != "" && (pkg == module || strings.HasPrefix(pkg, module+"/")) {
		return Own
	}
	first, _, _ := strings.Cut(pkg, "/")
	if strings.Contains(first, ".") {
		return Dependency
	}
	return Runtime
}

// deepestOwn is the place of the innermost frame of own code: what the service
// was doing, in whatever library the time was spent. It is -1 without one.
func deepestOwn(frames []frame) int {
	for i, f := range frames {
		if owner(f.function) == Own {
			return i
		}
	}
	return -1
}
