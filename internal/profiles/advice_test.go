package profiles

import (
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/internal/stacks"
)

// TestAdvice is said from its limit on, and not below.
func TestAdvice(t *testing.T) {
	start := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	r := &Report{From: start, To: start.Add(10 * time.Second)}
	own := func(share float64) Top {
		return Top{Own: []Function{{Function: "main.list", File: "/src/shop/shop.go", Line: 7, Owner: stacks.Own, Share: share, Mostly: "slices.Sort"}}}
	}
	waits := func(mean float64) Waits {
		return Waits{Mean: mean, Places: []WaitPlace{{Function: "main.list", File: "/src/shop/shop.go", Line: 7, Share: 1, Reason: "select", In: "net/http.(*Client).Get"}}}
	}
	const (
		cpu   = "15 % of its CPU time is in main.list (shop/shop.go:7), mostly in slices.Sort; the endpoint uses 5 % of the service's CPU."
		few   = cpu + " Few samples (19): wait for more traffic before you trust this."
		idle  = "100 % of its requests that were looked at wait in main.list (shop/shop.go:7): select in http.(*Client).Get. It hardly uses CPU: a faster machine would not help."
		busy  = "100 % of its requests that were looked at wait in main.list (shop/shop.go:7): select in http.(*Client).Get."
		bytes = "15 % of what it allocates is allocated in main.list (shop/shop.go:7); the endpoint allocates 10 % of all bytes, 1 KiB/s."
	)
	for name, c := range map[string]struct {
		of   func(*Usage) string
		u    Usage
		want string
	}{
		"CPU":                {r.cpuAdvice, Usage{CPUShare: adviceCPUShare, CPUSamples: fewSamples, CPU: own(adviceOwnShare)}, cpu},
		"CPU, few samples":   {r.cpuAdvice, Usage{CPUShare: adviceCPUShare, CPUSamples: fewSamples - 1, CPU: own(adviceOwnShare)}, few},
		"little CPU":         {r.cpuAdvice, Usage{CPUShare: adviceCPUShare - 0.001, CPUSamples: 99, CPU: own(1)}, ""},
		"CPU of many places": {r.cpuAdvice, Usage{CPUShare: 1, CPUSamples: 99, CPU: own(adviceOwnShare - 0.001)}, ""},
		"CPU of no own code": {r.cpuAdvice, Usage{CPUShare: 1, CPUSamples: 99}, ""},
		"waits":              {r.waitAdvice, Usage{Waits: waits(adviceWaitMean), CPUShare: adviceCPUShare - 0.001}, idle},
		"waits, and CPU":     {r.waitAdvice, Usage{Waits: waits(adviceWaitMean), CPUShare: adviceCPUShare}, busy},
		"hardly waits":       {r.waitAdvice, Usage{Waits: waits(adviceWaitMean - 0.001)}, ""},
		"waits nowhere":      {r.waitAdvice, Usage{Waits: Waits{Mean: 1}}, ""},
		"bytes":              {r.allocAdvice, Usage{AllocShare: adviceAllocShare, AllocBytes: 10240, Allocations: own(adviceOwnShare)}, bytes},
		"few bytes":          {r.allocAdvice, Usage{AllocShare: adviceAllocShare - 0.001, Allocations: own(1)}, ""},
		"bytes of many":      {r.allocAdvice, Usage{AllocShare: 1, Allocations: own(adviceOwnShare - 0.001)}, ""},
		"bytes of no own":    {r.allocAdvice, Usage{AllocShare: 1}, ""},
	} {
		if got := c.of(&c.u); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", name, got, c.want)
		}
	}
}

// TestStartedAdvice is of what uses CPU, or of very many.
func TestStartedAdvice(t *testing.T) {
	said := func(share, goroutines float64) string {
		r := &Report{Started: []Started{{By: "POST /signup", Function: "main.mailer", File: "/src/shop/mail.go", Line: 9, CPUShare: share, Goroutines: goroutines, Reason: "sleep"}}}
		return strings.Join(r.startedAdvice(), "\n")
	}
	const (
		is   = "started by POST /signup and still running: main.mailer (shop/mail.go:9)"
		uses = " uses 5 % of the service's CPU, and counts for no endpoint"
		many = "; there are 100 such goroutines, which wait for: sleep"
	)
	for _, c := range []struct {
		share, goroutines float64
		want              string
	}{
		{adviceCPUShare, 0, is + uses + "."}, {0, adviceStarted, is + many + "."}, {adviceCPUShare, adviceStarted, is + uses + many + "."},
		{adviceCPUShare - 0.001, adviceStarted - 1, ""},
	} {
		if got := said(c.share, c.goroutines); got != c.want {
			t.Errorf("%v of the CPU, %v goroutines\ngot  %s\nwant %s", c.share, c.goroutines, got, c.want)
		}
	}
}
