package cause

import (
	"cmp"
	"fmt"
	"math"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/latido-dev/latido/internal/humanize"
	"github.com/latido-dev/latido/internal/stacks"
)

// words writes in the language of the domain. Each hypothesis has its sentences
// in both languages side by side.
type words struct {
	humanize.Language
	// What of the time before was measured: nothing is compared with the rest.
	figures, looks, cpu bool
}

func wordsOf(language string) words { return words{Language: humanize.Of(language)} }

// was follows a figure with the one before, and is "" where nothing was measured.
func (w words) was(before string, known bool) string {
	if !known {
		return ""
	}
	return w.Say(", %s before", " (antes %s)", before)
}

func (w words) wasNumber(v float64) string  { return w.was(w.number(v), w.figures) }
func (w words) wasCount(v float64) string   { return w.was(w.count(v), w.figures) }
func (w words) wasWaiting(v float64) string { return w.was(w.count(v), w.looks) }
func (w words) wasSeconds(v float64) string { return w.was(w.Seconds(v), v > 0) }
func (w words) wasBytes(v float64) string   { return w.was(w.Bytes(v), v > 0) }
func (w words) wasCores(v float64) string   { return w.was(w.number(v), w.figures || w.cpu) }
func (w words) wasPercent(v float64) string { return w.was(w.T("", "el ")+w.Percent(v), w.figures) }

// rateWas is how often something happens, and happened, in one unit.
func (w words) rateWas(b both) string {
	after, before := w.rates(b)
	return after + w.was(before, w.figures)
}

// rates are how often something happens, with the unit, and happened, without it.
func (w words) rates(b both) (after, before string) {
	if most := max(b.after, b.before); most > 0 && most < 0.5 {
		return w.number(b.after*60) + w.T(" a minute", " por minuto"), w.number(b.before * 60)
	}
	return w.number(b.after) + w.T(" a second", " por segundo"), w.number(b.before)
}

// amounts are how often something happens and happened, or how high it is and was.
func (w words) amounts(b both, level bool) (after, before string) {
	if level {
		return w.number(b.after), w.number(b.before)
	}
	return w.rates(b)
}

// within puts what was before beside a figure that is in parentheses already.
func (w words) within(before string, known bool) string {
	if !known {
		return ""
	}
	return w.Say(", %s before", "; antes %s", before)
}

// count writes how many there are: whole, once there are ten.
func (w words) count(v float64) string {
	if v >= 10 {
		v = math.Round(v)
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return w.number(v)
}

// coresOf writes how many CPUs are used at a time.
func (w words) coresOf(v float64) string {
	if text := w.number(v); text == "1" {
		return w.T("1 core", "1 núcleo")
	}
	return w.number(v) + w.T(" cores", " núcleos")
}

// number writes a figure with three digits that matter, two of them after the
// point at most.
func (w words) number(v float64) string { return w.Number(math.Round(v*100) / 100) }

// rate writes how often something happens.
func (w words) rate(perSecond float64) string {
	if perSecond > 0 && perSecond < 0.5 {
		return w.number(perSecond*60) + w.T(" a minute", " por minuto")
	}
	return w.number(perSecond) + w.T(" a second", " por segundo")
}

// where names a function and its place: shop.salesStatistics (report.go:41).
func where(f stacks.Frame) string {
	if f.Function == "" {
		return ""
	}
	if f.File == "" {
		return written(f.Function)
	}
	return fmt.Sprintf("%s (%s:%d)", written(f.Function), path.Base(f.File), f.Line)
}

// closure is what the compiler adds to a name: of a closure, a wrapper of defer
// or go, the body of a range.
var closure = regexp.MustCompile(`((\.func|\.gowrap|\.deferwrap|-range)\d+|\.\d+)+$`)

// written is a function's name as it is in the source: without what the compiler
// adds, and, of a closure that was inlined elsewhere, where it is written.
func written(function string) string {
	name := closure.ReplaceAllString(stacks.Short(function), "")
	pkg, rest, ok := strings.Cut(name, ".")
	if i := strings.LastIndex(rest, ".("); ok && i >= 0 {
		return pkg + rest[i:]
	}
	return name
}

// requestsTo names the requests of an endpoint.
func (w words) requestsTo(endpoint string) string {
	if endpoint == "" {
		return w.T("requests", "las peticiones")
	}
	if isMethod(endpoint) {
		return w.Say("%s requests", "las peticiones %s", endpoint)
	}
	return w.Say("requests to %s", "las peticiones a %s", endpoint)
}

// requestsOf names the requests that a claim is of.
func (w words) requestsOf(c claim) string {
	if c.spread {
		return w.requestsTo("")
	}
	return w.requestsTo(c.endpoint)
}

// does says what somebody does who holds something.
func (w words) does(a *activity) string {
	in := ""
	if a.at.Function != a.function.Function {
		in = w.Say(" in %s", " en %s", where(a.at))
	} else if a.at.Line != a.function.Line {
		in = w.Say(" (%s:%d)", " (%s:%d)", path.Base(a.at.File), a.at.Line)
	}
	switch {
	case calls(a.kind) && a.peer != "":
		return w.Say("waits for %s%s", "espera a %s%s", a.peer, in)
	case calls(a.kind) && (library("", a.library) == "exec" || library("", a.library) == "os"):
		return w.Say("waits for %s%s", "espera a %s%s", w.server("", a.library), in)
	case calls(a.kind) && a.through == "":
		return w.Say("waits for an answer from the network%s", "espera una respuesta de la red%s", in)
	case calls(a.kind):
		if isDatabase(a.through) {
			return w.Say("waits for %s%s", "espera a %s%s", databaseOf(a.through, w.T("the database", "la base de datos")), in)
		}
		return w.Say("waits for %s%s", "espera a %s%s", library(a.through, a.library), in)
	case a.kind == stacks.Lock && a.through == "database/sql" && isDatabaseLock(a.library):
		return w.Say("waits for the database's lock, which another connection or process has%s", "espera el bloqueo de la base de datos, que tiene otra conexión u otro proceso%s", in)
	case a.kind == stacks.Lock:
		return w.Say("waits for another lock%s", "espera otro candado (lock)%s", in)
	case a.kind == stacks.File:
		return w.Say("reads or writes a file%s", "lee o escribe un archivo%s", in)
	case a.kind == stacks.Log:
		return w.Say("writes to the log%s", "escribe en el log%s", in)
	case a.kind == stacks.Sleep:
		return w.Say("sleeps%s", "duerme%s", in)
	case a.kind == stacks.Pool && a.peer != "":
		return w.Say("waits for a connection to %s%s", "espera una conexión con %s%s", a.peer, in)
	case a.kind == stacks.Pool:
		return w.Say("waits for a connection%s", "espera una conexión%s", in)
	case a.kind == "" && a.through != "":
		return w.Say("works in %s%s", "trabaja en %s%s", library(a.through, ""), in)
	case a.kind == "":
		return w.Say("computes%s", "calcula%s", in)
	}
	return w.Say("waits%s", "espera%s", in)
}

// server names who answers where no label says which host it is.
func (w words) server(pkg, fallback string) string {
	switch name := library(pkg, fallback); {
	case name == "exec" || name == "os":
		return w.T("the program that is started", "el programa que se inicia")
	case stacks.Owner(cmp.Or(pkg, stacks.Package(fallback))+".") == stacks.Runtime && name != "smtp":
		// Of the standard library, only mail has a server of one kind.
		return w.T("the server that is called", "el servidor al que se llama")
	default:
		return name
	}
}

// library names a package by its last element that says something.
func library(pkg, fallback string) string {
	if pkg == "" {
		pkg = stacks.Package(fallback)
	}
	name := path.Base(pkg)
	if strings.HasPrefix(name, "v") && len(name) <= 3 {
		name = path.Base(path.Dir(pkg))
	}
	return name
}
