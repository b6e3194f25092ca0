package stacks

import (
	"path"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"sync"
)

// Named is the function whose code a frame is, by the name and the file that the
// compiler gave it. Where a function of a library is inlined into own code, its
// closures have names of own code: main.main.StripPrefix.func1 in
// net/http/server.go is net/http.StripPrefix. It is safe for concurrent use.
func Named(function, file string) string {
	if !strings.Contains(file, "/") || Owner(function) != Own {
		return function
	}
	inner := inlined(function)
	if inner == "" {
		return function
	}
	library := packageIn(file)
	if library == "" || Owner(library+"."+inner) == Own {
		return function
	}
	return library + "." + inner
}

// numbered tells whether the compiler made a part of a name: func1, 2, deferwrap1.
func numbered(part string) bool {
	n := strings.TrimLeft(part, "abcdefghijklmnopqrstuvwxyz")
	kind := part[:len(part)-len(n)]
	return n != "" && strings.Trim(n, "0123456789") == "" && (kind == "" || kind == "func" || kind == "gowrap" || kind == "deferwrap")
}

// inlined is the function whose closure stands within another function, by its
// name: StripPrefix of main.main.StripPrefix.func1. "" is for any other name; the
// methods of a type that is no pointer look alike, and only the file tells.
func inlined(function string) string {
	function = plain(function)
	parts := strings.Split(function[len(Package(function)):], ".") // the first is empty
	last := len(parts) - 1
	for last > 0 && numbered(parts[last]) {
		last--
	}
	if last == len(parts)-1 { // no closure
		return ""
	}
	first := last
	if first > 1 && strings.HasPrefix(parts[first-1], "(") { // a method's receiver
		first--
	}
	if first < 2 {
		return ""
	}
	return strings.Join(parts[first:last+1], ".")
}

// cached is a package in a module's cache, as in the paths of programs that were
// built with -trimpath.
var cached = regexp.MustCompile(`^(?:.*/pkg/mod/)?([^@]+)@[^/]+(/.*)?$`)

// packageIn is the package that a source file is of, if it is of a module's cache, a
// vendor folder, or Go's own; else "".
func packageIn(file string) string {
	dir := path.Dir(file)
	if m := cached.FindStringSubmatch(dir); m != nil {
		return m[1] + m[2]
	}
	if i := strings.LastIndex(dir, "/vendor/"); i >= 0 {
		return dir[i+len("/vendor/"):]
	}
	if !path.IsAbs(dir) { // -trimpath
		first, _, _ := strings.Cut(dir, "/")
		if _, own := roots.Load(first); own || strings.ContainsAny(first, ".-") {
			return ""
		}
		return dir
	}
	of := ""
	goroots().Range(func(root, _ any) bool {
		rest, ok := strings.CutPrefix(dir, root.(string))
		if ok {
			of = rest
		}
		return !ok
	})
	return of
}

// roots are the first elements of the files of learned programs that were built
// with -trimpath, and goroots the folders of Go's own source code: this program's,
// and those of learned ones.
var (
	roots   sync.Map
	goroots = sync.OnceValue(func() *sync.Map {
		known := &sync.Map{}
		gc := runtime.FuncForPC(reflect.ValueOf(runtime.GC).Pointer())
		if file, _ := gc.FileLine(gc.Entry()); gorootOf(file) != "" {
			known.Store(gorootOf(file), true)
		}
		return known
	})
)

// gorootOf is the folder of Go's own source code, by a file of package runtime; ""
// for a program that was built with -trimpath.
func gorootOf(file string) string {
	if i := strings.Index(file, "/src/runtime/"); i >= 0 {
		return file[:i+len("/src/")]
	}
	return ""
}
