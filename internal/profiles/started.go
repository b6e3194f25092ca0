package profiles

import (
	"bufio"
	"cmp"
	"fmt"
	"slices"

	"github.com/latido-dev/latido/internal/stacks"
)

// Started is what goroutines cost that a request or region started and that
// nobody serves with: workers, caches, the loops of outgoing connections. What
// they do counts for no endpoint, however long they run.
type Started struct {
	By         string  `json:"by"`       // "POST /orders", or a region's name
	Function   string  `json:"function"` // the own function that they began with, or else the first one
	File       string  `json:"file"`
	Line       int64   `json:"line"` // the one of it that costs the most
	Owner      string  `json:"owner"`
	CPUSeconds float64 `json:"cpu_seconds"`
	CPUShare   float64 `json:"cpu_share"`        // of the process, 0 to 1
	Goroutines float64 `json:"goroutines"`       // seen at a time
	Reason     string  `json:"reason,omitempty"` // what most of them wait for; "" for those that run
}

// startedKey is who started goroutines, and with which function.
type startedKey struct{ by, function string }

type startedSum struct {
	file      string
	cpu, seen float64
	byLine    map[int64]float64
	reasons   map[string]float64
}

// startedOf finds the sum of a sample with LabelStartedBy.
func (b *Builder) startedOf(by string, frames []stacks.Frame) (*startedSum, stacks.Frame) {
	if len(frames) == 0 {
		frames = []stacks.Frame{{Function: "runtime.goexit"}}
	}
	root := rootOf(frames)
	key := startedKey{by, root.Function}
	if b.started[key] == nil {
		b.started[key] = &startedSum{file: root.File, byLine: map[int64]float64{}, reasons: map[string]float64{}}
	}
	return b.started[key], root
}

func (b *Builder) addStartedCPU(by string, frames []stacks.Frame, seconds float64) {
	t, root := b.startedOf(by, frames)
	t.cpu += seconds
	t.byLine[root.Line] += seconds
}

func (b *Builder) addStartedWait(by string, frames []stacks.Frame, count float64) {
	t, root := b.startedOf(by, frames)
	t.seen += count
	t.byLine[root.Line] += count * 1e-6 // where CPU time went says more
	reason := stacks.WaitOf(frames).Reason
	t.reasons[reason] += count
}

// finishStarted lists them: what uses CPU first, then own code.
func (b *Builder) finishStarted(top int) []Started {
	list := make([]Started, 0, len(b.started))
	for key, t := range b.started {
		list = append(list, Started{
			By: key.by, Function: key.function, File: t.file, Line: heaviest(t.byLine), Owner: stacks.Owner(key.function),
			CPUSeconds: t.cpu, CPUShare: ratio(t.cpu, b.process.cpu.total),
			Goroutines: ratio(t.seen, float64(b.looks)), Reason: heaviest(t.reasons),
		})
	}
	foreign := func(s Started) int {
		if s.Owner == stacks.Own {
			return 0
		}
		return 1
	}
	slices.SortFunc(list, func(x, y Started) int {
		return cmp.Or(cmp.Compare(y.CPUSeconds, x.CPUSeconds), cmp.Compare(foreign(x), foreign(y)),
			cmp.Compare(y.Goroutines, x.Goroutines), cmp.Compare(x.By, y.By), cmp.Compare(x.Function, y.Function))
	})
	return list[:min(top, len(list))]
}

// adviceStarted is how many goroutines of one kind are worth a sentence.
const adviceStarted = 100

// startedAdvice is a sentence for those that matter.
func (r *Report) startedAdvice() (list []string) {
	for _, s := range r.Started {
		if s.CPUShare < adviceCPUShare && s.Goroutines < adviceStarted {
			continue
		}
		text := fmt.Sprintf("started by %s and still running: %s (%s:%d)", s.By, stacks.Short(s.Function), stacks.ShortFile(s.File), s.Line)
		if s.CPUShare >= adviceCPUShare {
			text = fmt.Sprintf("%s uses %s of the service's CPU, and counts for no endpoint", text, percent(s.CPUShare))
		}
		if s.Goroutines >= adviceStarted {
			text = fmt.Sprintf("%s; there are %.0f such goroutines", text, s.Goroutines)
			if s.Reason != "" {
				text = fmt.Sprintf("%s, which wait for: %s", text, s.Reason)
			}
		}
		list = append(list, text+".")
	}
	return list
}

func (r *Report) writeStarted(b *bufio.Writer) {
	if len(r.Started) == 0 {
		return
	}
	fmt.Fprintf(b, "\nStarted by a request and still running: counts for no endpoint\n")
	for _, s := range r.Started {
		text := fmt.Sprintf("%s (%s:%d), started by %s", stacks.Short(s.Function), stacks.ShortFile(s.File), s.Line, s.By)
		reason := ""
		if s.Reason != "" {
			reason = ": " + s.Reason
		}
		if s.Goroutines > 0 {
			text = fmt.Sprintf("%s, %.2g at a time%s", text, s.Goroutines, reason)
		} else {
			text += reason
		}
		fmt.Fprintf(b, "    %6s %9s  %s\n", percent(s.CPUShare), seconds(s.CPUSeconds), text)
	}
}
