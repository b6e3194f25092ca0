package embedded

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/telemetry"
)

// BenchmarkIdle measures what embedded costs a service that does nothing else:
// 5,000 series and 30 rules at the default intervals. One iteration is a minute
// (LATIDO_IDLE says another time); repeat it with
//
//	cd embedded && go test -run '^$' -bench Idle -benchtime 1x .
//
// It reports the share of one core that the process took, with embedded and
// without, and what is on the heap and on disk at the end.
func BenchmarkIdle(b *testing.B) {
	length := time.Minute
	if text := os.Getenv("LATIDO_IDLE"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			b.Fatal(err)
		}
	}
	for _, with := range []bool{false, true} {
		b.Run(fmt.Sprintf("embedded=%t", with), func(b *testing.B) {
			for b.Loop() {
				measureIdle(b, with, length)
			}
		})
	}
}

func measureIdle(b *testing.B, with bool, length time.Duration) {
	quiet := slog.New(slog.DiscardHandler)
	before := heap()
	tel, err := telemetry.Init(b.Context(), telemetry.Config{
		Domain: idleDomain(5000, 30), KeepGlobals: true, Logger: quiet,
		Admin: telemetry.AdminConfig{Address: "127.0.0.1:0"}, Profiling: continuous.Config{Disabled: true},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer tel.Shutdown(b.Context())
	dir := b.TempDir()
	if with {
		e, err := Start(b.Context(), tel, Config{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = e.Stop(b.Context()) }()
	}
	start, cpu := time.Now(), cpuTime()
	<-time.After(length)
	b.ReportMetric(100*(cpuTime()-cpu).Seconds()/time.Since(start).Seconds(), "%core")
	b.ReportMetric(float64(heap()-before)/(1<<20), "MiB-heap")
	b.ReportMetric(float64(onDisk(b, dir))/(1<<20), "MiB-disk")
	b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines")
}

// idleDomain has so many series and rules.
func idleDomain(series, rules int) domain.Domain {
	const perEvent = 1000
	d := domain.Domain{Prefix: "idle", Entity: "thing", DefaultRules: domain.DefaultRules{Disable: []string{"all"}}}
	for i := range series / perEvent {
		e := domain.Event{Name: fmt.Sprintf("event_%d", i), Attributes: map[string][]string{"n": nil}}
		for n := range perEvent - 1 { // and the one for all others
			e.Attributes["n"] = append(e.Attributes["n"], fmt.Sprintf("n%d", n))
		}
		d.Events = append(d.Events, e)
	}
	above := domain.Quantity(1000)
	for i := range rules {
		d.Thresholds = append(d.Thresholds, domain.Threshold{
			Name: fmt.Sprintf("Rule%d", i), Event: d.Events[i%len(d.Events)].Name, Above: &above, For: domain.Duration(time.Minute),
		})
	}
	return d
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // cannot fail for the process itself
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func onDisk(b *testing.B, dir string) (bytes int64) {
	err := filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
		return nil // a file may have gone meanwhile
	})
	if err != nil {
		b.Fatal(err)
	}
	return bytes
}
