// Command table runs the benchmarks, each library beside the other in one run,
// and writes what came out: a table to standard output, latest.json, and
// docs/performance.md. Run it in the folder bench:
//
//	go run ./table
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
)

func main() {
	count := flag.Int("count", 6, "how often each benchmark is run; the median counts")
	benchtime := flag.String("benchtime", "0.3s", "how long each run takes")
	input := flag.String("input", "", "read the output of go test -bench from this `file` instead of running it")
	flag.Parse()
	if err := run(*count, *benchtime, *input); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

func run(count int, benchtime, input string) error {
	output, err := os.ReadFile(input)
	if input == "" {
		output, err = measure(count, benchtime)
	}
	if err != nil {
		return err
	}
	results, err := medians(output)
	if err != nil {
		return err
	}
	rows, err := compare(results)
	if err != nil {
		return err
	}
	table := markdown(rows)
	fmt.Print("\n", table)
	if err := writeJSON("latest.json", results, rows); err != nil {
		return err
	}
	return writePerformance(filepath.Join("..", "docs", "performance.md"), table, results)
}

// measure runs the benchmarks, interleaved: once all of them, then again, so
// that a busy minute of the machine meets every library.
func measure(count int, benchtime string) ([]byte, error) {
	var output bytes.Buffer
	for i := range count {
		fmt.Fprintf(os.Stderr, "run %d of %d\n", i+1, count)
		cmd := exec.Command("go", "test", "-run", "^$", "-bench", ".", "-benchmem", "-benchtime", benchtime, ".")
		cmd.Stdout = io.MultiWriter(&output, os.Stderr)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("go test -bench: %w", err)
		}
	}
	return output.Bytes(), nil
}

// result is one benchmark of one library: medians over the runs.
type result struct {
	Nanos  float64 `json:"ns_per_op"`
	Allocs float64 `json:"allocs_per_op"`
	Bytes  float64 `json:"bytes_per_op"`
	Runs   int     `json:"runs"`
}

// results are by name: EventBound/latido.
type results map[string]result

func medians(output []byte) (results, error) {
	values := map[string]map[string][]float64{}
	reader := benchfmt.NewReader(bytes.NewReader(output), "go test -bench")
	for reader.Scan() {
		line, ok := reader.Result().(*benchfmt.Result)
		if !ok {
			continue
		}
		name := line.Name.String()
		if i := strings.LastIndex(name, "-"); i > 0 { // the number of cores
			name = name[:i]
		}
		if values[name] == nil {
			values[name] = map[string][]float64{}
		}
		for _, v := range line.Values {
			value, unit := v.Value, v.Unit
			if v.OrigUnit != "" { // benchfmt turns ns into sec
				value, unit = v.OrigValue, v.OrigUnit
			}
			values[name][unit] = append(values[name][unit], value)
		}
	}
	if err := reader.Err(); err != nil {
		return nil, fmt.Errorf("read the benchmarks' output: %w", err)
	}
	out := results{}
	for name, v := range values {
		out[name] = result{median(v["ns/op"]), median(v["allocs/op"]), median(v["B/op"]), len(v["ns/op"])}
	}
	return out, nil
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// row compares ours with one peer.
type row struct {
	What    string  `json:"what"`
	Ours    string  `json:"ours"`
	Peer    string  `json:"peer"`
	Ratio   float64 `json:"ratio"`   // ours to the peer's
	AtMost  float64 `json:"at_most"` // the ratio to reach, 0 for a peer shown for comparison
	Reached bool    `json:"reached"`

	ours, peer result
}

// comparison is what a row is made from. Where base is named, its time and
// allocations are taken off both sides: what a library adds to it.
type comparison struct {
	what, ours, peer, base string
	atMost                 float64
}

var comparisons = []comparison{
	{"event counter, bound", "EventBound/latido", "EventBound/atomic", "", 1.1},
	{"event counter, bound", "EventBound/latido", "EventBound/client_golang", "", 0},
	{"event counter, bound", "EventBound/latido", "EventBound/otel", "", 0},
	{"event counter, bound", "EventBound/latido", "EventBound/otel_no_exemplars", "", 0},
	{"event counter, 8 goroutines", "EventShared/latido", "EventShared/client_golang", "", 1.1},
	{"event counter, 8 goroutines", "EventShared/latido", "EventShared/striped", "", 0},
	{"event by name, 3 values", "EventByName/latido", "EventByName/client_golang", "", 0.5},
	{"event by name, 3 values", "EventByName/latido", "EventByName/otel", "", 0},
	{"histogram, bound", "HistogramBound/latido", "HistogramBound/client_golang", "", 0.5},
	{"histogram, bound", "HistogramBound/latido", "HistogramBound/otel", "", 0},
	// 450 and 150 ns beside a promhttp chain of 1,090 are the ratios to reach.
	{"HTTP, endpoint in the context", "HTTP/latido", "HTTP/promhttp", "HTTP/bare", 0.41},
	{"HTTP, endpoint in the context", "HTTP/latido", "HTTP/promhttp_labels", "HTTP/bare", 0},
	{"HTTP, endpoint in the context", "HTTP/latido", "HTTP/otelhttp", "HTTP/bare", 0},
	{"HTTP, NoRequestContext", "HTTP/latido_no_context", "HTTP/promhttp", "HTTP/bare", 0.14},
	// The peer makes the spans alone: what Latido does besides is in our time.
	{"HTTP with a span, sampled", "HTTPSampled/latido", "HTTPSampled/otelhttp", "", 1},
	{"HTTP with a span and its profile", "HTTPSampled/latido_profiled", "HTTPSampled/otelhttp", "", 0},
	{"HTTP with a span, not sampled", "HTTPNotSampled/latido", "HTTPNotSampled/otelhttp", "", 0.5},
	{"HTTP not sampled, profile labels", "HTTPNotSampled/latido_profiled", "HTTPNotSampled/otelhttp", "", 0},
	{"outgoing request", "Outgoing/latido", "Outgoing/otelhttp", "", 1},
	{"outgoing request, sampled", "OutgoingSampled/latido", "OutgoingSampled/otelhttp", "", 1},
	{"another library's counter, 5 attributes", "Foreign/latido", "Foreign/sdk", "", 1.5},
	{"the same, with OTLP too", "Foreign/latido_otlp", "Foreign/sdk", "", 1.5},
	{"the same, attributes made each time", "ForeignByName/latido", "ForeignByName/sdk", "", 1.5},
	{"scrape of 9,700 lines", "Scrape/latido", "Scrape/client_golang", "", 1},
	{"scrape of 9,700 lines", "Scrape/latido", "Scrape/otel", "", 0},
	{"8,000 requests, one lock, mutex profile", "LockContended/latido", "LockContended/without", "", 0},
	{"the same, each contention sampled", "LockContended/every_one", "LockContended/without", "", 0},
	{"8,000 requests that wait for no lock", "LockFree/latido", "LockFree/without", "", 0},
}

func compare(all results) ([]row, error) {
	var rows []row
	for _, c := range comparisons {
		for _, name := range []string{c.ours, c.peer, c.base} {
			if _, ok := all[name]; !ok && name != "" {
				return nil, fmt.Errorf("no benchmark %s in the output", name)
			}
		}
		base := all[c.base] // the zero result without one
		r := row{What: c.what, Ours: c.ours, Peer: c.peer, AtMost: c.atMost, ours: all[c.ours].less(base), peer: all[c.peer].less(base)}
		r.Ratio = r.ours.Nanos / r.peer.Nanos
		r.Reached = c.atMost == 0 || r.Ratio <= c.atMost
		rows = append(rows, r)
	}
	return rows, nil
}

func (r result) less(base result) result {
	return result{r.Nanos - base.Nanos, r.Allocs - base.Allocs, r.Bytes - base.Bytes, r.Runs}
}

func markdown(rows []row) string {
	var b strings.Builder
	b.WriteString("| what | Latido | allocs | peer | its time | allocs | ratio | to reach |\n|---|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		goal := ""
		if r.AtMost > 0 {
			goal = fmt.Sprintf("%.2f: reached", r.AtMost)
			if !r.Reached {
				goal = fmt.Sprintf("%.2f: not reached", r.AtMost)
			}
		}
		_, peer, _ := strings.Cut(r.Peer, "/")
		fmt.Fprintf(&b, "| %s | %s | %.0f | %s | %s | %.0f | %.2f | %s |\n",
			r.What, nanos(r.ours.Nanos), r.ours.Allocs, peer, nanos(r.peer.Nanos), r.peer.Allocs, r.Ratio, goal)
	}
	return b.String()
}

func nanos(n float64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.1f ms", n/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.2f µs", n/1e3)
	}
	return fmt.Sprintf("%.1f ns", n)
}

func writeJSON(path string, all results, rows []row) error {
	data, err := json.MarshalIndent(map[string]any{"machine": machine(), "medians": all, "rows": rows}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

func machine() string {
	return fmt.Sprintf("%s %s/%s, %d cores", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}

// The part of docs/performance.md between these two lines is ours.
const (
	begin = "<!-- begin of the table: written by `make bench` -->"
	end   = "<!-- end of the table -->"
)

func writePerformance(path, table string, all results) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the page that the table goes into: %w", err)
	}
	before, rest, ok := strings.Cut(string(page), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s: the lines %q and %q are missing", path, begin, end)
	}
	runs := all["EventBound/latido"].Runs
	note := fmt.Sprintf("\nMedians of %d runs, %s.\n\n", runs, machine())
	return os.WriteFile(path, []byte(before+begin+note+table+end+after), 0o644)
}
