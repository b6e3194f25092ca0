package profiles

import (
	"fmt"
	"slices"
	"strings"

	"github.com/latido-dev/latido/internal/humanize"
	"github.com/latido-dev/latido/internal/stacks"
)

// Below these, a figure is noise, and nobody is sent to look at it.
const (
	adviceCPUShare   = 0.05 // of the process
	adviceAllocShare = 0.10
	adviceWaitMean   = 0.05 // requests that wait at a time
	adviceOwnShare   = 0.15 // of the endpoint: for its bottleneck to be named
)

// advise says what to look at first, of each endpoint and of the whole.
func (r *Report) advise() {
	for i := range r.Endpoints {
		u := &r.Endpoints[i]
		u.Advice = slices.DeleteFunc([]string{r.cpuAdvice(u), r.waitAdvice(u), r.allocAdvice(u)}, func(s string) bool { return s == "" })
	}
	first := func(format string, worth func(u *Usage) float64, least float64, advice func(u *Usage) string) {
		var best *Usage
		for i := range r.Endpoints {
			if u := &r.Endpoints[i]; worth(u) >= least && (best == nil || worth(u) > worth(best)) && advice(u) != "" {
				best = u
			}
		}
		if best != nil {
			r.Advice = append(r.Advice, fmt.Sprintf(format, best.Name, advice(best)))
		}
	}
	first("CPU: look at %s first. %s", func(u *Usage) float64 { return u.CPUShare }, adviceCPUShare, r.cpuAdvice)
	first("waiting: look at %s first. %s", func(u *Usage) float64 { return u.Waits.Mean }, adviceWaitMean, r.waitAdvice)
	first("memory: look at %s first. %s", func(u *Usage) float64 { return u.AllocShare }, adviceAllocShare, r.allocAdvice)
	r.Advice = append(r.Advice, r.startedAdvice()...)
	switch {
	case len(r.Advice) > 0:
	case len(r.Missing) > 0:
		r.Advice = []string{"nothing stands out in what was measured, which is not all"}
	default:
		r.Advice = []string{"nothing stands out: no endpoint uses much CPU or memory, and none waits"}
	}
	for _, m := range r.Missing {
		r.Advice = append(r.Advice, m.text())
	}
}

// fewSamples is below how many samples a share of the CPU is mostly chance: of
// 20, one more or less in five is usual.
const fewSamples = 20

func (r *Report) cpuAdvice(u *Usage) string {
	if u.CPUShare < adviceCPUShare || len(u.CPU.Own) == 0 || u.CPU.Own[0].Share < adviceOwnShare {
		return ""
	}
	f := u.CPU.Own[0]
	mostly, few := "", ""
	if f.Mostly != "" {
		mostly = ", mostly in " + stacks.Short(f.Mostly)
	}
	if u.CPUSamples < fewSamples {
		few = fmt.Sprintf(" Few samples (%.0f): wait for more traffic before you trust this.", u.CPUSamples)
	}
	return fmt.Sprintf("%.0f %% of its CPU time is in %s (%s:%d)%s; the endpoint uses %s of the service's CPU.%s", 100*f.Share,
		stacks.Short(f.Function), stacks.ShortFile(f.File), f.Line, mostly, percent(u.CPUShare), few)
}

func (r *Report) waitAdvice(u *Usage) string {
	if u.Waits.Mean < adviceWaitMean || len(u.Waits.Places) == 0 {
		return ""
	}
	place := u.Waits.Places[0]
	text := fmt.Sprintf("%.0f %% of its requests that were looked at wait in %s (%s:%d): %s", 100*place.Share,
		stacks.Short(place.Function), stacks.ShortFile(place.File), place.Line, place.Reason)
	if place.In != "" && !strings.HasPrefix(place.In, "runtime.") {
		text += " in " + stacks.Short(place.In)
	}
	if u.CPUShare < adviceCPUShare {
		return text + ". It hardly uses CPU: a faster machine would not help."
	}
	return text + "."
}

func (r *Report) allocAdvice(u *Usage) string {
	if u.AllocShare < adviceAllocShare || len(u.Allocations.Own) == 0 || u.Allocations.Own[0].Share < adviceOwnShare {
		return ""
	}
	f := u.Allocations.Own[0]
	return fmt.Sprintf("%.0f %% of what it allocates is allocated in %s (%s:%d); the endpoint allocates %s of all bytes, %s/s.", 100*f.Share,
		stacks.Short(f.Function), stacks.ShortFile(f.File), f.Line, percent(u.AllocShare), bytesText(u.AllocBytes/r.seconds()))
}

func (r *Report) seconds() float64 {
	return max(r.To.Sub(r.From).Seconds(), 1)
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", share*100) }

func bytesText(n float64) string { return humanize.Language{}.Bytes(n) }
