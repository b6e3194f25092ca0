package profiles

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/latido-dev/latido/internal/stacks"
)

// WriteText writes the report for a person, in at most some 25 lines an
// endpoint. It returns the writer's error.
func (r *Report) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	name := cmp.Or(r.Service, "service")
	cpu, allocated := fmt.Sprintf("%.1f CPU seconds", r.Process.CPUSeconds), bytesText(r.Process.AllocBytes)+" allocated"
	if r.Lacks(MissingCPU) {
		cpu = "CPU not measured"
	}
	if r.Lacks(MissingMemory) {
		allocated = "allocations not measured"
	}
	fmt.Fprintf(b, "%s, %s to %s: %.0f s of CPU profile, %s, %s\n", name,
		r.From.Format(time.DateTime), r.To.Format(time.TimeOnly), r.Profiled, cpu, allocated)
	fmt.Fprintf(b, "\nLook at this first\n")
	for _, a := range r.Advice {
		fmt.Fprintf(b, "  - %s\n", a)
	}
	for i := range r.Endpoints {
		r.Endpoints[i].write(b, "endpoint "+r.Endpoints[i].Name, r)
	}
	for i := range r.Regions {
		r.Regions[i].write(b, "region "+r.Regions[i].Name, r)
	}
	r.writeStarted(b)
	fmt.Fprintf(b, "\nThe whole process\n")
	writeLines(b, "hottest lines of own code", r.Process.CPU.Lines, seconds)
	writeFunctions(b, "CPU by function", r.Process.CPU.Self, func(f Function) float64 { return f.Self }, seconds)
	writeLines(b, "lines of own code that allocate", r.Process.Allocations.Lines, bytesText)
	writeLines(b, "lines of own code whose memory is in use", r.InUse.Lines, bytesText)
	return b.Flush()
}

func (u *Usage) write(b *bufio.Writer, what string, r *Report) {
	fmt.Fprintf(b, "\n%s\n", strings.TrimRight(what+" "+strings.Join(u.Methods, ", "), " "))
	few := ""
	if u.CPUSeconds > 0 && u.CPUSamples < fewSamples {
		few = fmt.Sprintf(" (by %.0f samples only)", u.CPUSamples)
	}
	inferred := ""
	if u.AllocInferred {
		inferred = " (by functions that only it runs)"
	}
	allocated := fmt.Sprintf("allocated %s, %s%s", bytesText(u.AllocBytes), percent(u.AllocShare), inferred)
	if r.Lacks(MissingMemory) {
		allocated = "allocations not measured"
	}
	waiting := fmt.Sprintf("waiting %.2f at a time", u.Waits.Mean)
	if r.Lacks(MissingWaits) {
		waiting = "waiting not measured"
	}
	if r.Lacks(MissingCPU) {
		fmt.Fprintf(b, "  CPU not measured; %s; %s\n", allocated, waiting)
	} else {
		fmt.Fprintf(b, "  CPU %.2f s, %s of the process%s; %s; %s\n", u.CPUSeconds, percent(u.CPUShare), few, allocated, waiting)
	}
	for _, a := range u.Advice {
		fmt.Fprintf(b, "  - %s\n", a)
	}
	if u.CPUSeconds > 0 {
		writeFunctions(b, "own code", u.CPU.Own, func(f Function) float64 { return f.Self }, seconds)
		writeFunctions(b, "own time of functions", u.CPU.Self, func(f Function) float64 { return f.Self }, seconds)
		writeFunctions(b, "time of functions with what they call", u.CPU.Cum, func(f Function) float64 { return f.Cum }, seconds)
		writeLines(b, "hottest lines", u.CPU.Lines, seconds)
	}
	if len(u.Waits.Places) > 0 {
		fmt.Fprintf(b, "  where it waits\n")
		for _, p := range u.Waits.Places {
			fmt.Fprintf(b, "    %6s  %s (%s:%d): %s\n", percent(p.Share), stacks.Short(p.Function), stacks.ShortFile(p.File), p.Line, p.Reason)
		}
	}
	if u.AllocBytes > 0 {
		writeFunctions(b, "own code that allocates", u.Allocations.Own, func(f Function) float64 { return f.Self }, bytesText)
	}
}

func seconds(s float64) string { return fmt.Sprintf("%.2f s", s) }

func writeFunctions(b *bufio.Writer, title string, list []Function, value func(Function) float64, unit func(float64) string) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "  %s\n", title)
	for _, f := range list {
		fmt.Fprintf(b, "    %6s %9s  %s (%s:%d)\n", percent(f.Share), unit(value(f)), stacks.Short(f.Function), stacks.ShortFile(f.File), f.Line)
	}
}

func writeLines(b *bufio.Writer, title string, list []Line, unit func(float64) string) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "  %s\n", title)
	for _, l := range list {
		fmt.Fprintf(b, "    %6s %9s  %s:%d  %s\n", percent(l.Share), unit(l.Value), stacks.ShortFile(l.File), l.Line, stacks.Short(l.Function))
	}
}
